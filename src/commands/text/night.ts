/**
 * The night that a command is given: how it is written, what it means, and what is printed if it has no images.
 *
 * @module
 */
import { optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { Failure } from "../../domain/failure.ts";
import type { History } from "../../ledger/history.ts";
import { plain } from "../command.ts";
import { nameValue } from "./known_names.ts";

/** `--night NIGHT`; what is given is read by {@linkcode nightOf}. */
export const nightOption = optional(
  option("--night", nameValue("NIGHT", "NIGHT"), { description: plain("Only this observing night: YYYYMMDD, or last") }),
);

/**
 * `20240517`, `2024-05-17` or `last` as `YYYYMMDD`. Undefined where none is given, and for `last` in a ledger without any.
 *
 * @throws {Failure} `configuration` for anything else, also for a date that no calendar has.
 */
export function nightOf(given: string | undefined, ledger: Pick<History, "nights">): string | undefined {
  if (given === undefined) return undefined;
  if (given === "last") return ledger.nights().at(-1);
  const night = given.replace(/^(\d{4})-(\d\d)-(\d\d)$/, "$1$2$3");
  const date = /^\d{8}$/.test(night) ? new Date(`${nightText(night)}T00:00:00Z`) : new Date(NaN);
  // February 30 would be read as March 1.
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(night.slice(6))) {
    throw new Failure("configuration", `Invalid night "${given}"`, { hint: "Use YYYYMMDD or last." });
  }
  return night;
}

/** `2024-05-17` of `20240517`. */
export function nightText(night: string): string {
  return `${night.slice(0, 4)}-${night.slice(4, 6)}-${night.slice(6)}`;
}

/** For people: that a night has no images, and which one was the last that has; null where it has some. */
export function emptyNight(night: string, command: string, ledger: Pick<History, "nights">): string | null {
  const nights = ledger.nights();
  if (nights.includes(night)) return null;
  const last = nights.at(-1);
  const hint = last === undefined ? "" : `The last night with images: ${command} --night ${last}\n`;
  return `Night ${nightText(night)}: no images.\n${hint}`;
}
