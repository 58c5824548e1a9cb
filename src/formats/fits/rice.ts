/** Rice decompression of an image tile (FITS Standard 4.0, §10.4.1), as fpack and cameras' drivers write it. */

/** The size of a stored number decides the widths of the code. */
const WIDTHS: Readonly<Record<number, { readonly splitBits: number; readonly mostSplit: number; readonly bits: number }>> = {
  1: { splitBits: 3, mostSplit: 6, bits: 8 },
  2: { splitBits: 4, mostSplit: 14, bits: 16 },
  4: { splitBits: 5, mostSplit: 25, bits: 32 },
};

/**
 * Fills `into` with the numbers of a tile; bytes are unsigned, wider ones signed.
 *
 * @throws {RangeError} where the stream is cut short or is none.
 */
export function unrice(bytes: Uint8Array, bytesPerPixel: number, blockSize: number, into: Float64Array): void {
  const widths = WIDTHS[bytesPerPixel];
  if (widths === undefined || blockSize < 1) throw new RangeError("unknown kind of Rice compression");
  const { splitBits, mostSplit, bits } = widths;
  let at = 0;
  let held = 0;
  let heldBits = 0;

  /** Up to 25 bits at once. */
  function take(count: number): number {
    while (heldBits < count) {
      if (at >= bytes.length) throw new RangeError("the compressed tile is cut short");
      held = (held << 8 | bytes[at++]!) >>> 0;
      heldBits += 8;
    }
    heldBits -= count;
    const taken = count === 0 ? 0 : (held >>> heldBits) & ((1 << count) - 1);
    held &= (1 << heldBits) - 1;
    return taken;
  }
  const takeWhole = () => bits === 32 ? (take(16) << 16 | take(16)) >>> 0 : take(bits);

  /** Zeros before the next one. */
  function zeros(): number {
    let count = 0;
    while (held === 0) {
      count += heldBits;
      if (at >= bytes.length) throw new RangeError("the compressed tile is cut short");
      held = bytes[at++]!;
      heldBits = 8;
    }
    const run = Math.clz32(held) - (32 - heldBits);
    heldBits -= run + 1;
    held &= (1 << heldBits) - 1;
    return count + run;
  }

  let last = takeWhole();
  for (let begin = 0; begin < into.length; begin += blockSize) {
    const end = Math.min(begin + blockSize, into.length);
    const split = take(splitBits) - 1;
    for (let i = begin; i < end; i++) {
      if (split >= 0) {
        const code = split === mostSplit ? takeWhole() : (zeros() << split | take(split)) >>> 0;
        last = last + ((code & 1) === 0 ? code >>> 1 : ~(code >>> 1)) | 0;
      }
      into[i] = bits === 8 ? last & 0xff : bits === 16 ? last << 16 >> 16 : last | 0;
    }
  }
}
