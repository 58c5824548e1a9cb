/** The numbers of FITS images: their shape, their scale, and how bytes become values. */
import type { Header } from "./fits_header.ts";

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
export interface Shape {
  readonly width: number;
  readonly height: number;
  readonly bitpix: number;
}

/** Size and kind of numbers; `prefix` is `Z` for what a compressed image was. */
export function shapeOf(header: Header, prefix: "" | "Z"): Shape | null {
  const number = (keyword: string) => Number(header.get(prefix + keyword) ?? 0);
  const [axes, width, height, bitpix] = [number("NAXIS"), number("NAXIS1"), number("NAXIS2"), number("BITPIX")];
  const isSide = (side: number) => Number.isSafeInteger(side) && side > 1 && side <= MOST_SIDE;
  for (let axis = 3; axis <= axes; axis++) if (number(`NAXIS${axis}`) < 1) return null;
  if (axes < 2 || !isSide(width) || !isSide(height) || ![8, 16, 32, 64, -32, -64].includes(bitpix)) return null;
  return { width, height, bitpix };
}

/** How stored numbers become values. */
export interface Scale {
  readonly zero: number;
  readonly factor: number;
  /** The stored number that stands for no value; null where none does. */
  readonly blank: number | null;
}

/** BZERO, BSCALE and BLANK or ZBLANK (FITS Standard 4.0, §4.4.2.5 and §10.2); without them the stored numbers are the values. */
export function scaleOf(header: Header, bitpix: number): Scale {
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
export function toPhysical(values: Float64Array, { zero, factor, blank }: Scale): Float64Array {
  if (zero === 0 && factor === 1 && blank === null) return values;
  for (let i = 0; i < values.length; i++) {
    const stored = values[i]!;
    values[i] = stored === blank ? NaN : zero + factor * stored;
  }
  return values;
}

/** Big-endian numbers of FITS. */
export function decode(bytes: Uint8Array, bitpix: number, into: Float64Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = Math.min(into.length, Math.floor(bytes.length / (Math.abs(bitpix) / 8)));
  switch (bitpix) {
    case 8:
      for (let i = 0; i < count; i++) into[i] = bytes[i]!;
      return;
    case 16:
      for (let i = 0; i < count; i++) into[i] = view.getInt16(2 * i);
      return;
    case 32:
      for (let i = 0; i < count; i++) into[i] = view.getInt32(4 * i);
      return;
    case 64:
      for (let i = 0; i < count; i++) into[i] = Number(view.getBigInt64(8 * i));
      return;
    case -32:
      for (let i = 0; i < count; i++) into[i] = view.getFloat32(4 * i);
      return;
    case -64:
      for (let i = 0; i < count; i++) into[i] = view.getFloat64(8 * i);
  }
}
