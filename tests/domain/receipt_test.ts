import { assertEquals, assertThrows } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { type ProofLevel, type Receipt, verify } from "../../src/domain/receipt.ts";

const A = "a".repeat(64);
const B = "b".repeat(64);
const AT = 1_700_000_000_000;

const PROOFS: readonly [ProofLevel, string | null, Pick<Receipt, "sha256" | "algorithm">][] = [
  ["checksum", A, { sha256: A, algorithm: "sha256" }],
  ["read_back", A, { sha256: A, algorithm: "sha256" }],
  ["size", A, { sha256: null, algorithm: null }],
  ["size", null, { sha256: null, algorithm: null }],
  ["none", A, { sha256: A, algorithm: "sha256" }],
  ["none", null, { sha256: null, algorithm: null }],
];

for (const [level, sha256, expected] of PROOFS) {
  Deno.test(`verify() at the level ${level} ${sha256 === null ? "without" : "with"} a hash says no more than was compared`, () => {
    const { bytes, at, level: reached, ...proof } = verify({ bytes: 7, sha256 }, { bytes: 7, sha256 }, level, AT);
    assertEquals([bytes, at, reached, proof], [7, AT, level, expected]);
  });
}

for (
  const [shownBy, expected] of [
    ["md5", { level: "checksum", algorithm: "md5" }],
    ["sha1", { level: "checksum", algorithm: "sha1" }],
    ["read_back", { level: "read_back", algorithm: "sha256" }],
  ] as const
) {
  Deno.test(`verify() records what was shown by ${shownBy} as that, and no more`, () => {
    const { level, algorithm, sha256 } = verify({ bytes: 7, sha256: A }, { bytes: 7, sha256: A, shownBy }, "checksum", AT);
    assertEquals([{ level, algorithm }, sha256], [expected, A]);
    const other = { bytes: 7, sha256: B, shownBy };
    assertEquals(assertThrows(() => verify({ bytes: 7, sha256: A }, other, "checksum", AT), Failure).code, "mismatch");
  });
}

const MISMATCHES: readonly [string, ProofLevel, string | null, { bytes: number; sha256: string | null } | null][] = [
  ["nothing is there", "checksum", A, null],
  ["nothing is there, by size", "size", null, null],
  ["the length differs", "size", null, { bytes: 6, sha256: null }],
  ["the length differs and the hash agrees", "checksum", A, { bytes: 6, sha256: A }],
  ["the hash differs", "checksum", A, { bytes: 7, sha256: B }],
  ["the hash there is not known", "checksum", A, { bytes: 7, sha256: null }],
  ["neither hash is known", "read_back", null, { bytes: 7, sha256: null }],
];

for (const [what, level, sha256, found] of MISMATCHES) {
  Deno.test(`verify() gives no receipt where ${what}`, () => {
    assertEquals(assertThrows(() => verify({ bytes: 7, sha256 }, found, level, AT), Failure).code, "mismatch");
  });
}

Deno.test("Receipt cannot be written by hand: to the compiler a literal with the same fields is none", () => {
  const literal = { bytes: 7, sha256: A, algorithm: "sha256", level: "checksum", at: AT } as const;
  // @ts-expect-error -- should this compile one day, deliver() takes what nobody proved, and this test fails
  const byHand: Receipt = literal;
  assertEquals(byHand, verify({ bytes: 7, sha256: A }, { bytes: 7, sha256: A }, "checksum", AT));
});
