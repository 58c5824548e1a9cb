/** Parts of files that are still being written, at the destination in memory. */
import { createHash } from "node:crypto";
import { CHUNK_BYTES, type MethodContext, type PartFiles } from "../../src/methods/method.ts";
import { aFailure, type FakeDestination } from "./fake_method.ts";

/** With the switch `before` as the step `parts`; `garbleChunk` turns what is written into what is there. */
export function fakeParts(fake: FakeDestination, { system }: Pick<MethodContext, "system">, preserveTimes: boolean): PartFiles {
  const bytesOf = (staged: string): Uint8Array => {
    const file = fake.files.get(staged);
    if (file === undefined) throw aFailure("interrupted", `"${staged}" is not there`);
    return file.bytes;
  };
  const set = (staged: string, bytes: Uint8Array) => void fake.files.set(staged, { bytes, mtimeMs: 0, mode: 0o644 });
  const write = (staged: string, at: number, content: Uint8Array) => {
    const old = bytesOf(staged);
    const bytes = new Uint8Array(Math.max(old.length, at + content.length));
    bytes.set(old);
    bytes.set(fake.garbleChunk(at / CHUNK_BYTES, content), at);
    set(staged, bytes);
  };
  const step = async (signal: AbortSignal) => {
    fake.calls.parts += 1;
    signal.throwIfAborted();
    await fake.before("parts", signal);
  };
  return {
    async begin(staged, from, signal) {
      await step(signal);
      const left = from === null ? undefined : fake.files.get(from)?.bytes;
      const count = Math.floor((left?.length ?? 0) / CHUNK_BYTES);
      set(staged, left?.slice(0, count * CHUNK_BYTES) ?? new Uint8Array(0));
      return count;
    },
    async append(staged, count, content, signal) {
      await step(signal);
      write(staged, count * CHUNK_BYTES, await joined(content));
    },
    async replace(staged, chunk, content, signal) {
      await step(signal);
      write(staged, chunk * CHUNK_BYTES, await joined(content));
    },
    async digests(staged, chunks, signal) {
      await step(signal);
      const bytes = bytesOf(staged);
      return chunks.map((chunk) => {
        const part = bytes.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
        return part.length === 0 ? null : createHash("sha256").update(part).digest("hex");
      });
    },
    async flush(_staged, signal) {
      await step(signal);
      if (fake.failFlushes-- > 0) throw aFailure("interrupted", "the disk reports an error");
    },
    async finish(staged, to, { absolutePath, mtimeMs }, signal) {
      await step(signal);
      const mode = (await system.facts(absolutePath))?.mode ?? 0o644;
      fake.files.set(to, { bytes: bytesOf(staged), mtimeMs: preserveTimes ? mtimeMs : 0, mode: mode & 0o777 });
      fake.files.delete(staged);
    },
  };
}

async function joined(content: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of content) pieces.push(piece.slice());
  return new Uint8Array(await new Blob(pieces as BlobPart[]).arrayBuffer());
}
