/**
 * Large files are sent while they are still being written, by writers that pause, go back to their header, die, cut the file short and
 * write it anew, while daemons are killed, lines cut and peers frozen. Whatever was sent early, only the finished file is ever shown;
 * and where nothing went wrong, few bytes are sent twice.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { everyDelivered, makeRig, type Rig, type RigOptions, until } from "./rig.ts";

const MB = 1_000_000;
const SIZE = 64 * MB;
/** The daemon sends chunks of so many bytes. */
const CHUNK = 8 * 1024 * 1024;
const HALF = 40 * MB;
/** What must be there of a file of which half is written: all but the margin, in whole chunks. */
const EARLY = 24 * MB;

const METHODS = ["local", "rsync", "tar", "sftp"] as const;
type MethodName = typeof METHODS[number];
const needs = (method: MethodName) => method !== "local" && !has("sshd", "rsync");

for (const method of METHODS) {
  Deno.test({
    name: `a file that grows is there when it is closed, and little of it is sent twice (${method})`,
    ignore: needs(method),
    async fn() {
      await using rig = await rigOf(method);
      await using daemon = await rig.installation.start();
      const content = await contentOf(rig, 1);
      await using writer = await open(rig);
      await writer.write(content.subarray(0, HALF));
      await until(async () => await rig.staged() >= EARLY, "the first half is sent before the file is finished");
      assertEquals(await rig.installation.history(), [], "an unfinished file has become a delivery");
      const up = rig.proxy?.counters.up ?? 0;
      await writer.write(content.subarray(HALF));
      await writer.close();
      const rows = await rig.installation.until(everyDelivered(1), 60);
      assertEquals(rows.map(({ attempts }) => attempts), [1]);
      if (rig.proxy) assert(rig.proxy.counters.up - up < SIZE - EARLY + CHUNK, `${rig.proxy.counters.up - up} bytes were sent`);
      assertEquals(await daemon.stop(), 0);
      await rig.allIsWell(rows);
    },
  });
}

function rigOf(method: MethodName, options: Partial<RigOptions> = {}): Promise<Rig> {
  return makeRig({
    method,
    ...(method === "local" ? {} : { proxy: {} }),
    ...options,
    config: {
      growing_files: { min_size_mb: 1, safety_margin_mb: 1, growth_timeout_seconds: 30 },
      rescan_interval: 2,
      ...options.config,
    },
  });
}

/** What the file is in the end; nothing else may ever be shown. */
async function contentOf(rig: Rig, seed: number): Promise<Uint8Array<ArrayBuffer>> {
  const content = fitsFile(SIZE, seed);
  await rig.expect("cube.fits", content);
  return content;
}

/** A camera that has the file open. */
async function open(rig: Rig, name = "cube.fits") {
  const file = await Deno.open(`${rig.watched}/${name}`, { write: true, create: true });
  let isOpen = true;
  const close = () => {
    if (isOpen) file.close();
    isOpen = false;
    return Promise.resolve();
  };
  return {
    /** In steps, as a camera writes. */
    async write(bytes: Uint8Array) {
      for (let at = 0; at < bytes.length;) {
        at += await file.write(bytes.subarray(at, at + 4 * MB));
        await pause(30);
      }
    },
    async overwrite(offset: number, bytes: Uint8Array) {
      await file.seek(offset, Deno.SeekMode.Start);
      for (let at = 0; at < bytes.length;) at += await file.write(bytes.subarray(at));
      await file.seek(0, Deno.SeekMode.End);
    },
    truncate: async (length: number) => {
      await file.truncate(length);
      await file.seek(length, Deno.SeekMode.Start);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
