/**
 * `history` for people: one line a delivery, and below it why it is not delivered, and what is wrong with the file.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { pathField, printable } from "../../domain/names/printable.ts";
import { wrapped } from "../../domain/wrapped.ts";
import { localTime } from "../../domain/local_time.ts";
import type { DeliveryJson } from "../../reports/delivery/delivery_json.ts";

/** What was delivered and is no longer as it was. */
const LOST: ReadonlySet<string> = new Set(["gone", "damaged", "vanished"]);

/** The line, with its end; the path comes last. Longer than `columns`, it is wrapped. */
export function historyLine(delivery: DeliveryJson, columns = Infinity): string {
  const { id, state, proof, size, destination, path, error, warning } = delivery;
  const time = localTime(Date.parse(delivery.delivered_at ?? delivery.queued_at));
  const proven = state === "delivered" ? proof ?? "unproven" : "";
  const fields = [
    String(id).padStart(6),
    time,
    (error !== null && LOST.has(error.code) ? error.code : state).padEnd(9),
    proven.padEnd(9),
    formatBytes(size).padStart(9),
    printable(destination),
    pathField(path),
  ];
  const lines = wrapped(fields.join("  "), columns, "", HANGING);
  const why = error === null ? "" : printable([error.message, error.hint].filter((part) => part !== "").join(". "));
  if (why !== "") lines.push(...wrapped(why, columns, HANGING, HANGING));
  if (warning !== null) lines.push(...wrapped(`Warning: ${printable(warning)}`, columns, HANGING, HANGING));
  return lines.map((line) => `${line}\n`).join("");
}

const HANGING = " ".repeat(8);
