/** The morning report for people: as text, for a terminal or a mail, and as one HTML file. */
import { format as formatBytes } from "@std/fmt/bytes";
import { NOTHING_TO_CHECK } from "../../domain/audit.ts";
import { counted } from "../../domain/words.ts";
import { pathField, printable } from "../../domain/names/printable.ts";
import { type MorningReport, namesIn, type ReportAudit, type ReportDestination, verdictOf } from "./morning_json.ts";
import { htmlPage, table } from "./html_page.ts";

/** Ends with a line end. */
export function reportText(report: MorningReport): string {
  const { night, all_well, seen, not_taken, flagged, destinations, audits, gaps, slowest, undelivered, undelivered_count } =
    report;
  const called = namesIn(report.destinations);
  const more = (count: number) => count > 0 ? [`  … and ${count} more`] : [];
  const lines = [
    `Night ${dated(night)}: ${verdictOf(report)}`,
    ...nowLines(report),
    "",
    `${counted(seen.files, "image")} seen, ${formatBytes(seen.bytes)}`,
    ...destinations.map((destination) => destinationLine(destination, destinations.map(called), called)),
  ];
  for (const destination of destinations) {
    const { wrong, wrong_count } = destination;
    if (wrong.length > 0) lines.push("", `Missing or changed on ${called(destination)}:`);
    for (const { target, reason } of wrong) lines.push(`  ${pathField(target)}: ${printable(reason)}`);
    lines.push(...more(wrong_count - wrong.length));
  }
  if (not_taken.count + not_taken.problems.length > 0) lines.push("", "Not picked up at the camera:");
  for (const problem of not_taken.problems) lines.push(`  ${printable(problem)}`);
  for (const { path, message, hint } of not_taken.files) {
    lines.push(`  ${pathField(path)}: ${printable(message)}`);
    if (hint !== "") lines.push(`      ${printable(hint)}`);
  }
  lines.push(...more(not_taken.count - not_taken.files.length));
  if (audits.length > 0) lines.push("", "Audit of delivered files:");
  for (const audit of audits) lines.push(`  ${called(audit)}: ${auditText(audit)}`);
  if (gaps.length > 0) lines.push("", "Missing frame numbers:");
  for (const { series, missing, missingCount } of gaps) {
    lines.push(`  ${pathField(series)}: ${missing.join(", ")} (${missingCount})`);
  }
  if (undelivered.length > 0) lines.push("", "Not delivered:");
  for (const { id, job, path, destination: name, state, message, hint } of undelivered) {
    lines.push(`  ${id}  ${state} to ${called({ job, name })}: ${pathField(path)}`, `      ${printable(message)}`);
    if (hint !== "") lines.push(`      ${printable(hint)}`);
  }
  lines.push(...more(undelivered_count - undelivered.length));
  if (flagged.count > 0) lines.push("", "Sent with a warning:");
  for (const { path, message } of flagged.files) lines.push(`  ${pathField(path)}: ${printable(message)}`);
  lines.push(...more(flagged.count - flagged.files.length));
  if (slowest.length > 0) lines.push("", "Slowest, from finished to verified:");
  for (const { job, path, destination: name, seconds } of slowest.slice(0, all_well ? 3 : 10)) {
    lines.push(`  ${duration(seconds).padStart(8)}  ${called({ job, name })}  ${pathField(path)}`);
  }
  return `${lines.join("\n")}\n`;
}

/** What an audit found, for people. */
function auditText({ begun_at, checked, changed, unreadable, sent_again, damaged, vanished }: ReportAudit): string {
  if (begun_at === null) return "not begun yet";
  if (checked === 0) return `${NOTHING_TO_CHECK} since ${begun_at.slice(0, 10)}`;
  const all = Object.entries({ damaged, vanished, changed, unreadable, "sent again": sent_again });
  const parts = all.filter(([, count]) => count > 0).map(([what, count]) => `${count} ${what}`);
  const found = parts.length === 0 ? "all as delivered" : parts.join(", ");
  return `${counted(checked, "file")} hashed again since ${begun_at.slice(0, 10)}, ${found}`;
}

/** What is wrong at this moment; none while all is well. */
function nowLines({ headline }: MorningReport): string[] {
  if (headline === null || headline.level === "good" || headline.level === "busy") return [];
  const text = printable(headline.text).replace(/\.$/, "");
  return [`Now: ${text}.${headline.advice === "" ? "" : ` ${printable(headline.advice)}`}`];
}

function destinationLine(one: ReportDestination, all: readonly string[], called: ReturnType<typeof namesIn>): string {
  const width = Math.max(...all.map((name) => name.length));
  const { expected, delivered, proven, bytes, present, problem } = one;
  const there = present === null ? `not checked: ${printable(problem ?? "")}` : presentText(present, one, " present");
  const part = delivered === expected ? String(delivered) : `${delivered} of ${expected}`;
  return `  ${called(one).padEnd(width)}  ${part} delivered, ${proven} verified, ${there}, ${formatBytes(bytes)}`;
}

function presentText(present: number, { hashed, replaced }: ReportDestination, noun = ""): string {
  return `${present}${noun}${hashed ? " (hashed again)" : ""}${replaced > 0 ? `, ${replaced} replaced by newer versions` : ""}`;
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

/** A whole document; all text from outside is escaped. */
export function reportHtml(report: MorningReport): string {
  const { night, all_well, seen, made_at } = report;
  return htmlPage({
    title: `Night ${dated(night)}: ${verdictOf(report)}`,
    isWell: all_well,
    summary: `${counted(seen.files, "image")} seen, ${formatBytes(seen.bytes)}.`,
    tables: tables(report),
    madeAt: made_at,
  });
}

function tables(
  { destinations, not_taken, flagged, audits, gaps, undelivered, undelivered_count, slowest }: MorningReport,
): string {
  const wrong = destinations.flatMap(({ job, name, wrong }) =>
    wrong.map(({ target, reason }) => [job, name, { path: target }, reason])
  );
  const wrongCount = destinations.reduce((sum, { wrong_count }) => sum + wrong_count, 0);
  return [
    table(
      "Destinations",
      ["Job", "Destination", "Expected", "Delivered", "Verified", "Present", "Size"],
      destinations.map((one) => {
        const { job, name, expected, delivered, proven, present, bytes, problem } = one;
        const there = present === null ? problem ?? "" : presentText(present, one);
        return [job, name, expected, delivered, proven, there, formatBytes(bytes)];
      }),
    ),
    table("Missing or changed", ["Job", "Destination", "File", "Why"], wrong, wrongCount),
    table("Watched folders that cannot be read", ["Why"], not_taken.problems.map((problem) => [problem])),
    table(
      "Not picked up at the camera",
      ["Job", "File", "Why", "What to do"],
      not_taken.files.map(({ job, path, message, hint }) => [job, { path }, message, hint]),
      not_taken.count,
    ),
    table(
      "Audit of delivered files",
      ["Job", "Destination", "Found"],
      audits.map((audit) => [audit.job, audit.name, auditText(audit)]),
    ),
    table(
      "Missing frame numbers",
      ["Job", "Series", "Missing", "Numbers"],
      gaps.map(({ job, series, missing, missingCount }) => [job, { path: series }, missingCount, missing.join(", ")]),
    ),
    table(
      "Not delivered",
      ["Number", "Job", "Destination", "File", "Why", "What to do"],
      undelivered.map(({ id, job, destination, path, message, hint }) => [id, job, destination, { path }, message, hint]),
      undelivered_count,
    ),
    table(
      "Sent with a warning",
      ["Job", "File", "Warning"],
      flagged.files.map(({ job, path, message }) => [job, { path }, message]),
      flagged.count,
    ),
    table(
      "Slowest, from finished to verified",
      ["Time", "Job", "Destination", "File"],
      slowest.map(({ job, seconds, destination, path }) => [duration(seconds), job, destination, { path }]),
    ),
  ].join("");
}
