/**
 * Takes the contents of several files apart, which curl prints one after the other with a marked line behind each.
 *
 * @module
 */
import { Buffer } from "node:buffer";

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
  const pattern = `\n${mark} `;
  let held: Uint8Array = new Uint8Array();

  return {
    read(piece) {
      const data = joined(held, piece);
      // One character for each byte: a text is searched many times faster than bytes are.
      const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString("latin1");
      let begin = 0;
      for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, begin)) {
        if (at > begin) onPiece(data.subarray(begin, at));
        const end = text.indexOf("\n", at + pattern.length);
        if (end < 0) {
          if (data.length - at > MOST_LINE_BYTES) throw new TypeError("curl's line about a file does not end");
          held = data.slice(at);
          return;
        }
        const [, exit, error = ""] = /^(\d+) ?(.*)$/.exec(new TextDecoder().decode(data.subarray(at + pattern.length, end))) ??
          [];
        onEnd(Number(exit), error);
        begin = end + 1;
      }
      // The mark may be cut in two.
      const tail = Math.max(begin, text.lastIndexOf("\n"));
      const sure = pattern.startsWith(text.slice(tail)) ? tail : data.length;
      if (sure > begin) onPiece(data.subarray(begin, sure));
      held = data.slice(sure);
    },
  };
}

function joined(held: Uint8Array, piece: Uint8Array): Uint8Array {
  if (held.length === 0) return piece;
  const both = new Uint8Array(held.length + piece.length);
  both.set(held);
  both.set(piece, held.length);
  return both;
}
