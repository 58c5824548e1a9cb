/** A small grey picture of a FITS image: blocks of pixels are averaged, the sky made dark grey, faint things lifted (asinh). */
import { firstImage } from "../fits/fits_image.ts";
import type { FitsImage } from "../fits/fits_values.ts";
import type { RangeReader } from "../format.ts";
import { gunzipped, isGzip } from "../gzip/gunzipped.ts";

/** Grey values, the top row first. */
export interface Preview {
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
