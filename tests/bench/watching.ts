/**
 * Many files under watch, all delivered long ago: time from start to watching, idle processor time, memory.
 *
 * @module
 */
import type { Scenario } from "./bench.ts";
import { install } from "../support/daemon_process.ts";
import { tempFolder } from "../support/temp.ts";
import { fitsTree, MB, processUse, secs } from "./measure.ts";

const IDLE_SECONDS = 60;
/** Until the engine has tidied up after the start. */
const SETTLE_SECONDS = 40;

export const watching: Scenario = async (say, { files }) => {
  if (Deno.build.os !== "linux") return say({ what: "reads /proc", value: "left out" });
  await using folder = await tempFolder();
  const [watched, there] = [folder.at("watched"), folder.at("there")];
  await fitsTree(watched, files, 1000);
  const installation = await install(folder.path, {
    watch_path: watched,
    transfer_method: "local",
    remote_base_path: there,
    log_level: "INFO",
  });
  await Deno.mkdir(there);
  const first = await installation.command(["run", "--once"]);
  if (first.code !== 0) throw new Error(first.stderr);

  const begin = performance.now();
  await using daemon = await installation.start({ args: ["--log-level", "debug"] });
  const scanned = new RegExp(`Scanned job .*: ${files} files`);
  while (!scanned.test(daemon.output())) await new Promise((resolve) => setTimeout(resolve, 10));
  const start = (performance.now() - begin) / 1000;
  say({ what: `${files} files: start to watching and first scan done`, value: secs(start), limit: "3 s", kept: start <= 3 });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_SECONDS * 1000));
  const before = await processUse(daemon.pid);
  await new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000));
  const after = await processUse(daemon.pid);
  const idle = 100 * (after.cpuSeconds - before.cpuSeconds) / IDLE_SECONDS;
  say({
    what: `${files} files: processor while idle (${IDLE_SECONDS} s)`,
    value: `${idle.toFixed(2)} %`,
    limit: "0.2 %",
    kept: idle <= 0.2,
  });
  const memory = after.rssBytes / MB;
  say({ what: `${files} files: memory while idle`, value: `${memory.toFixed(0)} MB`, limit: "130 MB", kept: memory <= 130 });
  await daemon.stop();
};
