/**
 * The morning report as one HTML file, for a mail or a web folder: nothing is loaded from elsewhere, no script.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { printable } from "../../domain/names/printable.ts";
import { isRightToLeft, pathParts } from "../../domain/reading_direction.ts";
import type { MorningReport } from "./morning_json.ts";
import { auditText, dated, duration } from "./report_text.ts";
import { verdictOf } from "./verdict.ts";

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

type Cell = string | number | { readonly path: string };

/** Nothing where there are no rows; `all` counts those as well that are not listed. */
function table(title: string, head: readonly string[], rows: readonly (readonly Cell[])[], all = rows.length): string {
  if (rows.length === 0) return "";
  const more = all - rows.length;
  const last = more > 0 ? `\n<tr><td colspan="${head.length}">… and ${more} more</td></tr>` : "";
  return `<section>
<h2>${text(title)}${all > rows.length ? ` (${all})` : ""}</h2>
<div class="wide" tabindex="0" role="region" aria-label="${text(title)}">
<table>
<thead><tr>${head.map((name) => `<th scope="col">${text(name)}</th>`).join("")}</tr></thead>
<tbody>
${rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n")}${last}
</tbody>
</table>
</div>
</section>
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

/** For the `style` element of the report: colours and measures of the page (`web/page/theme.css`). */
const REPORT_CSS = `
:root { color-scheme: light dark; --bg: #f3efe8; --surface: #fbf9f5; --line: #ddd5c8; --text: #241e18; --dim: #655a4d; --good: #2b6844; --bad: #a8261c; }
@media screen and (prefers-color-scheme: dark) {
  :root { --bg: #0f0c0b; --surface: #181412; --line: #362d28; --text: #d9c8b9; --dim: #a89686; --good: #9db383; --bad: #f0796a; }
}
body { font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; color: var(--text); background: var(--bg); max-width: 76rem; margin: 0 auto; padding: 1.25rem; }
h1, section { border: 1px solid var(--line); border-radius: .75rem; background: var(--surface); padding: 1rem 1.25rem; margin: 0 0 1rem; }
h1 { font-size: 1.45rem; line-height: 1.3; border-left: .4rem solid var(--good); overflow-wrap: anywhere; }
h1.bad { border-left-color: var(--bad); }
h2 { font-size: 1.1rem; margin: 0 0 .6rem; break-after: avoid; }
p { margin: 0 .25rem 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .95rem; }
th, td { text-align: left; padding: .45rem .9rem .45rem 0; border-bottom: 1px solid var(--line); vertical-align: top; min-width: 3.5rem; }
th { color: var(--dim); font-weight: 400; font-size: .88rem; }
tr:last-child td { border-bottom: 0; }
td { overflow-wrap: anywhere; }
td.path { min-width: 14rem; font-family: ui-monospace, "SFMono-Regular", "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace; font-size: .88rem; }
tr { break-inside: avoid; }
.number { font-variant-numeric: tabular-nums; }
.small { color: var(--dim); font-size: .85rem; }
@media print {
  :root { --bg: #fff; --surface: #fff; }
  body { margin: 0; padding: 0; max-width: none; font-size: 11pt; }
  section { break-inside: auto; }
  .wide { overflow: visible; }
  td.path { min-width: 0; }
}
`;
