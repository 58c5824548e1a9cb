/** Where the columns of a FITS binary table are within a row (FITS Standard 4.0, §7.3.1). */
import type { Header } from "./fits_header.ts";

/** One column; its values begin at `offset` in every row. */
export interface Column {
  /** From the beginning of a row, bytes. */
  readonly offset: number;
  /** TFORM without what is in brackets, e.g. `1PB`. */
  readonly format: string;
}

/** By name; columns whose format cannot be read end the list. */
export function tableColumns(header: Header): ReadonlyMap<string, Column> {
  const columns = new Map<string, Column>();
  let offset = 0;
  for (let n = 1; n <= Number(header.get("TFIELDS") ?? 0); n++) {
    const match = /^\s*(\d*)([LXBIJKAEDCMPQ])/.exec(String(header.get(`TFORM${n}`) ?? ""));
    if (match === null) break;
    const count = match[1] === "" ? 1 : Number(match[1]);
    const text = String(header.get(`TFORM${n}`)).replace(/\(.*$/, "").trim();
    columns.set(String(header.get(`TTYPE${n}`) ?? `column ${n}`).toUpperCase(), { offset, format: text });
    offset += match[2] === "X" ? Math.ceil(count / 8) : count * WIDTHS[match[2]!]!;
  }
  return columns;
}

const WIDTHS: Readonly<Record<string, number>> = {
  L: 1,
  B: 1,
  A: 1,
  I: 2,
  J: 4,
  E: 4,
  K: 8,
  D: 8,
  C: 8,
  P: 8,
  M: 16,
  Q: 16,
};
