import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import fc from "fast-check";
import { crc32, deflateRawSync, gzipSync } from "node:zlib";
import { gzip } from "../../../src/formats/gzip/gzip.ts";
import { counting, inspect, joined, over } from "../../support/readers.ts";

const bytes = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 2654435761 >>> 13) & 255);
const zipped = (length: number, level = 6) => new Uint8Array(gzipSync(bytes(length), { level }));
const reached = (declaredBytes: number) => ({ verdict: "reached" as const, declaredBytes });

for (const [length, level] of [[0, 6], [1, 6], [70_000, 1], [70_000, 0], [1_000_000, 6]] as const) {
  Deno.test(`gzip.inspect() finds the end of ${length} bytes at level ${level}`, async () => {
    const file = zipped(length, level);
    assertEquals(await inspect(gzip, file), reached(file.length));
  });
}

Deno.test("gzip.inspect() finds every truncation", async () => {
  const file = zipped(3000);
  for (let size = 0; size < file.length; size++) assertEquals((await inspect(gzip, file, size)).verdict, "short", String(size));
});

Deno.test("gzip.inspect() follows several members, wherever its looks end", async () => {
  const one = zipped(300_000, 0);
  const file = joined(one, zipped(5), one, zipped(0));
  assertEquals(await inspect(gzip, file), reached(file.length));
  for (const most of [1000, 4096, 65_536, one.length, one.length + 1]) {
    assertEquals(
      await gzip.inspect(over(file, most), file.length, new AbortController().signal),
      reached(file.length),
      String(most),
    );
  }
  for (const size of [one.length + 1, one.length + 2, one.length + 9, one.length + 20, file.length - 1]) {
    assertEquals((await inspect(gzip, file, size)).verdict, "short", String(size));
  }
});

Deno.test("gzip.inspect() finds the end of a member at every place of its window", async () => {
  // Stored blocks have no slack: the member ends exactly at, before and after the borders of 64 KiB pieces.
  for (let length = 65_536 - 45; length <= 65_536 + 5; length++) {
    const one = zipped(length, 0);
    const file = joined(one, one, new Uint8Array(700));
    assertEquals(await inspect(gzip, file), reached(2 * one.length), String(length));
  }
});

Deno.test("gzip.inspect() reads every kind of header", async () => {
  const data = bytes(500);
  const deflated = new Uint8Array(deflateRawSync(data));
  const trailer = new Uint8Array(8);
  new DataView(trailer.buffer).setUint32(0, crc32(data), true);
  new DataView(trailer.buffer).setUint32(4, data.length, true);
  const header = (flags: number) => new Uint8Array([0x1f, 0x8b, 8, flags, 0, 0, 0, 0, 0, 3]);
  const extra = joined(new Uint8Array([0x88, 0x13]), bytes(5000));
  for (
    const [flags, ...fields] of [[0], [1], [2, "xx"], [4, extra], [8, "a.fits\0"], [16, "comment\0"], [
      30,
      extra,
      "n\0",
      "c\0",
      "xx",
    ]] as [number, ...(string | Uint8Array)[]][]
  ) {
    const file = joined(header(flags), ...fields, deflated, trailer);
    assertEquals(await inspect(gzip, file), reached(file.length), String(flags));
    for (let size = 0; size < file.length; size += 61) {
      assertEquals((await inspect(gzip, file, size)).verdict, "short", `${flags} ${size}`);
    }
  }
  const endless = await inspect(gzip, joined(header(8), new Uint8Array(1_200_000).fill(65)));
  assertMatch(endless.verdict === "corrupt" ? endless.reason : "", /does not end/);
  assertEquals((await inspect(gzip, joined(header(0xe0), deflated, trailer))).verdict, "corrupt");
});

Deno.test("gzip.inspect() allows zeros behind the end, and warns of anything else", async () => {
  const one = zipped(1000);
  assertEquals(await inspect(gzip, joined(one, new Uint8Array(600_000))), reached(one.length));
  const junk = await inspect(gzip, joined(one, new Uint8Array(600_000), "x"));
  assertEquals(junk, { ...reached(one.length), warning: "600001 bytes follow the compressed data" });
});

Deno.test("gzip.inspect() calls damage damage", async () => {
  const file = zipped(200_000);
  for (let at = 20; at < file.length; at += 9973) {
    const harmed = file.slice();
    harmed[at]! ^= 1;
    const { verdict } = await inspect(gzip, harmed);
    // A flipped bit can also make the stream seem to go on.
    assert(verdict === "corrupt" || verdict === "short", `${at}: ${verdict}`);
  }
  for (const [back, reason] of [[8, /CRC/], [4, /length/]] as const) {
    const harmed = file.slice();
    harmed[file.length - back]! ^= 1;
    const verdict = await inspect(gzip, harmed);
    assertMatch(verdict.verdict === "corrupt" ? verdict.reason : "", reason);
  }
});

Deno.test("gzip.inspect() takes reserved space for unfinished, not for damage", async () => {
  const file = zipped(200_000);
  assertEquals((await inspect(gzip, new Uint8Array(5000))).verdict, "short");
  for (const written of [2, 5, 15, 1000, file.length - 9]) {
    const reserved = new Uint8Array(file.length + 100);
    reserved.set(file.subarray(0, written));
    assertEquals((await inspect(gzip, reserved)).verdict, "short", String(written));
  }
});

Deno.test("gzip.inspect() says nothing of what is no gzip", async () => {
  assertEquals((await inspect(gzip, joined("SIMPLE  ="))).verdict, "undeclared");
});

Deno.test("gzip.inspect() reads the file once", async () => {
  const file = joined(zipped(900_000, 1), ...Array.from({ length: 50 }, () => zipped(3000)));
  const { read, count } = counting(file);
  assertEquals(await gzip.inspect(read, file.length, new AbortController().signal), reached(file.length));
  assert(count.bytes < 1.2 * file.length + 300_000, `${count.bytes} of ${file.length}`);
});

Deno.test("gzip.inspect() stops in the middle when it is told to", async () => {
  const file = zipped(3_000_000, 0);
  const stop = new AbortController();
  const read = (offset: number, length: number) => {
    if (offset > 1_000_000) stop.abort(new Error("stopped"));
    return Promise.resolve(file.subarray(offset, offset + length));
  };
  await assertRejects(() => gzip.inspect(read, file.length, stop.signal), Error, "stopped");
});

Deno.test("gzip.inspect() never throws or hangs, whatever the bytes", async () => {
  const flipped = fc.tuple(fc.nat(2000), fc.nat(255), fc.nat(300)).map(([at, value, cut]) => {
    const file = zipped(1500);
    file[at % file.length] = value;
    return file.subarray(0, file.length - cut % file.length);
  });
  const begun = fc.uint8Array({ maxLength: 200 }).map((rest) => joined(new Uint8Array([0x1f, 0x8b, 8]), rest));
  await fc.assert(fc.asyncProperty(fc.oneof(flipped, begun, fc.uint8Array()), async (content) => {
    const verdict = await inspect(gzip, content);
    if (verdict.verdict === "reached") assert(verdict.declaredBytes <= content.length);
  }));
});
