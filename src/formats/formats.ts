/** The formats that tell when a file is finished: the explicit list. To add one, write its file and put it here. */
import { fits } from "./fits/fits.ts";
import type { Format } from "./format.ts";
import { gzip } from "./gzip/gzip.ts";
import { ser } from "./ser.ts";
import { tiff } from "./tiff/tiff.ts";
import { xisf } from "./xisf.ts";

/** In the order in which they are asked; the first that claims a name has it. */
export const FORMATS: readonly Format[] = [fits, gzip, xisf, tiff, ser];

/** The format of a file by its name (or path), in whatever case; undefined where only the quiet time can tell. */
export function formatOf(name: string): Format | undefined {
  const last = name.slice(Math.max(name.lastIndexOf("/"), name.lastIndexOf("\\")) + 1).toLowerCase();
  return FORMATS.find((format) => format.claims(last));
}
