/**
 * From the bytes of a configuration to its text: UTF-8, or UTF-16 if a byte order mark says so, as Windows PowerShell writes it.
 * Nothing is guessed: a wrong guess would result in a wrong folder name.
 */
import type { Position } from "./source.ts";

/** The text without its byte order mark, or why there is none. */
type Decoded = { readonly text: string } | { readonly fault: Position & { readonly message: string } };

const MARKS = [["utf-16le", 0xff, 0xfe], ["utf-16be", 0xfe, 0xff]] as const;

/** Never throws: what is wrong with the bytes is the fault. */
export function decode(bytes: Uint8Array): Decoded {
  const encoding = MARKS.find(([, first, second]) => bytes[0] === first && bytes[1] === second)?.[0] ?? "utf-8";
  const text = strictly(encoding, bytes);
  if (text === null && encoding === "utf-8") return invalid(bytes);
  if (text === null) return at(1, 1, "the file is damaged: it begins as UTF-16 but is not valid UTF-16");
  if (text.includes("\0")) {
    return at(1, 1, "the file contains zero bytes, as in UTF-16 without a byte order mark; save it as UTF-8");
  }
  return { text };
}

function strictly(encoding: string, bytes: Uint8Array): string | null {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return null;
    throw error;
  }
}

/** The line itself is not quoted: it may hold a secret. */
function invalid(bytes: Uint8Array): Decoded {
  let [line, start, end] = [1, 0, lineEnd(bytes, 0)];
  while (end < bytes.length && strictly("utf-8", bytes.subarray(start, end)) !== null) {
    [line, start, end] = [line + 1, end + 1, lineEnd(bytes, end + 1)];
  }
  // Everything before the first replacement character is valid.
  const column = new TextDecoder().decode(bytes.subarray(start, end)).indexOf("\uFFFD") + 1;
  return at(line, column, "invalid UTF-8; the file may have been saved as Latin-1 or Windows-1252: save it as UTF-8");
}

function lineEnd(bytes: Uint8Array, from: number): number {
  const end = bytes.indexOf(LINE_FEED, from);
  return end < 0 ? bytes.length : end;
}

function at(line: number, column: number, message: string): Decoded {
  return { fault: { line, column, message } };
}

const LINE_FEED = 0x0a;
