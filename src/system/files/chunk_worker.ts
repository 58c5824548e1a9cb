/**
 * The Worker of `hash_chunks.ts`. It is bundled and embedded separately: import nothing heavy here.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { serveCalls } from "../workers/serve_calls.ts";

const buffer = new Uint8Array(1024 * 1024);

const calls = {
  /** SHA-256 of each of these chunks; of what there is of one at the end. */
  hash(path: string, chunkBytes: number, chunks: readonly number[]): string[] {
    using file = Deno.openSync(path);
    return chunks.map((chunk) => {
      file.seekSync(chunk * chunkBytes, Deno.SeekMode.Start);
      const sum = createHash("sha256");
      for (let left = chunkBytes; left > 0;) {
        const got = file.readSync(buffer.subarray(0, Math.min(left, buffer.length)));
        if (got === null) break;
        sum.update(buffer.subarray(0, got));
        left -= got;
      }
      return sum.digest("hex");
    });
  },
};

/** What this Worker can be asked. */
export type ChunkCalls = typeof calls;

serveCalls(calls);
