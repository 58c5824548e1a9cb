/**
 * One file and one command: from the start of `run --once` to the file visible and to the end of the program; and what a
 * daemon needs that has nothing to do.
 */
import type { Scenario } from "./bench.ts";
import { install } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { tempFolder } from "../support/temp.ts";
import { MB, median, processUse, secs, visible } from "./measure.ts";

const TRIES = 5;
/** Until the engine has tidied up after the start. */
const REST_SECONDS = 40;

export const start: Scenario = async (say) => {
  const program = Deno.env.get("IMAGE_TRANSFER_BINARY") === undefined ? "from source" : "binary";
  const taken: { readonly seen: number; readonly ended: number }[] = [];
  for (let i = 0; i < TRIES; i++) {
    await using folder = await tempFolder();
    const installation = await prepare(folder.at.bind(folder), folder.path);
    await Deno.writeFile(folder.at("watched/a.fits"), fitsFile(100_000));
    // The quiet time is not what is measured.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const begin = performance.now();
    await using command = installation.launch(["run", "--once"]);
    await visible(folder.at("watched"), folder.at("there"));
    const seen = (performance.now() - begin) / 1000;
    const { code, stderr } = await command.ended;
    if (code !== 0) throw new Error(stderr);
    taken.push({ seen, ended: (performance.now() - begin) / 1000 });
  }
  const first = median(taken.map(({ seen }) => seen));
  const limit = program === "binary" ? { limit: "0.5 s", kept: first <= 0.5 } : {};
  say({ what: `run --once, one file, ${program}: start to visible`, value: secs(first), ...limit });
  say({ what: `run --once, one file, ${program}: start to end`, value: secs(median(taken.map(({ ended }) => ended))) });

  if (Deno.build.os !== "linux") return say({ what: "memory is read from /proc", value: "left out" });
  await using folder = await tempFolder();
  const installation = await prepare(folder.at.bind(folder), folder.path);
  await using daemon = await installation.start();
  await new Promise((resolve) => setTimeout(resolve, REST_SECONDS * 1000));
  const memory = (await processUse(daemon.pid)).rssBytes / MB;
  say({
    what: `idle daemon with its page, ${program}: memory`,
    value: `${memory.toFixed(0)} MB`,
    limit: "70 MB",
    kept: memory <= 70,
  });
  await daemon.stop();
};

async function prepare(at: (name: string) => string, folder: string) {
  await Deno.mkdir(at("watched"));
  await Deno.mkdir(at("there"));
  return await install(folder, {
    watch_path: at("watched"),
    transfer_method: "local",
    remote_base_path: at("there"),
    log_level: "INFO",
    web: { listen: "127.0.0.1:0" },
  });
}
