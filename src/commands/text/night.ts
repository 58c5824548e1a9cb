/** The night that a command is given: how it is written, what it means, and what is printed if it has no images. */
import { Failure } from "../../domain/failure.ts";
import { pathField, printable } from "../../domain/names/printable.ts";
import { withoutName } from "../../domain/names/reason.ts";
import { wrapped } from "../../domain/wrapped.ts";
import type { DeliveryQuery, History } from "../../ledger/history.ts";
import type { NotSent } from "../../reports/overview/status_json.ts";
import type { Tools } from "../command.ts";
import { reportOf } from "../service/installed_service.ts";
import { given, nameValue } from "../options.ts";

export const nightOption = given("--night", nameValue("NIGHT", "NIGHT"), "Only this observing night: YYYYMMDD, or last");

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

/** Those that the running daemon reports; null if no daemon responds. */
export async function notSentNow(
  { job, search = "" }: Pick<DeliveryQuery, "job" | "search">,
  stateDirectory: string,
  tools: Tools,
): Promise<NotSent[] | null> {
  const report = await reportOf(stateDirectory, tools);
  if (report === null) return null;
  return report.jobs.filter(({ name }) => job === undefined || name === job).flatMap(({ not_sent }) => not_sent ?? [])
    .filter(({ path }) => path.toLowerCase().includes(search.toLowerCase()));
}

/** Each on a line of its own, below it why, and what to do; the first `most` of them. */
export function notSentLines(files: readonly NotSent[], columns: number, most: number): string[] {
  const lines = files.slice(0, most).flatMap(({ path, reason, message, hint }) => [
    `  NOT SENT (${reason}): ${pathField(path)}`,
    ...wrapped(printable(withoutName(message, path)), columns, HANGING, HANGING),
    ...(hint ? wrapped(printable(hint), columns, HANGING, HANGING) : []),
  ]);
  return files.length > most ? [...lines, "  … and more: the log lists them all"] : lines;
}

const HANGING = " ".repeat(6);
