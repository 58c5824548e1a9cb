import { assertEquals } from "@std/assert";
import { Outgoing } from "../../../src/methods/sftp/sftp_client.ts";
import { digestOf, noise } from "../../conformance/rig.ts";

Deno.test("Outgoing gives what was added, in order, whatever its size, and copies it at once", async () => {
  const outgoing = new Outgoing();
  let all: readonly Uint8Array[] = [];
  let written: readonly Uint8Array[] = [];
  for (const [index, length] of [1, 9, 300_000, 0, 262_144, 5, 700_000].entries()) {
    const bytes = noise(length, index + 1);
    all = [...all, bytes.slice()];
    outgoing.add(bytes);
    bytes.fill(0);
    // What was taken stays as it is until it is given back.
    const taken = index % 2 === 0 ? outgoing.take() : null;
    if (taken === null) continue;
    outgoing.add(Uint8Array.of(7));
    all = [...all, Uint8Array.of(7)];
    written = [...written, taken.slice()];
    outgoing.giveBack(taken);
  }
  for (let next = outgoing.take(); next; next = outgoing.take()) {
    written = [...written, next.slice()];
    outgoing.giveBack(next);
  }
  assertEquals(await digestOf(joined(written)), await digestOf(joined(all)));
  outgoing.add(Uint8Array.of(1));
  outgoing.clear();
  assertEquals(outgoing.take(), null);
});

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  pieces.reduce((at, piece) => (whole.set(piece, at), at + piece.length), 0);
  return whole;
}
