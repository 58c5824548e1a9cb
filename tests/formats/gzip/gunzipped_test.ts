import { assert, assertEquals, assertRejects } from "@std/assert";
import { gzipSync } from "node:zlib";
import { gunzipped } from "../../../src/formats/gzip/gzip.ts";
import { fitsPreview } from "../../../src/formats/preview/preview.ts";
import { fitsFile } from "../../support/fits_maker.ts";
import { counting, joined, over } from "../../support/readers.ts";

Deno.test("fitsPreview() shows gzipped files as the plain ones, also with several members and in small pieces", async () => {
  const plain = noisyFile(3_000_000);
  const [head, tail] = [plain.slice(0, 1_000_001), plain.slice(1_000_001)];
  const zipped = joined(gzipSync(head), gzipSync(tail));
  const preview = await fitsPreview(over(plain), plain.length, 100);
  assert(preview);
  assertEquals(await fitsPreview(over(zipped), zipped.length, 100), preview);
  assertEquals(await fitsPreview(over(zipped, 1000), zipped.length, 100), preview);
});

Deno.test("fitsPreview() of a gzipped file that is cut off or damaged is an error, of another file nothing", async () => {
  const zipped = gzipSync(noisyFile(3_000_000));
  const damaged = zipped.slice();
  damaged.fill(0xff, zipped.length / 2, zipped.length / 2 + 100);
  const half = zipped.slice(0, zipped.length / 2);
  await assertRejects(() => fitsPreview(over(half), half.length, 100), Error, "unexpected end of file");
  await assertRejects(() => fitsPreview(over(damaged), damaged.length, 100), Error);
  const text = gzipSync("no FITS file");
  assertEquals(await fitsPreview(over(text), text.length, 100), null);
});

Deno.test("gunzipped() reads forth and a little back in one go, far back by beginning anew, and nothing behind the end", async () => {
  const plain = noisyFile(5_000_000);
  const zipped = gzipSync(plain);
  const { read, count } = counting(zipped);
  using inside = gunzipped(read, zipped.length);
  const looks = [[0, 100], [4_000_000, 70_000], [3_500_000, 10]] as const;
  for (const [at, length] of looks) assertEquals(await inside.read(at, length), plain.slice(at, at + length));
  assert(count.bytes < zipped.length, String(count.bytes));
  assertEquals(await inside.read(0, 10), plain.slice(0, 10));
  assertEquals(await inside.read(plain.length - 5, 10), plain.slice(-5));
  assertEquals((await inside.read(plain.length, 10)).length, 0);
  assert(inside.mostBytes > plain.length);
});

/** A FITS file that gzip makes not much smaller. */
function noisyFile(dataBytes: number): Uint8Array<ArrayBuffer> {
  const bytes = fitsFile(dataBytes);
  for (let at = 2880; at < bytes.length; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}
