/**
 * `history` for people: one line a delivery, and below it why it is not delivered.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { pathField, printable } from "../domain/printable.ts";
import { localTime } from "../notify/log_text.ts";
import type { DeliveryJson } from "../web/delivery_json.ts";

/** The line, with its end; the path comes last. */
export function historyLine(delivery: DeliveryJson): string {
  const { id, state, proof, size, destination, path, error } = delivery;
  const time = localTime(Date.parse(delivery.delivered_at ?? delivery.queued_at));
  const proven = state === "delivered" ? proof ?? "unproven" : "";
  const fields = [
    String(id).padStart(6),
    time,
    state.padEnd(9),
    proven.padEnd(9),
    formatBytes(size).padStart(9),
    printable(destination),
    pathField(path),
  ];
  const why = error === null
    ? ""
    : `        ${printable([error.message, error.hint].filter((part) => part !== "").join(". "))}\n`;
  return `${fields.join("  ")}\n${why}`;
}
