/** Small valid FITS files for tests: one primary image of 16-bit integers whose pixels follow from a seed. */

const BLOCK = 2880;

/** A FITS file whose data part is about `bytes` long; different seeds give different pixels. */
export function fitsFile(bytes: number, seed = 1, cards: readonly string[] = []): Uint8Array<ArrayBuffer> {
  const width = 1440;
  const rows = Math.max(1, Math.round(bytes / (2 * width)));
  const header = [
    "SIMPLE  =                    T",
    "BITPIX  =                   16",
    "NAXIS   =                    2",
    `NAXIS1  = ${String(width).padStart(20)}`,
    `NAXIS2  = ${String(rows).padStart(20)}`,
    ...cards,
    `SEED    = ${String(seed).padStart(20)}`,
    "END",
  ].map((card) => card.padEnd(80)).join("");
  const headerBytes = Math.ceil(header.length / BLOCK) * BLOCK;
  const dataBytes = width * rows * 2;
  const file = new Uint8Array(headerBytes + Math.ceil(dataBytes / BLOCK) * BLOCK);
  file.fill(0x20, 0, headerBytes);
  file.set(new TextEncoder().encode(header));
  const pixels = new Uint32Array(dataBytes / 4);
  let state = seed * 2654435761 >>> 0 || 1;
  for (let i = 0; i < pixels.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    pixels[i] = state >>> 0;
  }
  file.set(new Uint8Array(pixels.buffer), headerBytes);
  return file;
}

/** SHA-256 of bytes as 64 hex digits. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}
