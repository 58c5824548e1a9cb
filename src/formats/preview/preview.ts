/** A small grey picture of a FITS image: blocks of pixels are averaged, the sky made dark grey, faint things lifted (asinh). */
import { firstImage, type FitsImage } from "../fits/fits_image.ts";
import type { RangeReader } from "../format.ts";
import { gunzipped, isGzip } from "../gzip/gzip.ts";
import { crc32, deflateSync } from "node:zlib";

/** Grey values, the top row first. */
interface Preview {
  readonly width: number;
  readonly height: number;
  readonly pixels: Uint8Array;
}

/** Values of the blocks of an image, the lowest row first as in the file; NaN where a block has none. */
interface Blocks {
  readonly width: number;
  readonly height: number;
  readonly values: Float64Array;
  /** Pixels of the image a side of a block. */
  readonly step: number;
}

/** Of so many rows of a block the mean is taken, evenly spread: the others are not even read. */
const ROWS_PER_BLOCK = 3;
/** Where the sky's median comes to lie, of 1. */
const SKY = 0.16;

/** The picture of the first image, at most `mostSide` pixels a side; null where there is no image that can be shown. Looks into gzip. */
export async function fitsPreview(
  read: RangeReader,
  size: number,
  mostSide: number,
  signal?: AbortSignal,
): Promise<Preview | null> {
  if (!await isGzip(read, size)) return await plainPreview(read, size, mostSide, signal);
  using inside = gunzipped(read, size);
  return await plainPreview(inside.read, inside.mostBytes, mostSide, signal);
}

async function plainPreview(read: RangeReader, size: number, mostSide: number, signal?: AbortSignal): Promise<Preview | null> {
  const image = await firstImage(read, size, signal);
  if (image === null) return null;
  const { width, height, values } = await blocksOf(image, mostSide, signal);
  return { width, height, pixels: stretched(values, width, height) };
}

/** Averages blocks so that the longer side has at most `mostSide` of them. */
export async function blocksOf(image: FitsImage, mostSide: number, signal?: AbortSignal): Promise<Blocks> {
  const step = Math.max(1, Math.ceil(Math.max(image.width, image.height) / mostSide));
  const [width, height] = [Math.ceil(image.width / step), Math.ceil(image.height / step)];
  const values = new Float64Array(width * height);
  const [sums, counts] = [new Float64Array(width), new Float64Array(width)];
  for (let block = 0; block < height; block++) {
    signal?.throwIfAborted();
    sums.fill(0);
    counts.fill(0);
    for (const y of rowsOfBlock(block, step, image.height)) {
      const row = await image.row(y);
      for (let x = 0, column = 0, left = step; x < row.length; x++) {
        const value = row[x]!;
        // Neither NaN nor infinite.
        if (value - value === 0) {
          sums[column]! += value;
          counts[column]! += 1;
        }
        if (--left === 0) {
          column++;
          left = step;
        }
      }
    }
    for (let column = 0; column < width; column++) values[block * width + column] = sums[column]! / counts[column]!;
  }
  return { width, height, values, step };
}

/** Which rows of the image stand for a block. */
export function rowsOfBlock(block: number, step: number, height: number): number[] {
  const rows = Math.min(step, height - block * step);
  const taken = Math.min(rows, ROWS_PER_BLOCK);
  return Array.from({ length: taken }, (_, i) => block * step + Math.floor((i + 0.5) * rows / taken));
}

/** Grey values, turned so that the first row of the file is at the bottom. */
function stretched(values: Float64Array, width: number, height: number): Uint8Array {
  const sorted = values.filter((value) => !Number.isNaN(value)).sort();
  const pixels = new Uint8Array(values.length);
  if (sorted.length === 0) return pixels;
  const quantile = (share: number) => sorted[Math.round(share * (sorted.length - 1))]!;
  const [low, sky, high] = [quantile(0.002), quantile(0.5), quantile(0.998)];
  const range = high - low;
  const lift = liftFor(range > 0 ? (sky - low) / range : 0);
  const full = lift === 0 ? 1 : Math.asinh(lift);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const value = values[(height - 1 - y) * width + x]!;
      const share = range > 0 ? Math.min(Math.max((value - low) / range, 0), 1) : 0.5;
      const grey = lift === 0 ? share : Math.asinh(lift * share) / full;
      pixels[y * width + x] = Number.isNaN(grey) ? 0 : Math.round(255 * grey);
    }
  }
  return pixels;
}

/** How strongly asinh must lift so that the sky comes to lie at {@linkcode SKY}; 0 where it does already. */
function liftFor(sky: number): number {
  if (sky <= 0 || sky >= SKY) return 0;
  let [least, most] = [0.01, 1e6];
  for (let turn = 0; turn < 60; turn++) {
    const middle = Math.sqrt(least * most);
    if (Math.asinh(middle * sky) / Math.asinh(middle) < SKY) least = middle;
    else most = middle;
  }
  return least;
}

// Writes a grey picture as PNG (W3C Portable Network Graphics, third edition): eight bits, one channel, nothing else.

/** The bytes of a whole PNG file; `pixels` are `width` × `height` grey values, the top row first. */
export function greyPng({ width, height, pixels }: Preview): Uint8Array<ArrayBuffer> {
  const header = new Uint8Array(13);
  const view = new DataView(header.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  // Eight bits, grey; the rest zero: the only compression, the only set of filters, not interlaced.
  header[8] = 8;
  const lines = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) {
    const line = y * (width + 1);
    // Filter "Sub": the difference to the neighbour on the left packs better.
    lines[line] = 1;
    for (let x = 0, left = 0; x < width; x++) {
      const grey = pixels[y * width + x]!;
      lines[line + 1 + x] = grey - left;
      left = grey;
    }
  }
  const parts = [
    SIGNATURE,
    chunk("IHDR", header),
    chunk("IDAT", deflateSync(lines, { level: 6 })),
    chunk("IEND", new Uint8Array(0)),
  ];
  const file = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    file.set(part, at);
    at += part.length;
  }
  return file;
}

const SIGNATURE = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function chunk(kind: string, data: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(12 + data.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, data.length);
  for (let i = 0; i < 4; i++) bytes[4 + i] = kind.charCodeAt(i);
  bytes.set(data, 8);
  view.setUint32(8 + data.length, crc32(bytes.subarray(4, 8 + data.length)));
  return bytes;
}
