/**
 * The morning report as text, for a terminal or a mail.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { pathField, printable } from "../domain/printable.ts";
import type { MorningReport, ReportDestination } from "./morning_report.ts";

/** Ends with a line end. */
export function reportText(report: MorningReport): string {
  const { night, all_well, seen, not_taken, destinations, gaps, slowest, undelivered } = report;
  const lines = [
    `Night ${dated(night)}: ${verdictOf(report)}`,
    "",
    `${count(seen.files, "image")} seen, ${formatBytes(seen.bytes)}`,
    ...destinations.map((destination) => destinationLine(destination, destinations)),
  ];
  for (const { name, wrong, wrong_count } of destinations) {
    if (wrong.length > 0) lines.push("", `Not as delivered on ${printable(name)}:`);
    for (const { target, reason } of wrong) lines.push(`  ${pathField(target)}: ${printable(reason)}`);
    if (wrong_count > wrong.length) lines.push(`  … and ${wrong_count - wrong.length} more`);
  }
  if (not_taken.count + not_taken.problems.length > 0) lines.push("", "Not taken at the camera:");
  for (const problem of not_taken.problems) lines.push(`  ${printable(problem)}`);
  for (const { path, message, hint } of not_taken.files) {
    lines.push(`  ${pathField(path)}: ${printable(message)}`);
    if (hint !== "") lines.push(`      ${printable(hint)}`);
  }
  if (not_taken.count > not_taken.files.length) lines.push(`  … and ${not_taken.count - not_taken.files.length} more`);
  if (gaps.length > 0) lines.push("", "Frame numbers without a file:");
  for (const { series, missing, missingCount } of gaps) {
    lines.push(`  ${pathField(series)}: ${missing.join(", ")} (${missingCount})`);
  }
  if (undelivered.length > 0) lines.push("", "Not delivered:");
  for (const { id, path, destination, state, message, hint } of undelivered) {
    lines.push(`  ${id}  ${state} to ${printable(destination)}: ${pathField(path)}`, `      ${printable(message)}`);
    if (hint !== "") lines.push(`      ${printable(hint)}`);
  }
  if (slowest.length > 0) lines.push("", "Slowest, from finished to proven:");
  for (const { path, destination, seconds } of slowest.slice(0, all_well ? 3 : 10)) {
    lines.push(`  ${duration(seconds).padStart(8)}  ${printable(destination)}  ${pathField(path)}`);
  }
  return `${lines.join("\n")}\n`;
}

/** The whole report in a sentence. */
export function verdictOf({ all_well, seen, not_taken, destinations, gaps }: MorningReport): string {
  if (seen.files === 0 && not_taken.problems.length === 0) return "no images";
  const names = [...new Set(destinations.map(({ name }) => printable(name)))].join(" and ");
  if (all_well) return `all well, ${seen.files === 1 ? "the one image is" : `all ${seen.files} images are`} on ${names}`;
  const faults = [
    ...not_taken.count > 0 ? [`${not_taken.count} not taken at the camera`] : [],
    ...not_taken.problems.length > 0 ? ["a watched folder cannot be looked into"] : [],
    ...destinations.filter(({ delivered, expected }) => delivered < expected)
      .map(({ name, delivered, expected }) => `${expected - delivered} not on ${printable(name)}`),
    ...destinations.filter(({ wrong_count }) => wrong_count > 0)
      .map(({ name, wrong_count }) => `${wrong_count} missing or changed on ${printable(name)}`),
    ...destinations.filter(({ present }) => present === null).map(({ name }) => `${printable(name)} cannot be asked`),
    ...destinations.filter(({ proven, delivered }) => proven < delivered)
      .map(({ name, proven, delivered }) => `${delivered - proven} not proven on ${printable(name)}`),
    ...gaps.length === 0 ? [] : [`${gaps.reduce((sum, { missingCount }) => sum + missingCount, 0)} frame numbers missing`],
  ];
  return `NOT all well: ${faults.join(", ")}`;
}

function destinationLine(one: ReportDestination, all: readonly ReportDestination[]): string {
  const width = Math.max(...all.map(({ name }) => printable(name).length));
  const { name, expected, delivered, proven, replaced, present, hashed, bytes, problem } = one;
  const newer = replaced === 0 ? "" : `, ${replaced} replaced by newer versions`;
  const there = present === null
    ? `not looked at: ${printable(problem ?? "")}`
    : `${present} present${hashed ? " (hashed again)" : ""}${newer}`;
  const part = delivered === expected ? String(delivered) : `${delivered} of ${expected}`;
  return `  ${printable(name).padEnd(width)}  ${part} delivered, ${proven} proven, ${there}, ${formatBytes(bytes)}`;
}

/** `20260115` as `2026-01-15`. */
export function dated(night: string): string {
  return night.replace(/^(\d{4})(\d\d)(\d\d)$/, "$1-$2-$3");
}

/** For people: `4.2 s`, `3 min 12 s`, `2 h 5 min`. */
export function duration(seconds: number): string {
  const tenths = Math.round(seconds * 10) / 10;
  if (tenths < 60) return `${tenths.toFixed(1)} s`;
  // Rounded before it is split: 119.7 s are two minutes.
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
