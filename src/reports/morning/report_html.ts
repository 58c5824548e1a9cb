/** The morning report as one HTML file. */
import { format as formatBytes } from "@std/fmt/bytes";
import type { MorningReport } from "./morning_json.ts";
import { htmlPage, table } from "./html_page.ts";
import { auditText, dated, duration } from "./report_text.ts";
import { verdictOf } from "./verdict.ts";

/** A whole document; all text from outside is escaped. */
export function reportHtml(report: MorningReport): string {
  const { night, all_well, seen, made_at } = report;
  return htmlPage({
    title: `Night ${dated(night)}: ${verdictOf(report)}`,
    isWell: all_well,
    summary: `${seen.files} ${seen.files === 1 ? "image" : "images"} seen, ${formatBytes(seen.bytes)}.`,
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
      destinations.map(({ job, name, expected, delivered, proven, replaced, present, hashed, bytes, problem }) => [
        job,
        name,
        expected,
        delivered,
        proven,
        present === null
          ? problem ?? ""
          : `${present}${hashed ? " (hashed again)" : ""}${replaced > 0 ? `, ${replaced} replaced by newer versions` : ""}`,
        formatBytes(bytes),
      ]),
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
