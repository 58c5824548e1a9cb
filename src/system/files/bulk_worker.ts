/**
 * The Worker of `bulk.ts`: many small files, one after the other and synchronous, but for the flushes, which share commits of the journal.
 *
 * It is bundled and embedded separately: import nothing heavy here.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Digest } from "../../domain/receipt.ts";
import { pathToRead } from "../../domain/source_file.ts";
import { type OpenFile, openToReadSync } from "./open_source.ts";
import type { BulkCopy, BulkName } from "./bulk_files.ts";
import { serveCalls } from "../workers/serve_calls.ts";

/** Not zero once the caller has given up: nothing more is begun, and what is being read ends at the next piece. */
type Stop = Int32Array<SharedArrayBuffer>;

type Copied = Digest & { readonly also?: string };

/** Each takes a thread, and its memory. */
const FLUSHES_AT_ONCE = 8;
const buffer = new Uint8Array(1024 * 1024);

const calls = {
  copy(copies: readonly BulkCopy[], stop: Stop): (Copied | null)[] {
    return copies.map((one) => isStopped(stop) ? null : orNull(() => copy(one, stop)));
  },
  hash(paths: readonly string[], stop: Stop): (Digest | null)[] {
    return paths.map((path) => isStopped(stop) ? null : orNull(() => hash(path, stop)));
  },
  async name(names: readonly BulkName[], stop: Stop): Promise<boolean[]> {
    const named = names.map(() => false);
    let next = 0;
    const lane = async () => {
      while (next < names.length && !isStopped(stop)) {
        const index = next++;
        named[index] = await flushAndName(names[index]!, stop).catch(() => false);
      }
    };
    await Promise.all(Array.from({ length: FLUSHES_AT_ONCE }, lane));
    return named;
  },
};

/** What this Worker can be asked. */
export type BulkCalls = typeof calls;

function isStopped(stop: Stop): boolean {
  return Atomics.load(stop, 0) !== 0;
}

/** Whoever is told nothing does it alone, and finds out why. */
function orNull<T>(act: () => T): T | null {
  try {
    return act();
  } catch {
    return null;
  }
}

function copy({ from, to, mtimeMs, withMode, most, also }: BulkCopy, stop: Stop): Copied {
  using source = openToReadSync(from);
  const { kind, mode } = source.factsSync();
  if (kind !== "file") throw new Deno.errors.NotSupported(`"${pathToRead(from)}" is not a regular file`);
  using target = Deno.openSync(to, { write: true, createNew: true });
  try {
    const other = also && createHash(also);
    const digest = transfer(source, most, stop, (bytes) => {
      other?.update(bytes);
      writeAll(target, bytes);
    });
    if (withMode) Deno.chmodSync(to, mode & 0o777);
    if (mtimeMs !== null) target.utimeSync(new Date(), new Date(mtimeMs));
    return other ? { ...digest, also: other.digest("hex") } : digest;
  } catch (error) {
    Deno.removeSync(to);
    throw error;
  }
}

function hash(path: string, stop: Stop): Digest {
  const { isFile, size } = Deno.statSync(path);
  if (!isFile || size > buffer.length) throw new Deno.errors.NotSupported(`"${path}" is not a small file`);
  using file = Deno.openSync(path);
  const digest = transfer(file, buffer.length + 1, stop, () => {});
  if (digest.bytes > buffer.length) throw new Deno.errors.NotSupported(`"${path}" is not a small file`);
  return digest;
}

/** Reads it to its end, or so many bytes. */
function transfer(file: Pick<OpenFile, "readSync">, most: number, stop: Stop, use: (bytes: Uint8Array) => void): Digest {
  const sum = createHash("sha256");
  let bytes = 0;
  while (bytes < most) {
    if (isStopped(stop)) throw new Deno.errors.Interrupted("The caller has given up");
    const got = file.readSync(buffer.subarray(0, Math.min(buffer.length, most - bytes)));
    if (got === null) break;
    const piece = buffer.subarray(0, got);
    sum.update(piece);
    use(piece);
    bytes += got;
  }
  return { bytes, sha256: sum.digest("hex") };
}

/** A single write may be partial. */
function writeAll(file: Deno.FsFile, bytes: Uint8Array): void {
  for (let written = 0; written < bytes.length;) written += file.writeSync(bytes.subarray(written));
}

async function flushAndName({ file, name, mode }: BulkName, stop: Stop): Promise<boolean> {
  await flush(file, mode);
  return !isStopped(stop) && link(file, name);
}

/** What cannot be flushed is removed: Linux tells of an error of the disk only once (fsync(2)), and the next flush would succeed. */
function flush(file: string, mode: number | null): Promise<void> {
  if (mode !== null) Deno.chmodSync(file, mode);
  const opened = Deno.openSync(file, { read: true, write: Deno.build.os === "windows" });
  return opened.sync().finally(() => opened.close()).catch((error) => {
    Deno.removeSync(file);
    throw error;
  });
}

/** Never replaces what has the name. */
function link(file: string, name: string): true {
  Deno.linkSync(file, name);
  Deno.removeSync(file);
  return true;
}

serveCalls(calls);
