/**
 * The first image of a FITS file as rows of physical values (BZERO + BSCALE × stored), whatever its numbers are and whether it is
 * tile-compressed. Of a cube, the first plane. Rows are read when they are asked for: a 60-megapixel frame costs what is looked at.
 */
import { gunzipSync } from "node:zlib";
import { type Hdu, type Header, walkHdus } from "./fits.ts";
import { fill, type RangeReader } from "../format.ts";

/** The first HDU that is an image of at least two axes; null where there is none that can be shown. */
export async function firstImage(read: RangeReader, size: number, signal?: AbortSignal): Promise<FitsImage | null> {
  for await (const hdu of walkHdus(read, size, signal)) {
    const image = hdu.header.get("ZIMAGE") === true ? compressedImage(hdu, read) : plainImage(hdu, read, size);
    if (image !== null) return image;
  }
  return null;
}

function plainImage({ header, index, dataOffset }: Hdu, read: RangeReader, size: number): FitsImage | null {
  if (index > 0 && header.get("XTENSION") !== "IMAGE") return null;
  const shape = shapeOf(header, "");
  if (shape === null || header.get("GROUPS") === true) return null;
  const { width, height, bitpix } = shape;
  const rowBytes = width * Math.abs(bitpix) / 8;
  // Only what is there: a file that is still being written has no rows at its end.
  if (dataOffset + rowBytes * height > size) return null;
  const scale = scaleOf(header, bitpix);
  const values = new Float64Array(width);
  return {
    ...shape,
    async row(y) {
      const bytes = await fill(read, dataOffset + y * rowBytes, rowBytes);
      if (bytes.length < rowBytes) throw new RangeError("the file became shorter while it was read");
      decode(bytes, bitpix, values);
      return toPhysical(values, scale);
    },
  };
}

// Tile-compressed images (FITS Standard 4.0, §10): a table with one row a tile. RICE_1, GZIP_1 and GZIP_2 are read, floating-point
// images with their scales; what is left of the dithering is less than half a step of the quantisation.

/** The largest row of tiles that is unpacked, pixels. */
const MOST_TILES = 32 * 1024 * 1024;
/** A stored number that stands for no value, and one that stands for zero exactly (§10.2.1). */
const NULL_VALUE = -2147483648;
const ZERO_VALUE = -2147483646;
/** By ZCMPTYPE. */
const COMPRESSIONS = new Map<string, "rice" | "gzip" | "gzip shuffled">([
  ["RICE_1", "rice"],
  ["RICE_ONE", "rice"],
  ["GZIP_1", "gzip"],
  ["GZIP_2", "gzip shuffled"],
]);

/** The image; null where it is compressed in a way that is not read. Keeps the tiles of the last row that was asked for. */
function compressedImage({ header, dataOffset }: Hdu, read: RangeReader): FitsImage | null {
  const shape = shapeOf(header, "Z");
  const compression = COMPRESSIONS.get(String(header.get("ZCMPTYPE") ?? ""));
  const columns = tableColumns(header);
  const data = columns.get("COMPRESSED_DATA");
  if (shape === null || data === undefined || compression === undefined) return null;
  const { width, height, bitpix } = shape;
  const [tileWidth, tileHeight] = [Number(header.get("ZTILE1") ?? width), Number(header.get("ZTILE2") ?? 1)];
  if (![tileWidth, tileHeight].every((side) => Number.isSafeInteger(side) && side > 0)) return null;
  if (width * Math.min(tileHeight, height) > MOST_TILES) return null;
  const scale = scaleOf(header, bitpix);
  /** Of quantised floating-point numbers, what stands for no value. */
  const usualBlank = header.get("ZBLANK");
  /** The table, one row a tile, and the heap that its rows point into. */
  const rowBytes = Number(header.get("NAXIS1"));
  const heapAt = dataOffset + Number(header.get("THEAP") ?? rowBytes * Number(header.get("NAXIS2")));
  let band: { readonly index: number; readonly values: Float64Array } = { index: -1, values: new Float64Array(0) };

  /** The rows of the image that one row of tiles holds. */
  async function unpackBand(index: number): Promise<Float64Array> {
    const across = Math.ceil(width / tileWidth);
    const rows = Math.min(tileHeight, height - index * tileHeight);
    const values = new Float64Array(width * rows);
    for (let column = 0; column < across; column++) {
      const left = column * tileWidth;
      const tileColumns = Math.min(tileWidth, width - left);
      const row = await fill(read, dataOffset + (index * across + column) * rowBytes, rowBytes);
      const tile = await unpackTile(row, tileColumns * rows);
      for (let y = 0; y < rows; y++) values.set(tile.subarray(y * tileColumns, (y + 1) * tileColumns), y * width + left);
    }
    return values;
  }

  /** `row` is the tile's row of the table. */
  async function unpackTile(row: Uint8Array, pixels: number): Promise<Float64Array> {
    const values = new Float64Array(pixels);
    const packed = await heapBytes(row, data!);
    if (packed.length === 0) {
      // Numbers that could not be quantised are kept as they are, gzipped.
      const gzipped = columns.get("GZIP_COMPRESSED_DATA");
      const bytes = gzipped === undefined ? packed : await heapBytes(row, gzipped);
      if (bytes.length === 0) return values.fill(NaN);
      decode(unzipped(bytes, pixels * Math.abs(bitpix) / 8), bitpix, values);
      return bitpix < 0 ? values : toPhysical(values, scale);
    }
    const quantised = bitpix < 0 && columns.has("ZSCALE");
    const stored = quantised ? 32 : bitpix;
    if (compression === "rice") {
      unrice(packed, parameter(header, "BYTEPIX", 4), parameter(header, "BLOCKSIZE", 32), values);
    } else {
      const bytes = unzipped(packed, pixels * Math.abs(stored) / 8);
      decode(compression === "gzip shuffled" ? unshuffled(bytes, Math.abs(stored) / 8) : bytes, stored, values);
    }
    if (!quantised) return toPhysical(values, scale);
    // Each tile has its own scale.
    const [factor, zero] = [numberAt(row, columns.get("ZSCALE")) ?? 1, numberAt(row, columns.get("ZZERO")) ?? 0];
    const blank = numberAt(row, columns.get("ZBLANK")) ?? usualBlank;
    for (let i = 0; i < pixels; i++) {
      const whole = values[i]!;
      values[i] = whole === blank || whole === NULL_VALUE ? NaN : whole === ZERO_VALUE ? 0 : zero + factor * whole;
    }
    return toPhysical(values, { ...scale, blank: null });
  }

  /** What a row of the table points to. */
  async function heapBytes(row: Uint8Array, { offset, format }: Column): Promise<Uint8Array> {
    const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
    const [length, at] = format.includes("Q")
      ? [Number(view.getBigInt64(offset)), Number(view.getBigInt64(offset + 8))]
      : [view.getUint32(offset), view.getUint32(offset + 4)];
    if (length > MOST_TILES * 8) throw new RangeError("a compressed tile is too long");
    return await fill(read, heapAt + at, length);
  }

  return {
    ...shape,
    async row(y) {
      const index = Math.floor(y / tileHeight);
      if (band.index !== index) band = { index, values: await unpackBand(index) };
      const inside = y - index * tileHeight;
      return band.values.subarray(inside * width, (inside + 1) * width);
    },
  };
}

/** A parameter of the compression: ZNAMEn, ZVALn. */
function parameter(header: Header, name: string, usual: number): number {
  for (let n = 1; header.has(`ZNAME${n}`); n++) if (header.get(`ZNAME${n}`) === name) return Number(header.get(`ZVAL${n}`));
  return usual;
}

function numberAt(row: Uint8Array, column: Column | undefined): number | null {
  if (column === undefined) return null;
  const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
  if (column.format.endsWith("D")) return view.getFloat64(column.offset);
  if (column.format.endsWith("E")) return view.getFloat32(column.offset);
  return column.format.endsWith("J") ? view.getInt32(column.offset) : null;
}

/** Never more than a tile can have: a small file that claims to unzip to gigabytes gets no memory for it. */
function unzipped(bytes: Uint8Array, mostBytes: number): Uint8Array {
  return gunzipSync(bytes, { maxOutputLength: Math.max(64, mostBytes) });
}

/** GZIP_2 has all first bytes, then all second bytes, and so on (§10.4.2). */
function unshuffled(bytes: Uint8Array, width: number): Uint8Array {
  const count = Math.floor(bytes.length / width);
  const plain = new Uint8Array(count * width);
  for (let part = 0; part < width; part++) {
    for (let i = 0; i < count; i++) plain[i * width + part] = bytes[part * count + i]!;
  }
  return plain;
}

// Rice decompression of an image tile (FITS Standard 4.0, §10.4.1), as fpack and cameras' drivers write it.

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

// Where the columns of a FITS binary table are within a row (FITS Standard 4.0, §7.3.1).

/** One column; its values begin at `offset` in every row. */
interface Column {
  /** From the beginning of a row, bytes. */
  readonly offset: number;
  /** TFORM without what is in brackets, e.g. `1PB`. */
  readonly format: string;
}

/** By name; columns whose format cannot be read end the list. */
function tableColumns(header: Header): ReadonlyMap<string, Column> {
  const columns = new Map<string, Column>();
  let offset = 0;
  for (let n = 1; n <= Number(header.get("TFIELDS") ?? 0); n++) {
    const match = /^\s*(\d*)([LXBIJKAEDCMPQ])/.exec(String(header.get(`TFORM${n}`) ?? ""));
    if (match === null) break;
    const count = match[1] === "" ? 1 : Number(match[1]);
    const text = String(header.get(`TFORM${n}`)).replace(/\(.*$/, "").trim();
    columns.set(String(header.get(`TTYPE${n}`) ?? `column ${n}`).toUpperCase(), { offset, format: text });
    offset += match[2] === "X" ? Math.ceil(count / 8) : count * BYTES_OF.get(match[2]!)!;
  }
  return columns;
}

/** By the letter of TFORM. */
const BYTES_OF = new Map(
  ([["LBA", 1], ["I", 2], ["JE", 4], ["KDCP", 8], ["MQ", 16]] as const).flatMap(([letters, bytes]) =>
    [...letters].map((letter) => [letter, bytes] as const)
  ),
);

// The numbers of FITS images: their shape, their scale, and how bytes become values.

/** An image plane of `width` × `height` pixels, read a row at a time. */
export interface FitsImage {
  readonly width: number;
  readonly height: number;
  /** The values of a row, 0 being the lowest; NaN where the file has none (BLANK, NaN). Valid until the next call. */
  row(y: number): Promise<Float64Array>;
}

/** More pixels a side are no image of a camera. */
const MOST_SIDE = 1_000_000;

/** Pixels a row, rows, and BITPIX (bits a number, negative for floating point; FITS Standard 4.0, §4.4.1.1). */
interface Shape {
  readonly width: number;
  readonly height: number;
  readonly bitpix: number;
}

/** Size and kind of numbers; `prefix` is `Z` for what a compressed image was. */
function shapeOf(header: Header, prefix: "" | "Z"): Shape | null {
  const number = (keyword: string) => Number(header.get(prefix + keyword) ?? 0);
  const [axes, width, height, bitpix] = [number("NAXIS"), number("NAXIS1"), number("NAXIS2"), number("BITPIX")];
  const isSide = (side: number) => Number.isSafeInteger(side) && side > 1 && side <= MOST_SIDE;
  for (let axis = 3; axis <= axes; axis++) if (number(`NAXIS${axis}`) < 1) return null;
  if (axes < 2 || !isSide(width) || !isSide(height) || ![8, 16, 32, 64, -32, -64].includes(bitpix)) return null;
  return { width, height, bitpix };
}

/** How stored numbers become values. */
interface Scale {
  readonly zero: number;
  readonly factor: number;
  /** The stored number that stands for no value; null where none does. */
  readonly blank: number | null;
}

/** BZERO, BSCALE and BLANK or ZBLANK (FITS Standard 4.0, §4.4.2.5 and §10.2); without them the stored numbers are the values. */
function scaleOf(header: Header, bitpix: number): Scale {
  const numberOr = (keyword: string, otherwise: number) => {
    const value = header.get(keyword);
    return typeof value === "number" && Number.isFinite(value) ? value : otherwise;
  };
  const blank = header.get("BLANK") ?? header.get("ZBLANK");
  return {
    zero: numberOr("BZERO", 0),
    factor: numberOr("BSCALE", 1),
    blank: bitpix > 0 && typeof blank === "number" ? blank : null,
  };
}

/** In place. */
function toPhysical(values: Float64Array, { zero, factor, blank }: Scale): Float64Array {
  if (zero === 0 && factor === 1 && blank === null) return values;
  for (let i = 0; i < values.length; i++) {
    const stored = values[i]!;
    values[i] = stored === blank ? NaN : zero + factor * stored;
  }
  return values;
}

/** Big-endian numbers of FITS, by BITPIX. */
const READERS: Readonly<Record<number, (view: DataView, at: number) => number>> = {
  8: (view, at) => view.getUint8(at),
  16: (view, at) => view.getInt16(at),
  32: (view, at) => view.getInt32(at),
  64: (view, at) => Number(view.getBigInt64(at)),
  [-32]: (view, at) => view.getFloat32(at),
  [-64]: (view, at) => view.getFloat64(at),
};

function decode(bytes: Uint8Array, bitpix: number, into: Float64Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [width, read] = [Math.abs(bitpix) / 8, READERS[bitpix]!];
  const count = Math.min(into.length, Math.floor(bytes.length / width));
  for (let i = 0; i < count; i++) into[i] = read(view, i * width);
}
