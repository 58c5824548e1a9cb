/** FITS: the declared length over all HDUs. A tile-compressed file (`.fz`) is an ordinary FITS file with a table. */
import type { Format, HeaderUnit, RangeReader, Verdict } from "../format.ts";
import { walkHdus } from "./fits_walk.ts";

/** `.fits`, `.fit`, `.fts`, `.fz`: a file that begins like FITS is short until its last declared HDU is there. */
export const fits: Format = {
  name: "FITS",
  claims: (name) => /\.(fits|fit|fts|fz)$/.test(name),
  inspect: declaredLength,
};

async function declaredLength(
  read: RangeReader,
  size: number,
  signal: AbortSignal,
  onHdu?: (hdu: HeaderUnit) => void,
): Promise<Verdict> {
  const walk = walkHdus(read, size, signal);
  while (true) {
    const step = await walk.next();
    if (step.done) return step.value;
    onHdu?.(step.value);
  }
}
