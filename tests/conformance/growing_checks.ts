/**
 * What a session promises of parts of files that are still being written: chunks are appended, replaced, hashed as they are there, taken over
 * from another session, and moved; and the file is published like any other.
 */
import { assert, assertEquals } from "@std/assert";
import { CHUNK_BYTES, type PartFiles, type Session } from "../../src/methods/method.ts";
import { assertAllPublished } from "./expectations.ts";
import { type Check, check, digestOf, noise, publication, STAGING } from "./rig.ts";

const PART = `${STAGING}/ahead-1/part`;
const STAGED = `${STAGING}/attempt-1/1`;

export const GROWING: readonly Check[] = [
  check(
    "parts are appended, replaced, hashed chunk by chunk, finished under another name and published whole",
    async ({ attached, signal, source }) => {
      const { it, open } = await attached({ settings: { preserveTimestamps: true, preservePermissions: true } });
      const parts = partsOf(open);
      if (parts === null) return;
      const content = noise(3 * CHUNK_BYTES + 1000, 5);
      const file = await source("cube.fits", content);
      assertEquals(await parts.begin(PART, null, signal), 0);
      assertEquals(await parts.digests(PART, [0], signal), [null]);
      await parts.append(PART, 0, inPieces(chunksOf(content, 0, 2)), signal);
      await parts.replace(PART, 0, inPieces(noise(CHUNK_BYTES, 6)), signal);
      assertEquals(await parts.digests(PART, [0, 1, 2], signal), [
        await sha256Of(noise(CHUNK_BYTES, 6)),
        await sha256Of(chunksOf(content, 1, 2)),
        null,
      ]);
      await parts.flush(PART, signal);
      await parts.replace(PART, 0, inPieces(chunksOf(content, 0, 1)), signal);
      await parts.append(PART, 2, inPieces(chunksOf(content, 2, 4)), signal);
      assertEquals(await parts.digests(PART, [3, 0], signal), [
        await sha256Of(chunksOf(content, 3, 4)),
        await sha256Of(chunksOf(content, 0, 1)),
      ]);
      await parts.finish(PART, STAGED, file, signal);
      assertEquals((await it.view.files())?.filter((path) => !path.startsWith(`${STAGING}/`)), []);
      assertEquals(await open.digest([STAGED], signal), [await digestOf(content)]);
      assertAllPublished(await open.publish([publication(STAGED, "cube.fits")], signal));
      const facts = await it.view.facts("cube.fits");
      assertEquals([Math.floor((facts?.mtimeMs ?? 0) / 1000), (facts?.mode ?? 0) & 0o777], [1_783_281_600, 0o640]);
      await open.sweep(null, signal);
      assertEquals(await it.view.files(), ["cube.fits"]);
    },
  ),
  check(
    "begin() takes over the whole chunks of a part that another session left, or nothing; the former part may go",
    async ({ rig, session, signal }) => {
      const it = await rig();
      const parts = partsOf(await session(it));
      if (parts === null) return;
      const content = noise(2 * CHUNK_BYTES + 5000, 7);
      await parts.begin(PART, null, signal);
      await parts.append(PART, 0, inPieces(content), signal);
      const next = await session(it);
      const mine = `${STAGING}/ahead-2/part`;
      const count = await partsOf(next)!.begin(mine, PART, signal);
      assert(count === 2 || count === 0, `${count} chunks were taken over`);
      await next.sweep(["ahead-1"], signal);
      const whole = count === 0 ? content : chunksOf(content, 2, 3);
      await partsOf(next)!.append(mine, count, inPieces(whole), signal);
      assertEquals(await next.digest([mine], signal), [await digestOf(content)]);
      assertEquals(await partsOf(next)!.begin(`${STAGING}/ahead-3/part`, `${STAGING}/ahead-1/part`, signal), 0);
    },
  ),
];

/** Null for methods that send no file before it is finished. */
function partsOf({ parts, method }: Session): PartFiles | null {
  assertEquals(parts !== undefined, ["local", "rsync", "tar", "sftp"].includes(method), method);
  return parts ?? null;
}

function chunksOf(content: Uint8Array, from: number, to: number): Uint8Array {
  return content.subarray(from * CHUNK_BYTES, to * CHUNK_BYTES);
}

/** One buffer is used again and again, as by whoever reads a file. */
async function* inPieces(content: Uint8Array): AsyncGenerator<Uint8Array> {
  const buffer = new Uint8Array(100_000);
  for (let at = 0; at < content.length; at += buffer.length) {
    const piece = content.subarray(at, at + buffer.length);
    buffer.set(piece);
    yield await Promise.resolve(buffer.subarray(0, piece.length));
    buffer.fill(0);
  }
}

async function sha256Of(content: Uint8Array): Promise<string | null> {
  return (await digestOf(content)).sha256;
}
