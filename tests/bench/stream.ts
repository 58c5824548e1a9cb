/** A camera that makes one small image after the other: the daemon's processor time for each, in an empty folder and beside many known files. */
import { join } from "@std/path";
import { install } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { startSshd } from "../support/sshd.ts";
import { tempFolder } from "../support/temp.ts";
import type { Scenario } from "./bench.ts";
import { processUse, visible } from "./measure.ts";

const IMAGES = 90;
/** As guiding cameras and fast photometry have it. */
const EVERY_MS = 333;
const BYTES = 28_000;
const KNOWN = [0, 2_000, 20_000, 100_000];

export const stream: Scenario = async (say, { without }) => {
  if (Deno.build.os !== "linux") return say({ what: "reads /proc", value: "left out" });
  const measure = async (
    name: string,
    { known, limitMs }: { readonly known: number; readonly limitMs: number },
    destination: Record<string, unknown>,
    env: Readonly<Record<string, string>> = {},
  ) => {
    await using folder = await tempFolder();
    const [watched, there] = [folder.at("watched"), folder.at("there")];
    await Promise.all([watched, there].map((path) => Deno.mkdir(path)));
    for (let i = 0; i < known; i++) await Deno.writeFile(join(watched, `known${i}.fits`), fitsFile(1000, i + 1));
    const installation = await install(folder.path, { watch_path: watched, remote_base_path: there, ...destination }, env);
    if (known > 0 && (await installation.command(["run", "--once"])).code !== 0) throw new Error(await installation.log());
    await using daemon = await installation.start();
    const send = async (first: number, count: number) => {
      for (let i = first; i < first + count; i++) {
        await Deno.writeFile(join(watched, `img${i}.fits`), fitsFile(BYTES, i + 1));
        await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      }
      await visible(watched, there);
    };
    await send(0, IMAGES / 3); // The first scan is done, and the engine has compiled what it needs.
    const before = await processUse(daemon.pid);
    await send(IMAGES / 3, IMAGES);
    const milliseconds = 1000 * ((await processUse(daemon.pid)).cpuSeconds - before.cpuSeconds) / IMAGES;
    say({
      what: `28 kB, three a second, ${name}, beside ${known} known files: processor of the daemon for each`,
      value: `${milliseconds.toFixed(1)} ms`,
      limit: `${limitMs} ms`,
      kept: milliseconds <= limitMs,
    });
    await daemon.stop();
  };
  for (const known of KNOWN) {
    if (!without.has(String(known))) await measure("local", { known, limitMs: 4 }, { transfer_method: "local" });
  }
  if (without.has("ssh")) return;
  if (!has("sshd", "rsync")) return say({ what: "needs sshd and rsync", value: "left out" });
  await using server = await startSshd();
  await measure("auto", { known: 0, limitMs: 6 }, { transfer_method: "auto", remote_host: server.host }, server.env);
};
