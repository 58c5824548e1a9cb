/** Archives that come out the same, byte by byte, for the same content: `tar.gz` (ustar) and `zip`. */

/** A file in an archive. */
export interface Entry {
  /** Relative, with `/`. */
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Mode bits, as 0o755. */
  readonly mode: number;
}

/** A gzipped tar of the files, in the order given; `time` in seconds since 1970 UTC. */
export async function tarGz(entries: readonly Entry[], time: number): Promise<Uint8Array<ArrayBuffer>> {
  const blocks: Uint8Array<ArrayBuffer>[] = [];
  for (const { name, bytes, mode } of entries) {
    blocks.push(tarHeader(name, bytes.length, mode, time), bytes, new Uint8Array((512 - bytes.length % 512) % 512));
  }
  blocks.push(new Uint8Array(1024));
  return await through(blocks, new CompressionStream("gzip"));
}

/** A zip of the files, in the order given; `time` in seconds since 1970 UTC. */
export async function zip(entries: readonly Entry[], time: number): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array<ArrayBuffer>[] = [];
  const directory: Uint8Array<ArrayBuffer>[] = [];
  let at = 0;
  for (const { name, bytes, mode } of entries) {
    const packed = await through([bytes], new CompressionStream("deflate-raw"));
    const encoded = new TextEncoder().encode(name);
    const about = [20, 0x0800, 8, ...dosTime(time)] as const;
    const sizes = [crc32(bytes), packed.length, bytes.length] as const;
    const local = record([0x04034b50], about, sizes, [encoded.length, 0]);
    parts.push(local, encoded, packed);
    // Made by Unix (3): the mode stands in the upper half of the attributes.
    const unix = (0o100000 | mode) * 0x10000;
    directory.push(record([0x02014b50], [3 << 8 | 20, ...about], sizes, [encoded.length, 0, 0, 0, 0], [unix, at]), encoded);
    at += local.length + encoded.length + packed.length;
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  return joined([...parts, ...directory, record([0x06054b50], [0, 0, entries.length, entries.length], [size, at], [0])]);
}

function tarHeader(name: string, size: number, mode: number, time: number): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(512);
  const put = (text: string, at: number) => header.set(new TextEncoder().encode(text), at);
  const octal = (value: number, digits: number, at: number) => put(`${value.toString(8).padStart(digits, "0")}\0`, at);
  const cut = name.length > 100 ? name.lastIndexOf("/", 154) : -1;
  put(name.slice(cut + 1), 0);
  if (cut >= 0) put(name.slice(0, cut), 345);
  octal(mode, 7, 100);
  octal(0, 7, 108);
  octal(0, 7, 116);
  octal(size, 11, 124);
  octal(time, 11, 136);
  put("        0", 148);
  put("ustar\x0000", 257);
  octal(header.reduce((sum, byte) => sum + byte, 0), 6, 148);
  return header;
}

/** Numbers, little-endian: 32 bits for the first, third and fifth list, 16 for the second and fourth. */
function record(...lists: readonly (readonly number[])[]): Uint8Array<ArrayBuffer> {
  const wide = (index: number) => index % 2 === 0;
  const length = lists.reduce((sum, list, index) => sum + list.length * (wide(index) ? 4 : 2), 0);
  const view = new DataView(new ArrayBuffer(length));
  let at = 0;
  lists.forEach((list, index) => {
    for (const value of list) {
      if (wide(index)) view.setUint32(at, value, true);
      else view.setUint16(at, value, true);
      at += wide(index) ? 4 : 2;
    }
  });
  return new Uint8Array(view.buffer);
}

function dosTime(time: number): [number, number] {
  const date = new Date(time * 1000);
  const clock = date.getUTCHours() << 11 | date.getUTCMinutes() << 5 | date.getUTCSeconds() >> 1;
  return [clock, (date.getUTCFullYear() - 1980) << 9 | (date.getUTCMonth() + 1) << 5 | date.getUTCDate()];
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0;
  for (const byte of bytes) crc = CRC[(crc ^ byte) & 0xff]! ^ crc >>> 8;
  return ~crc >>> 0;
}
const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? n >>> 1 ^ 0xedb88320 : n >>> 1;
  return n;
});

async function through(
  parts: readonly Uint8Array<ArrayBuffer>[],
  stream: CompressionStream,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(new Blob([...parts]).stream().pipeThrough(stream)).arrayBuffer());
}

function joined(parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
