/** Writes a grey picture as PNG (W3C Portable Network Graphics, third edition): eight bits, one channel, nothing else. */
import { crc32, deflateSync } from "node:zlib";
import type { Preview } from "./preview.ts";

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
