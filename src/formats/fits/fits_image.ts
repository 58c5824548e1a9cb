/**
 * The first image of a FITS file as rows of physical values (BZERO + BSCALE × stored), whatever its numbers are and whether it is
 * tile-compressed. Of a cube, the first plane. Rows are read when they are asked for: a 60-megapixel frame costs what is looked at.
 */
import { type Hdu, walkHdus } from "./fits_walk.ts";
import { compressedImage } from "./fits_tiles.ts";
import { decode, type FitsImage, scaleOf, shapeOf, toPhysical } from "./fits_values.ts";
import type { RangeReader } from "../format.ts";
import { fill } from "../range_window.ts";

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
