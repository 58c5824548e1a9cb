/**
 * Takes the contents of several files apart, which curl prints one after the other with a marked line behind each.
 *
 * @module
 */

/** Reads the output of one run. */
export interface ContentReader {
  /** The next bytes of it. */
  read(piece: Uint8Array): void;
}

/** Longer than any message of curl. */
const MOST_LINE_BYTES = 4096;

/** `onPiece` is given the content of the present file, `onEnd` the exit code that ends it. */
export function contentReader(
  mark: string,
  onPiece: (piece: Uint8Array) => void,
  onEnd: (exit: number, error: string) => void,
): ContentReader {
  const pattern = new TextEncoder().encode(`\n${mark} `);
  let held: Uint8Array = new Uint8Array();

  return {
    read(piece) {
      let data = joined(held, piece);
      for (let at = indexOf(data, pattern); at >= 0; at = indexOf(data, pattern)) {
        const end = data.indexOf(LINE_FEED, at + pattern.length);
        if (end < 0) {
          if (data.length - at > MOST_LINE_BYTES) throw new TypeError("curl's line about a file does not end");
          if (at > 0) onPiece(data.subarray(0, at));
          held = data.slice(at);
          return;
        }
        if (at > 0) onPiece(data.subarray(0, at));
        const [, exit, error = ""] = /^(\d+) ?(.*)$/.exec(new TextDecoder().decode(data.subarray(at + pattern.length, end))) ??
          [];
        onEnd(Number(exit), error);
        data = data.subarray(end + 1);
      }
      // The mark may be cut in two.
      const sure = Math.max(0, data.length - pattern.length);
      if (sure > 0) onPiece(data.subarray(0, sure));
      held = data.slice(sure);
    },
  };
}

const LINE_FEED = 10;

function joined(held: Uint8Array, piece: Uint8Array): Uint8Array {
  if (held.length === 0) return piece;
  const both = new Uint8Array(held.length + piece.length);
  both.set(held);
  both.set(piece, held.length);
  return both;
}

/** Where the pattern begins; -1 where it is not. */
function indexOf(data: Uint8Array, pattern: Uint8Array): number {
  const first = pattern[0]!;
  const second = pattern[1]!;
  for (let at = data.indexOf(first); at >= 0; at = data.indexOf(first, at + 1)) {
    if (data[at + 1] === second && pattern.every((byte, index) => data[at + index] === byte)) return at;
    if (at + pattern.length > data.length) return -1;
  }
  return -1;
}
