/**
 * The morning report as one HTML file, for a mail or a web folder: nothing is loaded from elsewhere, no script.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { printable } from "../domain/names/printable.ts";
import { isRightToLeft, pathParts } from "../domain/reading_direction.ts";
import type { MorningReport } from "./morning_report.ts";
import { REPORT_CSS } from "./report_css.ts";
import { dated, duration, verdictOf } from "./report_text.ts";

/** A whole document; all text from outside is escaped. */
export function reportHtml(report: MorningReport): string {
  const { night, all_well, seen, made_at } = report;
  const verdict = `Night ${dated(night)}: ${verdictOf(report)}`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${text(verdict)}</title>
<style>${REPORT_CSS}</style>
</head>
<body>
<h1 class="${all_well ? "well" : "bad"}">${text(verdict)}</h1>
<p>${seen.files} ${seen.files === 1 ? "image" : "images"} seen, ${formatBytes(seen.bytes)}.</p>
${tables(report)}<p class="small">Made by image-transfer at ${text(made_at)}.</p>
</body>
</html>
`;
}

function tables({ destinations, not_taken, flagged, gaps, undelivered, undelivered_count, slowest }: MorningReport): string {
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

type Cell = string | number | { readonly path: string };

/** Nothing where there are no rows; `all` counts those as well that are not listed. */
function table(title: string, head: readonly string[], rows: readonly (readonly Cell[])[], all = rows.length): string {
  if (rows.length === 0) return "";
  const more = all - rows.length;
  const last = more > 0 ? `\n<tr><td colspan="${head.length}">… and ${more} more</td></tr>` : "";
  return `<h2>${text(title)}${all > rows.length ? ` (${all})` : ""}</h2>
<div class="wide" tabindex="0" role="region" aria-label="${text(title)}">
<table>
<thead><tr>${head.map((name) => `<th scope="col">${text(name)}</th>`).join("")}</tr></thead>
<tbody>
${rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n")}${last}
</tbody>
</table>
</div>
`;
}

function cell(value: Cell): string {
  if (typeof value === "number") return `<td class="number">${value}</td>`;
  if (typeof value === "string") return `<td>${text(value)}</td>`;
  const parts = isRightToLeft(value.path) ? pathParts(value.path) : null;
  const shown = parts?.map((part) => part === "/" ? part : `<bdi>${text(part)}</bdi>`).join("") ?? text(value.path);
  return `<td class="path">${shown}</td>`;
}

/** Names from disks may hold anything. */
function text(words: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return printable(words).replace(/[&<>"']/g, (character) => entities[character]!);
}
