/**
 * The fleet in a terminal: one line for each computer, worst first, and the commands that were sent.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import type { FleetCommand, FleetMember } from "../../domain/fleet.ts";
import { counted } from "../../domain/names/counted.ts";
import { printable } from "../../domain/names/printable.ts";
import { span } from "../../domain/span.ts";

const WORDS = {
  offline: "OFFLINE",
  bad: "TROUBLE",
  warning: "WAITING",
  unknown: "UNKNOWN",
  busy: "busy",
  good: "well",
} as const satisfies Record<FleetMember["level"], string>;

/** True unless it delivers, or has delivered everything. */
export function needsAPerson({ level }: FleetMember): boolean {
  return level !== "good" && level !== "busy";
}

/** The numbers in columns; below those of a computer that is not well, why. `now` is milliseconds since 1970 UTC. */
export function fleetText(members: readonly FleetMember[], now: number): string {
  if (members.length === 0) return "No computer has an account yet: image-transfer pocketbase setup --add NAME\n";
  const well = members.filter((one) => !needsAPerson(one)).length;
  const rows = [HEAD, ...members.map((one) => columnsOf(one, now))];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd();
  const lines = members.flatMap((one, index) => [line(rows[index + 1]!), ...reasonsOf(one).map((reason) => `    ${reason}`)]);
  return [`All is well on ${well} of ${counted(members.length, "computer")}.`, "", line(HEAD), ...lines]
    .map((text) => `${text}\n`).join("");
}

const HEAD = ["COMPUTER", "STATE", "FILES", "WAITING", "OLDEST", "FREE", "CLOCK", "VERSION"] as const;

/** What is not known is left empty. Free is the fullest destination. */
function columnsOf({ name, level, version, report }: FleetMember, now: number): string[] {
  const night = report?.night ?? null;
  const free = report?.destinations.flatMap(({ free_bytes }) => free_bytes ?? []) ?? [];
  const ahead = report?.clock_ahead_seconds ?? null;
  const oldest = report?.oldest_waiting ?? null;
  return [
    printable(name),
    WORDS[level],
    night === null ? "" : night.files_delivered === night.files ? `${night.files}` : `${night.files_delivered} of ${night.files}`,
    report === null ? "" : `${report.waiting}`,
    oldest === null ? "" : span(now - Date.parse(oldest)),
    free.length === 0 ? "" : formatBytes(Math.min(...free)),
    ahead === null ? "" : `${ahead > 0 ? "+" : ""}${Math.round(ahead)} s`,
    printable(version ?? ""),
  ];
}

function reasonsOf(one: FleetMember): string[] {
  const { level, headline, seconds_ago, config_error } = one;
  const seen = level === "offline" && seconds_ago !== null ? `last heard from ${span(seconds_ago * 1000)} ago: ` : "";
  return [
    ...(needsAPerson(one) ? [`${seen}${printable(headline)}`] : []),
    ...(config_error === null ? [] : [`its jobs on the server are not used: ${printable(config_error)}`]),
  ];
}

/** Who asked for what, when, and what became of it; the newest first. */
export function commandsText(commands: readonly FleetCommand[]): string {
  if (commands.length === 0) return "No commands have been sent.\n";
  return commands.map(({ at, from, to, action, argument, state, answer }) => {
    const what = printable(`${action} ${argument}`.trim());
    const result = state === "waiting" ? "no answer yet" : state;
    return `${at.slice(0, 19)}Z  ${printable(from)} to ${printable(to)}: ${what}: ${result}${
      answer === "" ? "" : ` (${printable(answer)})`
    }\n`;
  }).join("");
}
