/**
 * All deliveries of a filter as a download: JSON, or CSV (RFC 4180, for spreadsheets; names from the disk are hostile, and none becomes
 * a formula). Read in pieces: a slow reader costs no memory, and no delivery waits for it.
 */
import { chunks } from "../../domain/chunks.ts";
import type { DeliveryRow } from "../../ledger/history.ts";
import type { System } from "../../system/system.ts";
import { type DeliveryJson, deliveryJson } from "./delivery_json.ts";

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

/** Ending and format of the download. */
type ExportKind = keyof typeof SHAPES;

interface Shape {
  readonly type: string;
  readonly head: string;
  readonly line: (delivery: DeliveryJson, isFirst: boolean) => string;
  readonly foot: string;
}

const SHAPES = {
  csv: { type: "text/csv; charset=utf-8", head: CSV_HEAD, line: csvLine, foot: "" },
  // The same array that `history --json` prints.
  json: {
    type: "application/json; charset=utf-8",
    head: "[",
    line: (delivery, isFirst) => `${isFirst ? "" : ","}\n${JSON.stringify(delivery)}`,
    foot: "\n]\n",
  },
} as const satisfies Record<string, Shape>;

/** Rows that are read at a time. */
const PIECE = 500;

/** Headers of the answer. */
export function exportHeaders(kind: ExportKind): Record<string, string> {
  return {
    "content-type": SHAPES[kind].type,
    "content-disposition": `attachment; filename="image-transfer.${kind}"`,
  };
}

/** Body of the answer; asked for the next piece only when the one before it was taken. */
export function exportStream(
  kind: ExportKind,
  rows: Iterable<DeliveryRow>,
  system: Pick<System, "sleep">,
): ReadableStream<Uint8Array> {
  const { head, line, foot }: Shape = SHAPES[kind];
  async function* pieces(): AsyncGenerator<string, void> {
    let text = head;
    let isFirst = true;
    for (const piece of chunks(rows, PIECE)) {
      for (const row of piece) {
        text += line(deliveryJson(row), isFirst);
        isFirst = false;
      }
      yield text;
      text = "";
      await system.sleep(1);
    }
    yield text + foot;
  }
  return ReadableStream.from(pieces()).pipeThrough(new TextEncoderStream());
}
