/**
 * SER, version 3 (planetary video: FireCapture, SharpCap, Genika): a header of 178 bytes, the frames, and perhaps a time for each of them.
 * Declared length = header and frames. Most programs write the number of frames last, and those that die leave it wrong: a video that is
 * shorter than it says is judged by the quiet time, like a file of which nothing is known.
 */
import { fill, type Format, latin1, type RangeReader, undeclared, type Verdict, written } from "./format.ts";

/** `.ser`: reached when all frames are there that the header tells of. */
export const ser: Format = {
  name: "SER",
  claims: (name) => name.endsWith(".ser"),
  inspect: declaredLength,
};

async function declaredLength(read: RangeReader, size: number): Promise<Verdict> {
  const header = await fill(read, 0, Math.min(HEADER_BYTES, size));
  if (header.length < HEADER_BYTES || latin1(header.subarray(0, SIGNATURE.length)) !== SIGNATURE) {
    return { verdict: "undeclared" };
  }
  const view = new DataView(header.buffer, header.byteOffset);
  const number = (at: number) => view.getInt32(at, true);
  const [color, width, height, depth, frames] = [number(18), number(26), number(30), number(34), number(38)];
  if (width <= 0 || height <= 0 || depth <= 0 || depth > 16 || frames <= 0) return { verdict: "undeclared" };
  const planes = color >= FIRST_RGB ? 3 : 1;
  const declaredBytes = HEADER_BYTES + frames * width * height * planes * (depth > 8 ? 2 : 1);
  if (size >= declaredBytes) return { verdict: "reached", declaredBytes };
  return undeclared(`it has fewer frames than its header declares: ${written(size, declaredBytes)}`);
}

const SIGNATURE = "LUCAM-RECORDER";
const HEADER_BYTES = 178;
/** ColorID: 100 is RGB, 101 is BGR; what is less has one plane. */
const FIRST_RGB = 100;
