/**
 * The Worker of `hash_chunks.ts`. It is bundled and embedded separately: import nothing heavy here.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { serveCalls } from "../workers/serve_calls.ts";

const buffer = new Uint8Array(256 * 1024);

/** A file that is hashed as a whole. */
interface Hashing {
  readonly file: Deno.FsFile;
  readonly sum: Hash;
  bytes: number;
}
const hashings = new Map<number, Hashing>();

const calls = {
  /** SHA-256 of each of these chunks; of what there is of one at the end. */
  chunks(path: string, chunkBytes: number, chunks: readonly number[]): string[] {
    using file = Deno.openSync(path);
    return chunks.map((chunk) => {
      file.seekSync(chunk * chunkBytes, Deno.SeekMode.Start);
      const sum = createHash("sha256");
      addTo(sum, file, chunkBytes);
      return sum.digest("hex");
    });
  },
  /** Hashes the next bytes of a file; with the first call, opens it. The hash is told once there is no more. */
  more(id: number, path: string, length: number): { readonly bytes: number; readonly sha256: string | null } {
    const hashing = hashings.get(id) ?? { file: Deno.openSync(path), sum: createHash("sha256"), bytes: 0 };
    hashings.set(id, hashing);
    try {
      const added = addTo(hashing.sum, hashing.file, length);
      hashing.bytes += added;
      if (added === length) return { bytes: hashing.bytes, sha256: null };
    } catch (error) {
      calls.drop(id);
      throw error;
    }
    calls.drop(id);
    return { bytes: hashing.bytes, sha256: hashing.sum.digest("hex") };
  },
  /** Forgets a file that is not to be hashed any further. */
  drop(id: number): void {
    hashings.get(id)?.file.close();
    hashings.delete(id);
  },
};

/** How many bytes there were. */
function addTo(sum: Hash, file: Deno.FsFile, length: number): number {
  let added = 0;
  while (added < length) {
    const got = file.readSync(buffer.subarray(0, Math.min(length - added, buffer.length)));
    if (got === null) break;
    sum.update(buffer.subarray(0, got));
    added += got;
  }
  return added;
}

/** What this Worker can be asked. */
export type ChunkCalls = typeof calls;

serveCalls(calls);
