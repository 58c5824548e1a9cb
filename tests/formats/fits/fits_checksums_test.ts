import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import fc from "fast-check";
import { verifyFitsChecksums } from "../../../src/formats/fits/fits_checksums.ts";
import { card, fitsHeader, joined, over } from "../../support/readers.ts";

const verify = (file: Uint8Array, most?: number) =>
  verifyFitsChecksums(over(file, most), file.length, new AbortController().signal);
const image = (bytes: number, ...cards: string[]) =>
  fitsHeader(card("SIMPLE", true), card("BITPIX", 8), card("NAXIS", 1), card("NAXIS1", bytes), ...cards);

Deno.test("verifyFitsChecksums() passes what has no sums, unchecked", async () => {
  assertEquals(await verify(joined(image(4), new Uint8Array(2880))), { ok: true, checked: 0 });
  assertEquals(await verify(joined("no FITS")), { ok: true, checked: 0 });
  assertEquals(await verify(joined(image(4, card("DATASUM", "unknown"), card("CHECKSUM", "")), new Uint8Array(2880))), {
    ok: true,
    checked: 0,
  });
});

Deno.test("verifyFitsChecksums() adds in ones' complement, the carry at the low end", async () => {
  // 0xFFFFFFFF + 0x00000002 = 0x1_00000001 → 0x00000002
  const data = new Uint8Array(2880);
  data.set([0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2]);
  assertEquals(await verify(joined(image(8, card("DATASUM", "2")), data)), { ok: true, checked: 1 });
  assertEquals(await verify(joined(image(8, card("DATASUM", 2)), data)), { ok: true, checked: 1 });
  const wrong = await verify(joined(image(8, card("DATASUM", "3")), data));
  assertMatch(wrong.ok ? "" : wrong.reason, /^the primary HDU is damaged or edited: its DATASUM does not match its data$/);
});

Deno.test("verifyFitsChecksums() takes both zeros for the same", async () => {
  for (const sum of ["0", "4294967295"]) {
    assertEquals(await verify(joined(image(8, card("DATASUM", sum)), new Uint8Array(2880))), { ok: true, checked: 1 });
    assertEquals(await verify(joined(image(8, card("DATASUM", sum)), new Uint8Array(8).fill(255), new Uint8Array(2872))), {
      ok: true,
      checked: 1,
    });
  }
});

Deno.test("verifyFitsChecksums() sums left-out padding as what it stands for", async () => {
  const table = fitsHeader(
    ...[
      card("XTENSION", "TABLE"),
      card("BITPIX", 8),
      card("NAXIS", 2),
      card("NAXIS1", 6),
      card("NAXIS2", 1),
      card("PCOUNT", 0),
      card("GCOUNT", 1),
    ],
    card("DATASUM", sumOf(joined("abcdef".padEnd(2880)))),
  );
  const file = joined(image(0), table, "abcdef");
  assertEquals(await verify(file), { ok: true, checked: 1 });
  assertEquals(await verify(joined(file, " ".repeat(2874))), { ok: true, checked: 1 });
  assertEquals(await verify(joined(image(3, card("DATASUM", sumOf(new Uint8Array([1, 2, 3, 0])))), new Uint8Array([1, 2, 3]))), {
    ok: true,
    checked: 1,
  });
});

Deno.test("verifyFitsChecksums() agrees with a plain sum over random data of any length", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 9000 }), fc.integer({ min: 1, max: 5000 }), async (data, most) => {
      const padding = new Uint8Array((2880 - data.length % 2880) % 2880);
      assertEquals(await verify(joined(image(data.length, card("DATASUM", sumOf(joined(data, padding)))), data, padding), most), {
        ok: true,
        checked: 1,
      });
    }),
    { numRuns: 50 },
  );
});

Deno.test("verifyFitsChecksums() calls a file that ends early wrong", async () => {
  const data = new Uint8Array(3_000_000).fill(9);
  const file = joined(image(data.length, card("DATASUM", sumOf(data))), data);
  assertEquals(await verify(file), { ok: true, checked: 1 });
  assertEquals((await verify(file.subarray(0, 2_000_000))).ok, false);
});

Deno.test("verifyFitsChecksums() stops when it is told to", async () => {
  const file = joined(image(8, card("DATASUM", "0")), new Uint8Array(2880));
  await assertRejects(
    () => verifyFitsChecksums(over(file), file.length, AbortSignal.abort(new Error("stopped"))),
    Error,
    "stopped",
  );
});

/** The sum as appendix J.1 words it, in BigInt. */
function sumOf(bytes: Uint8Array): string {
  let sum = 0n;
  for (let at = 0; at < bytes.length; at += 4) {
    for (let byte = 0; byte < 4; byte++) sum += BigInt(bytes[at + byte] ?? 0) << BigInt(8 * (3 - byte));
  }
  while (sum > 0xFFFF_FFFFn) sum = (sum & 0xFFFF_FFFFn) + (sum >> 32n);
  return String(sum);
}
