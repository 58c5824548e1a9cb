/**
 * A 2 GB cube written at 50 MB/s, sent while it is written: from the writer's close() to proven, durable and visible under its final
 * name. Once written straight through, and once with a header that is written again at the end, as many programs do.
 */
import type { Scenario } from "./bench.ts";
import { install } from "../support/daemon_process.ts";
import { has } from "../support/needs.ts";
import { startSshd } from "../support/sshd.ts";
import { tempFolder } from "../support/temp.ts";
import { secs } from "./measure.ts";

const MB = 1_000_000;
const BYTES = 2000 * MB;
const BYTES_PER_SECOND = 50 * MB;
const STEP = 4 * MB;

export const growing: Scenario = async (say, { without }) => {
  for (const method of ["local", "rsync", "tar", "sftp"]) {
    if (without.has(method)) continue;
    if (method !== "local" && !has("sshd", "rsync")) return say({ what: "needs sshd and rsync", value: "left out" });
    await using server = method === "local" ? null : await startSshd();
    for (const rewrites of [false, true]) {
      const taken = await measure(method, rewrites, server === null ? {} : { remote_host: server.host }, server?.env ?? {});
      const limit = 2;
      const how = rewrites ? "header written again" : "straight through";
      say({
        what: `2 GB cube at 50 MB/s, close() to visible, ${method}, ${how}`,
        value: secs(taken),
        limit: secs(limit),
        kept: taken <= limit,
      });
    }
  }
};

/** Seconds. */
async function measure(
  method: string,
  rewrites: boolean,
  remote: Readonly<Record<string, unknown>>,
  env: Readonly<Record<string, string>>,
): Promise<number> {
  await using folder = await tempFolder();
  const [watched, there] = [folder.at("watched"), folder.at("there")];
  await Deno.mkdir(watched);
  await Deno.mkdir(there);
  const installation = await install(folder.path, {
    ...{ watch_path: watched, remote_base_path: there, transfer_method: method, log_level: "INFO", growing_files: true },
    ...remote,
  }, env);
  await using daemon = await installation.start();
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await write(`${watched}/cube.fits`, rewrites);
  const closed = performance.now();
  while (!await exists(`${there}/cube.fits`)) await new Promise((resolve) => setTimeout(resolve, 2));
  const taken = (performance.now() - closed) / 1000;
  await installation.until((rows) => rows.some(({ state, proof }) => state === "delivered" && proof === "checksum"), 30);
  await daemon.stop();
  return taken;
}

async function write(path: string, rewrites: boolean): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true });
  const piece = new Uint8Array(STEP);
  for (let at = 0; at < STEP; at += 65536) crypto.getRandomValues(piece.subarray(at, Math.min(STEP, at + 65536)));
  const write = async (bytes: Uint8Array) => {
    for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
  };
  await write(header("recording"));
  const began = performance.now();
  const end = Math.ceil(BYTES / 2880) * 2880;
  for (let at = 0; at < end; at += STEP) {
    new DataView(piece.buffer).setFloat64(8, at);
    await write(piece.subarray(0, Math.min(STEP, end - at)));
    const early = began + (at + STEP) / BYTES_PER_SECOND * 1000 - performance.now();
    if (early > 0) await new Promise((resolve) => setTimeout(resolve, early));
  }
  if (!rewrites) return;
  await file.seek(0, Deno.SeekMode.Start);
  await write(header("finished"));
}

/** Of a cube of 16-bit integers, as long as it will be. */
function header(state: string): Uint8Array {
  const axes = [10_000, 1_000, BYTES / 2 / 10_000_000];
  const cards = [
    "SIMPLE  =                    T",
    "BITPIX  =                   16",
    "NAXIS   =                    3",
    ...axes.map((length, index) => `NAXIS${index + 1}  = ${String(length).padStart(20)}`),
    `STATE   = '${state.padEnd(9)}'`,
    "END",
  ];
  return new TextEncoder().encode(cards.map((card) => card.padEnd(80)).join("").padEnd(2880));
}

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
