/**
 * Headers of a tar stream in the ustar format of POSIX.1-1988, which GNU tar, bsdtar and busybox tar read alike; a size that
 * does not fit into its eleven octal digits (8 GiB and more) is written in base 256, as all three understand.
 *
 * @module
 */

/** Bytes of a header; contents are padded to a multiple, and two empty blocks say that the stream is whole. */
export const TAR_BLOCK = 512;

/** A regular file of the stream. */
export interface TarEntry {
  /** Of safe ASCII characters, at most 100. */
  readonly name: string;
  readonly bytes: number;
  /** Permission bits. */
  readonly mode: number;
  /** Milliseconds since 1970 UTC; a tar header keeps whole seconds. */
  readonly mtimeMs: number;
}

/**
 * The header of one file, in a block of zeros.
 *
 * @throws {RangeError} for a name that does not fit.
 */
export function tarHeader(entry: TarEntry, block: Uint8Array = new Uint8Array(TAR_BLOCK)): Uint8Array {
  const { name, bytes, mode, mtimeMs } = entry;
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(name)) throw new RangeError(`"${name}" cannot be a name in a tar stream`);
  ascii(block, 0, name);
  octal(block, 100, mode & 0o7777, 8);
  octal(block, 108, 0, 8);
  octal(block, 116, 0, 8);
  if (bytes < 8 ** 11) octal(block, 124, bytes, 12);
  else {
    block[124] = 0x80;
    new DataView(block.buffer, block.byteOffset).setBigUint64(128, BigInt(bytes));
  }
  octal(block, 136, Math.min(Math.max(0, Math.floor(mtimeMs / 1000)), 8 ** 11 - 1), 12);
  ascii(block, 148, "        ");
  ascii(block, 156, "0");
  ascii(block, 257, "ustar");
  ascii(block, 263, "00");
  // The sum of all bytes, with spaces in the place of the sum itself.
  let sum = 0;
  for (let at = 0; at < TAR_BLOCK; at++) sum += block[at]!;
  octal(block, 148, sum, 7);
  return block;
}

/** How many zero bytes follow contents of this length. */
export function tarPadding(bytes: number): number {
  return (TAR_BLOCK - bytes % TAR_BLOCK) % TAR_BLOCK;
}

/** Octal digits and a NUL, `width` characters in all. */
function octal(block: Uint8Array, at: number, value: number, width: number): void {
  let left = value;
  for (let digit = at + width - 2; digit >= at; digit--) {
    block[digit] = ZERO + left % 8;
    left = Math.floor(left / 8);
  }
  block[at + width - 1] = 0;
}

function ascii(block: Uint8Array, at: number, text: string): void {
  for (let index = 0; index < text.length; index++) block[at + index] = text.charCodeAt(index);
}

const ZERO = 0x30;
