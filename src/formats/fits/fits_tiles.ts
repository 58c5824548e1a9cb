/**
 * Tile-compressed images (FITS Standard 4.0, §10): a table with one row a tile. RICE_1, GZIP_1 and GZIP_2 are read, floating-point
 * images with their scales; what is left of the dithering is less than half a step of the quantisation.
 *
 * @module
 */
import { gunzipSync } from "node:zlib";
import { decode, type FitsImage, type Scale, scaleOf, shapeOf, toPhysical } from "./fits_values.ts";
import type { Header } from "./fits_header.ts";
import type { Hdu } from "./fits_walk.ts";
import type { RangeReader } from "../format.ts";
import { fill } from "../range_window.ts";
import { unrice } from "./rice.ts";
import { type Column, tableColumns } from "./table_columns.ts";

/** The largest tile that is unpacked, pixels. */
const MOST_TILE = 32 * 1024 * 1024;
/** A stored number that stands for no value, and one that stands for zero exactly (§10.2.1). */
const NULL_VALUE = -2147483648;
const ZERO_VALUE = -2147483646;

/** The image; null where it is compressed in a way that is not read. */
export function compressedImage({ header, dataOffset }: Hdu, read: RangeReader): FitsImage | null {
  const shape = shapeOf(header, "Z");
  const how = String(header.get("ZCMPTYPE") ?? "");
  const columns = tableColumns(header);
  const data = columns.get("COMPRESSED_DATA");
  if (shape === null || data === undefined || !["RICE_1", "RICE_ONE", "GZIP_1", "GZIP_2"].includes(how)) return null;
  const { width, height, bitpix } = shape;
  const tileWidth = tileSide(header, 1, width);
  const tileHeight = tileSide(header, 2, 1);
  if (tileWidth === null || tileHeight === null || tileWidth * tileHeight > MOST_TILE) return null;
  const across = Math.ceil(width / tileWidth);
  const rowBytes = Number(header.get("NAXIS1"));
  const heap = dataOffset + Number(header.get("THEAP") ?? rowBytes * Number(header.get("NAXIS2")));
  const scale = scaleOf(header, bitpix);
  const rice = riceParameters(header);

  /** The tiles that hold the rows of one band, side by side. */
  let band = { index: -1, values: new Float64Array(0), rows: 0 };

  async function unpackBand(index: number): Promise<typeof band> {
    const rows = Math.min(tileHeight!, height - index * tileHeight!);
    const values = new Float64Array(width * rows);
    for (let column = 0; column < across; column++) {
      const tileColumns = Math.min(tileWidth!, width - column * tileWidth!);
      const row = await fill(read, dataOffset + (index * across + column) * rowBytes, rowBytes);
      const tile = await unpackTile(row, tileColumns * rows);
      for (let y = 0; y < rows; y++) {
        values.set(tile.subarray(y * tileColumns, (y + 1) * tileColumns), y * width + column * tileWidth!);
      }
    }
    return { index, values, rows };
  }

  async function unpackTile(row: Uint8Array, pixels: number): Promise<Float64Array> {
    const values = new Float64Array(pixels);
    const packed = await heapBytes(row, data!);
    if (packed.length === 0) {
      // Numbers that could not be quantised are kept as they are, gzipped.
      const gzipped = columns.get("GZIP_COMPRESSED_DATA");
      const bytes = gzipped === undefined ? new Uint8Array(0) : await heapBytes(row, gzipped);
      if (bytes.length === 0) return values.fill(NaN);
      decode(unzipped(bytes, pixels * Math.abs(bitpix) / 8), bitpix, values);
      return bitpix < 0 ? values : toPhysical(values, scale);
    }
    const quantised = bitpix < 0 && columns.has("ZSCALE");
    const stored = quantised ? 32 : bitpix;
    if (how.startsWith("RICE")) unrice(packed, rice.bytesPerPixel, rice.blockSize, values);
    else {
      const bytes = unzipped(packed, pixels * Math.abs(stored) / 8);
      decode(how === "GZIP_2" ? unshuffled(bytes, Math.abs(stored) / 8) : bytes, stored, values);
    }
    return quantised ? unquantised(values, row) : toPhysical(values, scale);
  }

  function unquantised(values: Float64Array, row: Uint8Array): Float64Array {
    const [factor, zero] = [numberAt(row, columns.get("ZSCALE")) ?? 1, numberAt(row, columns.get("ZZERO")) ?? 0];
    const blank = numberAt(row, columns.get("ZBLANK")) ?? scaleBlank(header);
    for (let i = 0; i < values.length; i++) {
      const whole = values[i]!;
      values[i] = whole === blank || whole === NULL_VALUE ? NaN : whole === ZERO_VALUE ? 0 : zero + factor * whole;
    }
    return toPhysical(values, { ...scale, blank: null } satisfies Scale);
  }

  async function heapBytes(row: Uint8Array, { offset, format }: Column): Promise<Uint8Array> {
    const view = new DataView(row.buffer, row.byteOffset, row.byteLength);
    const wide = format.includes("Q");
    const [length, at] = wide
      ? [Number(view.getBigInt64(offset)), Number(view.getBigInt64(offset + 8))]
      : [view.getUint32(offset), view.getUint32(offset + 4)];
    if (length > MOST_TILE * 8) throw new RangeError("a compressed tile is too long");
    return await fill(read, heap + at, length);
  }

  return {
    ...shape,
    async row(y) {
      const index = Math.floor(y / tileHeight);
      if (band.index !== index) band = await unpackBand(index);
      const inside = y - index * tileHeight;
      return band.values.subarray(inside * width, (inside + 1) * width);
    },
  };
}

function tileSide(header: Header, axis: number, usual: number): number | null {
  const side = Number(header.get(`ZTILE${axis}`) ?? usual);
  return Number.isSafeInteger(side) && side > 0 ? side : null;
}

function riceParameters(header: Header): { readonly blockSize: number; readonly bytesPerPixel: number } {
  const named = (name: string, usual: number) => {
    for (let n = 1; header.has(`ZNAME${n}`); n++) if (header.get(`ZNAME${n}`) === name) return Number(header.get(`ZVAL${n}`));
    return usual;
  };
  return { blockSize: named("BLOCKSIZE", 32), bytesPerPixel: named("BYTEPIX", 4) };
}

function scaleBlank(header: Header): number | null {
  const blank = header.get("ZBLANK");
  return typeof blank === "number" ? blank : null;
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
