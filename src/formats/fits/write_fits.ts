/**
 * Writes one FITS image of unsigned 16-bit pixels (FITS Standard 4.0, §4 and §5.2.5: BITPIX 16 with BZERO 32768):
 * what the fake camera of `demo` exposes.
 */
import type { CardValue } from "./fits_header.ts";
import { padded } from "./fits_length.ts";

/** The bytes of a whole file: header, `pixels` (row by row, the bottom row first), padding. */
export function writeFits(
  width: number,
  height: number,
  pixels: Uint16Array,
  cards: Readonly<Record<string, CardValue>>,
): Uint8Array<ArrayBuffer> {
  const all: [string, CardValue][] = [
    ["SIMPLE", true],
    ["BITPIX", 16],
    ["NAXIS", 2],
    ["NAXIS1", width],
    ["NAXIS2", height],
    ["BZERO", 32768],
    ["BSCALE", 1],
    ...Object.entries(cards),
  ];
  const header = [...all.map(([name, value]) => card(name, value)), "END".padEnd(80)].join("");
  const headerBytes = padded(header.length);
  const file = new Uint8Array(headerBytes + padded(width * height * 2));
  file.fill(0x20, 0, headerBytes);
  file.set(new TextEncoder().encode(header));
  const data = new DataView(file.buffer, headerBytes);
  for (let i = 0; i < width * height; i++) data.setInt16(2 * i, pixels[i]! - 32768, false);
  return file;
}

function card(name: string, value: CardValue): string {
  return `${name.padEnd(8)}= ${fixedFormat(value)}`.padEnd(80).slice(0, 80);
}

function fixedFormat(value: CardValue): string {
  if (typeof value === "string") return `'${value.replaceAll("'", "''").padEnd(8)}'`;
  return (typeof value === "boolean" ? (value ? "T" : "F") : String(value)).padStart(20);
}
