/**
 * `history --csv` and the export of the page: RFC 4180, for spreadsheets. Names from the disk are hostile: none becomes a formula.
 */
import type { DeliveryJson } from "./delivery_json.ts";

const COLUMNS = [
  "id",
  "job",
  "path",
  "size",
  "destination",
  "method",
  "target",
  "state",
  "proof",
  "sha256",
  "attempts",
  "queued_at",
  "delivered_at",
] as const satisfies readonly (keyof DeliveryJson)[];

/** The first line. Lines end with CR LF. */
export const CSV_HEAD = `${[...COLUMNS, "error_code", "error_message", "error_hint", "warning"].join(",")}\r\n`;

export function csvLine(delivery: DeliveryJson): string {
  const { error } = delivery;
  const cells = [...COLUMNS.map((column) => delivery[column]), error?.code, error?.message, error?.hint, delivery.warning];
  return `${cells.map(cell).join(",")}\r\n`;
}

function cell(value: string | number | null | undefined): string {
  if (value === null || value === undefined) return "";
  if (typeof value === "number") return String(value);
  // An apostrophe keeps spreadsheets from reading =, +, -, @, tab and carriage return as the begin of a formula.
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
