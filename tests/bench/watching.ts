/**
 * Many files under watch, all delivered long ago: time from start to watching, processor time while idle with the rescans on their period, memory.
 */
import type { Scenario } from "./bench.ts";
import { install } from "../support/daemon_process.ts";
import { join } from "@std/path";
import { tempFolder } from "../support/temp.ts";
import { byHand, type Cost, fitsTree, MB, processUse, seconds, secs } from "./measure.ts";

const IDLE_SECONDS = 60;
/** For each 100,000 files: every one is looked at and held against the ledger. */
const START_SECONDS = 1.5;
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
  await letRest(watched);

  const listed = await seconds(() => byHand("find", [watched, "-type", "f", "-printf", "%p %s %T@ %C@ %i\\n"]));
  const begin = performance.now();
  await using daemon = await installation.start({ args: ["--log-level", "debug"] });
  const scanned = new RegExp(`Scanned job .*: ${files} files`);
  while (!scanned.test(daemon.output())) await new Promise((resolve) => setTimeout(resolve, 10));
  const start = (performance.now() - begin) / 1000;
  const longest = Math.max(3, START_SECONDS * files / 100_000);
  say({
    what: `${files} files: start to watching and first scan done`,
    value: secs(start),
    beside: `  find ${secs(listed)}`,
    limit: secs(longest),
    kept: start <= longest,
  });
  await new Promise((resolve) => setTimeout(resolve, SETTLE_SECONDS * 1000));
  const idle = await processorOver(daemon.pid, () => new Promise((resolve) => setTimeout(resolve, IDLE_SECONDS * 1000)));
  const scans = () => daemon.output().split("Scanned job ").length - 1;
  const nextScan = async () => {
    for (const next = scans() + 1; scans() < next;) await new Promise((resolve) => setTimeout(resolve, 500));
  };
  await nextScan();
  const period = await processorOver(daemon.pid, nextScan);
  say({ what: `${files} files: processor between rescans`, value: percent(idle) });
  say({
    what: `${files} files: processor while idle, with its rescan (after ${secs(period.wall)})`,
    value: percent(period),
    limit: "0.2 %",
    kept: period.cpu / period.wall <= 0.002,
  });
  const after = await processUse(daemon.pid);
  const memory = after.rssBytes / MB;
  say({ what: `${files} files: memory while idle`, value: `${memory.toFixed(0)} MB`, limit: "130 MB", kept: memory <= 130 });
  await daemon.stop();
};

/** Nothing was written in any folder for days. */
async function letRest(folder: string): Promise<void> {
  const long = Date.now() / 1000 - 7 * 86_400;
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) await Deno.utime(join(folder, name), long, long);
  }
}

/** The processor time of a process while something lasts. */
async function processorOver(pid: number, lasts: () => Promise<void>): Promise<Cost> {
  const [begin, before] = [performance.now(), await processUse(pid)];
  await lasts();
  const after = await processUse(pid);
  return { wall: (performance.now() - begin) / 1000, cpu: after.cpuSeconds - before.cpuSeconds };
}

const percent = ({ wall, cpu }: Cost) => `${(100 * cpu / wall).toFixed(2)} %`;
