/**
 * The night that a command is told: how it is written, what it means, and what is said where it has no images.
 *
 * @module
 */
import { optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { Failure } from "../domain/failure.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { plain } from "./command.ts";

/** `--night NIGHT`; what is given is read by {@linkcode nightOf}. */
export function nightOption(help = "Only this observing night: YYYYMMDD, or last") {
  return optional(option("--night", string({ metavar: "NIGHT" }), { description: plain(help) }));
}

/**
 * `20240517`, `2024-05-17` or `last` as `YYYYMMDD`. Undefined where none is given, and for `last` in a ledger without any.
 *
 * @throws {Failure} `configuration` for anything else, also for a date that no calendar has.
 */
export function nightOf(given: string | undefined, ledger: Pick<Ledger, "nights">): string | undefined {
  if (given === undefined) return undefined;
  if (given === "last") return ledger.nights().at(-1);
  const [, year, month, day] = /^(\d{4})(-?)(\d\d)\2(\d\d)$/.exec(given)?.filter((_, index) => index !== 2) ?? [];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  // February 30 is read as March 1.
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) {
    throw new Failure("configuration", `Cannot understand the night "${given}"`, { hint: "Write it as YYYYMMDD, or last." });
  }
  return `${year}${month}${day}`;
}

/** `2024-05-17` of `20240517`. */
export function nightText(night: string): string {
  return `${night.slice(0, 4)}-${night.slice(4, 6)}-${night.slice(6)}`;
}

/** For people: that a night has no images, and which one was the last that has; null where it has some. */
export function emptyNight(night: string, command: string, ledger: Pick<Ledger, "nights">): string | null {
  const nights = ledger.nights();
  if (nights.includes(night)) return null;
  const last = nights.at(-1);
  const hint = last === undefined ? "" : `The last night with images: ${command} --night ${last}\n`;
  return `Night ${nightText(night)}: no images.\n${hint}`;
}
