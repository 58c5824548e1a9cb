/** Range readers for tests of formats: over bytes in memory and over a file, and the real FITS files of this machine. */
import type { Format, RangeReader, Verdict } from "../../src/formats/format.ts";

/** A reader over bytes; gives at most `most` at once, as a slow file system may. */
export function over(bytes: Uint8Array, most = Infinity): RangeReader {
  return (offset, length) => Promise.resolve(bytes.subarray(offset, offset + Math.min(length, most)));
}

/** A reader that counts what it was asked for. */
export function counting(bytes: Uint8Array): { read: RangeReader; count: { calls: number; bytes: number } } {
  const count = { calls: 0, bytes: 0 };
  const read: RangeReader = (offset, length) => {
    const piece = bytes.subarray(offset, offset + length);
    count.calls++;
    count.bytes += piece.length;
    return Promise.resolve(piece);
  };
  return { read, count };
}

/** What a format says of bytes, or of their first `size`. */
export function inspect(format: Format, bytes: Uint8Array, size = bytes.length): Promise<Verdict> {
  return format.inspect(over(bytes.subarray(0, size)), size, new AbortController().signal);
}

/** Runs a Python program on Debian's own Python (the one that has astropy) and gives its standard output. */
export async function python(program: string, ...args: string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command("/usr/bin/python3", {
    args: ["-W", "ignore", "-c", program, ...args],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

/** Joins bytes. */
export function joined(...parts: (Uint8Array | string)[]): Uint8Array<ArrayBuffer> {
  const all = parts.map((part) => typeof part === "string" ? new TextEncoder().encode(part) : part);
  const bytes = new Uint8Array(all.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of all) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** A FITS header of these cards, END and the blanks that fill the block; a card is its text up to 80 characters. */
export function fitsHeader(...cards: string[]): Uint8Array<ArrayBuffer> {
  const text = [...cards, "END"].map((card) => card.padEnd(80)).join("");
  return joined(text.padEnd(Math.ceil(text.length / 2880) * 2880));
}

/** A card with a value in fixed format. */
export function card(keyword: string, value: string | number | bigint | boolean): string {
  const text = typeof value === "string"
    ? `'${value.replaceAll("'", "''").padEnd(8)}'`
    : typeof value === "boolean"
    ? (value ? "T" : "F")
    : String(value);
  return `${keyword.padEnd(8)}= ${typeof value === "string" ? text : text.padStart(20)}`;
}

export async function realFiles(): Promise<string[]> {
  const root = (await python("import astropy, os; print(os.path.dirname(astropy.__file__))")).trim();
  const { stdout } = await new Deno.Command("find", { args: [root, "-name", "*.fits", "-print0"] }).output();
  // Two are kept there for not being FITS (SIMPLE = F), one is text.
  return new TextDecoder().decode(stdout).split("\0").filter((path) => path && !/header_with_time|idcompspec/.test(path)).sort();
}
