import { assert, assertEquals, assertMatch } from "@std/assert";
import fc from "fast-check";
import { xisf } from "../../src/formats/xisf.ts";
import { written } from "../../src/formats/format.ts";
import { inspect, joined } from "../support/readers.ts";

/** A monolithic file: signature, header length, reserved, XML, then whatever. */
function file(xml: string, ...rest: Uint8Array[]): Uint8Array {
  const header = new TextEncoder().encode(xml);
  const lengths = new Uint8Array(8);
  new DataView(lengths.buffer).setUint32(0, header.length, true);
  return joined("XISF0100", lengths, header, ...rest);
}

const unit = (inside: string) =>
  `<?xml version="1.0" encoding="UTF-8"?><xisf version="1.0" xmlns="http://www.pixinsight.com/xisf">${inside}</xisf>`;
const image = (position: number, bytes: number) =>
  `<Image geometry="10:10:1" sampleFormat="UInt16" location="attachment:${position}:${bytes}"><Property id="x" type="String" location="inline:base64">YQ==</Property></Image>`;

Deno.test("xisf.inspect() knows the length by the last attachment", async () => {
  const whole = file(unit(image(4096, 200) + image(8192, 1000) + image(5000, 30)), new Uint8Array(9000));
  const exact = whole.subarray(0, 9192);
  assertEquals(await inspect(xisf, exact), { verdict: "reached", declaredBytes: 9192 });
  assertEquals(await inspect(xisf, whole), { verdict: "reached", declaredBytes: 9192 });
  for (let size = 0; size < 9192; size += 13) {
    const verdict = await inspect(xisf, exact, size);
    assertEquals(verdict.verdict, "short", String(size));
    if (size > 1500) {
      assertEquals(verdict, { verdict: "short", declaredBytes: 9192, reason: written(size, 9192) });
    }
  }
});

Deno.test("xisf.inspect() takes single quotes, and no comments", async () => {
  const small = file(unit(`<!-- ${image(9000, 9000)} --><Image location = 'attachment:1000:24'/>`), new Uint8Array(2000))
    .subarray(0, 1024);
  assertEquals(await inspect(xisf, small), { verdict: "reached", declaredBytes: 1024 });
});

Deno.test("xisf.inspect() of a header without attachments is the header", async () => {
  const small = file(unit("<Metadata/>"));
  assertEquals(await inspect(xisf, small), { verdict: "reached", declaredBytes: small.length });
});

Deno.test("xisf.inspect() waits for a header that is not written yet", async () => {
  assertEquals((await inspect(xisf, new Uint8Array(4096))).verdict, "short");
  assertEquals((await inspect(xisf, joined("XISF0100", new Uint8Array(4096)))).verdict, "short");
  assertEquals((await inspect(xisf, file(`${unit("").slice(0, 60)}${"\0".repeat(500)}`))).verdict, "short");
});

Deno.test("xisf.inspect() says nothing of what is no XISF file, and why", async () => {
  for (
    const [content, warning] of [
      [joined("SIMPLE  = T"), /XISF0100/],
      [joined("XISF0200        "), /XISF0100/],
      [joined("XISF0100", new Uint8Array(8).fill(255)), /4294967295/],
      [file("<xisf>"), /<\/xisf>/],
      [file(unit(image(1e15, 9e18).replace("9000000000000000000", "99999999999999999999"))), /declares a block/],
    ] as const
  ) {
    const verdict = await inspect(xisf, content);
    assertEquals(verdict.verdict, "undeclared");
    assertMatch((verdict.verdict === "undeclared" && verdict.warning) || "", warning);
  }
});

Deno.test("xisf.inspect() never throws or hangs, whatever the bytes", async () => {
  const xml = fc.array(
    fc.oneof(fc.string(), fc.constantFrom("<!--", "-->", "<xisf", "</xisf>", ' location="attachment:', "1:2", '"', "'")),
  ).map((parts) => file(parts.join("")));
  await fc.assert(fc.asyncProperty(fc.oneof(fc.uint8Array(), xml), async (content) => {
    const verdict = await inspect(xisf, content);
    if (verdict.verdict === "reached") assert(verdict.declaredBytes <= content.length);
  }));
});

Deno.test("xisf.inspect() reads megabytes of hostile XML in one go", async () => {
  for (const piece of ["<!--", ' location="attachment:1:', " location=", "location = ' attachment:1:1 "]) {
    const verdict = await inspect(xisf, file(piece.repeat(200_000) + "</xisf>"));
    assert(["reached", "short", "undeclared"].includes(verdict.verdict));
  }
});
