/** Expectations that several checks share. */
import { assert, fail } from "@std/assert";
import { Failure, type FailureCode } from "../../src/domain/failure.ts";
import { printable } from "../../src/domain/names/printable.ts";
import type { PublishOutcome, PutOutcome } from "../../src/methods/method.ts";

/** Names that a file may have and that tools trip over. */
export const HOSTILE_NAMES: readonly string[] = [
  "-rf",
  "--help",
  "$(touch x)",
  "`touch x`",
  "a b.fits",
  " leading",
  "trailing ",
  "two  spaces",
  "it's",
  'say "so"',
  "back\\slash",
  "ends\\",
  "\\$HOME",
  "*",
  "[a-z]?",
  "{a,b}",
  "~",
  "~root",
  "#comment",
  "!bang",
  "%s%n",
  "a;b&c|d>e<f",
  "a:b",
  ".hidden",
  "...",
  "@",
  "=",
  "(1)",
  "ünïcödé.fits".normalize("NFC"),
  "ünïcödé.fits".normalize("NFD"),
  "星雲.fits",
  "🔭.fits",
  "\u202egnp.fits",
  "line\u2028separator.fits",
  "x".repeat(250) + ".fits",
  "é".repeat(125) + ".fits",
  "new\nline",
  "\n",
  "ends\n",
  "a\tb",
  "return\r",
  "\x1b[31mred",
  "bell\x07",
  "\nbegins.fits",
  "\rbegins.fits",
  "\tbegins.fits",
  "\u2028begins.fits",
  "\u2029begins.fits",
  "~/a.fits".replace("/", "\u2044"),
  "100%.fits",
  "%41%2F.fits",
  "^&.fits",
  "a\u00a0b.fits",
  "\ufeffbom.fits",
  "\u200bzero.fits",
  "\u201bquote.fits",
  "\uff0fwide.fits",
  "e\u0301\u0323.fits",
  "CON",
  "nul.fits",
  "dot.",
  "x.v1.fits",
  ".image-transfer.fits",
  "..fits",
  "x.part",
];

/** The work fails as a Failure with one of these codes; gives it. */
export async function rejectsWith(work: () => Promise<unknown>, codes: readonly FailureCode[]): Promise<Failure> {
  try {
    await work();
  } catch (error) {
    assert(error instanceof Failure, `not a Failure: ${error instanceof Error ? error.stack : error}`);
    assert(codes.includes(error.code), `${error.code}, not ${codes}: ${error.message}`);
    return error;
  }
  return fail(`Nothing failed; expected ${codes}`);
}

/** All were put; else says which were not, and why. */
export function assertAllPut(outcomes: readonly PutOutcome[]): void {
  assert(outcomes.every((each) => each.put), outcomes.map((each) => each.put ? "put" : describe(each)).join("\n"));
}

export function assertAllPublished(outcomes: readonly PublishOutcome[]): void {
  assert(outcomes.every((each) => each.published), outcomes.map((each) => each.published ? "ok" : describe(each)).join("\n"));
}

function describe({ failure }: { failure: { code: string; message: string } }): string {
  return `${failure.code}: ${printable(failure.message)}`;
}

/** The code of an outcome that is a failure; null for success. */
export function codeOf(outcome: PutOutcome | PublishOutcome | undefined): FailureCode | null {
  return outcome && "failure" in outcome ? outcome.failure.code : null;
}
