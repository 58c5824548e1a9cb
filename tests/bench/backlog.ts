/**
 * A backlog of 100,000 files found at start and delivered: the most memory ever used.
 *
 * @module
 */
import type { Scenario } from "./bench.ts";
import { install } from "../support/daemon_process.ts";
import { tempFolder } from "../support/temp.ts";
import { MB, processUse, randomFiles, seconds, secs, visible } from "./measure.ts";

const COUNT = 100_000;

export const backlog: Scenario = async (say) => {
  if (Deno.build.os !== "linux") return say({ what: "reads /proc", value: "left out" });
  await using folder = await tempFolder();
  const [watched, there] = [folder.at("watched"), folder.at("there")];
  await randomFiles(watched, COUNT, 64);
  await Deno.mkdir(there);
  const installation = await install(folder.path, {
    watch_path: watched,
    file_patterns: ["*.dat"],
    min_file_age_seconds: 0,
    transfer_method: "local",
    remote_base_path: there,
    log_level: "INFO",
  });
  let peak = 0;
  const taken = await seconds(async () => {
    await using daemon = await installation.start();
    await visible(there, COUNT);
    peak = (await processUse(daemon.pid)).peakBytes / MB;
    await daemon.stop();
  });
  say({ what: "100,000 × 64 B local: start to all proven and visible", value: secs(taken) });
  say({ what: "100,000 files of backlog: most memory", value: `${peak.toFixed(0)} MB`, limit: "250 MB", kept: peak <= 250 });
};
