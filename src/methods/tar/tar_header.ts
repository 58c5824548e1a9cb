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
 * The header of one file.
 *
 * @throws {RangeError} for a name that does not fit.
 */
export function tarHeader({ name, bytes, mode, mtimeMs }: TarEntry): Uint8Array {
  if (!/^[A-Za-z0-9._-]{1,100}$/.test(name)) throw new RangeError(`"${name}" cannot be a name in a tar stream`);
  const block = new Uint8Array(TAR_BLOCK);
  const text = (at: number, value: string) => void ENCODER.encodeInto(value, block.subarray(at));
  text(0, name);
  text(100, octal(mode & 0o7777, 8));
  text(108, octal(0, 8));
  text(116, octal(0, 8));
  if (bytes < 8 ** 11) text(124, octal(bytes, 12));
  else {
    block[124] = 0x80;
    new DataView(block.buffer).setBigUint64(128, BigInt(bytes));
  }
  text(136, octal(Math.min(Math.max(0, Math.floor(mtimeMs / 1000)), 8 ** 11 - 1), 12));
  text(148, " ".repeat(8));
  text(156, "0");
  text(257, "ustar\0");
  text(263, "00");
  // The sum of all bytes, with spaces in the place of the sum itself.
  let sum = 0;
  for (const byte of block) sum += byte;
  text(148, `${octal(sum, 7)} `);
  return block;
}

const ENCODER = new TextEncoder();

/** How many zero bytes follow contents of this length. */
export function tarPadding(bytes: number): number {
  return (TAR_BLOCK - bytes % TAR_BLOCK) % TAR_BLOCK;
}

/** Octal digits and a NUL, `width` characters in all. */
function octal(value: number, width: number): string {
  return `${value.toString(8).padStart(width - 1, "0")}\0`;
}
