/** A backlog of many small files found at start and delivered: the most memory ever used. */
import type { Scenario } from "./bench.ts";
import { install } from "../support/daemon_process.ts";
import { tempFolder } from "../support/temp.ts";
import { fitsTree, MB, processUse, seconds, secs, visible } from "./measure.ts";

export const backlog: Scenario = async (say, { files }) => {
  if (Deno.build.os !== "linux") return say({ what: "reads /proc", value: "left out" });
  await using folder = await tempFolder();
  const [watched, there] = [folder.at("watched"), folder.at("there")];
  await fitsTree(watched, files, 1000);
  await Deno.mkdir(there);
  const installation = await install(folder.path, {
    watch_path: watched,
    transfer_method: "local",
    remote_base_path: there,
    log_level: "INFO",
  });
  let peak = 0;
  const taken = await seconds(async () => {
    await using daemon = await installation.start();
    await visible(watched, there);
    peak = (await processUse(daemon.pid)).peakBytes / MB;
    await daemon.stop();
  });
  say({ what: `${files} × 6 kB local: start to all proven and visible`, value: secs(taken) });
  say({ what: `${files} files of backlog: most memory`, value: `${peak.toFixed(0)} MB`, limit: "250 MB", kept: peak <= 250 });
};
