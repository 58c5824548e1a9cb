import { assertEquals } from "@std/assert";
import { ser } from "../../src/formats/ser.ts";
import { formatOf } from "../../src/formats/formats.ts";
import { inspect, joined } from "../support/readers.ts";

/** A video as FireCapture writes it: header, frames, and times behind them. */
function video(
  frames: number,
  { color = 0, width = 20, height = 10, depth = 16, declared = frames, bytes = 0 } = {},
): Uint8Array {
  const header = new Uint8Array(178);
  header.set(new TextEncoder().encode("LUCAM-RECORDER"));
  const view = new DataView(header.buffer);
  [0, color, 0, width, height, depth, declared].forEach((value, index) => view.setInt32(14 + 4 * index, value, true));
  return joined(header, new Uint8Array(bytes));
}

Deno.test("ser.inspect() knows the length by size, depth, planes and number of frames", async () => {
  const of = async (options: Parameters<typeof video>[1], bytes: number) => await inspect(ser, video(5, { ...options, bytes }));
  assertEquals(await of({}, 5 * 400), { verdict: "reached", declaredBytes: 178 + 2000 });
  assertEquals(await of({ depth: 8 }, 5 * 200), { verdict: "reached", declaredBytes: 178 + 1000 });
  assertEquals(await of({ color: 100 }, 5 * 1200), { verdict: "reached", declaredBytes: 178 + 6000 });
  // With the times of the frames behind them.
  assertEquals(await of({ depth: 12 }, 5 * 400 + 5 * 8), { verdict: "reached", declaredBytes: 178 + 2000 });
});

Deno.test("ser.inspect() leaves it to the quiet time where frames are missing, or are not counted yet", async () => {
  assertEquals(await inspect(ser, video(5, { bytes: 1999 })), {
    verdict: "undeclared",
    warning: "it has fewer frames than its header declares: 2177 of 2178 bytes written",
  });
  for (const strange of [{ declared: 0 }, { declared: -1 }, { width: 0 }, { depth: 99 }]) {
    assertEquals(await inspect(ser, video(5, { ...strange, bytes: 5000 })), { verdict: "undeclared" });
  }
  for (
    const content of [new Uint8Array(0), new Uint8Array(500), video(5).subarray(0, 100), joined("LUCAM", new Uint8Array(500))]
  ) {
    assertEquals(await inspect(ser, content), { verdict: "undeclared" });
  }
});

Deno.test("formatOf() knows .ser in any case", () => {
  assertEquals([formatOf("Jupiter.SER"), formatOf("a.series")], [ser, undefined]);
});
