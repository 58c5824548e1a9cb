/**
 * The morning report as one HTML file, for a mail or a web folder: nothing is loaded from elsewhere, no script.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { printable } from "../domain/printable.ts";
import type { MorningReport } from "./morning_report.ts";
import { dated, duration, verdictOf } from "./report_text.ts";

/** A whole document; all text from outside is escaped. */
export function reportHtml(report: MorningReport): string {
  const { night, all_well, seen, not_taken, destinations, gaps, slowest, undelivered, made_at } = report;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Night ${text(dated(night))}</title>
<style>${STYLE}</style>
</head>
<body>
<h1 class="${all_well ? "well" : "bad"}">Night ${text(dated(night))}: ${text(verdictOf(report))}</h1>
<p>${seen.files} ${seen.files === 1 ? "image" : "images"} seen, ${formatBytes(seen.bytes)}.</p>
${
    table(
      "Destinations",
      ["Destination", "Expected", "Delivered", "Proven", "Present", "Size"],
      destinations.map(({ name, expected, delivered, proven, replaced, present, hashed, bytes, problem }) => [
        name,
        expected,
        delivered,
        proven,
        present === null
          ? problem ?? ""
          : `${present}${hashed ? " (hashed again)" : ""}${replaced > 0 ? `, ${replaced} replaced by newer versions` : ""}`,
        formatBytes(bytes),
      ]),
    )
  }${
    table(
      "Not as delivered",
      ["Destination", "File", "Why"],
      destinations.flatMap(({ name, wrong }) => wrong.map(({ target, reason }) => [name, target, reason])),
    )
  }${
    table("Not taken at the camera", ["File", "Why", "What to do"], [
      ...not_taken.problems.map((problem) => ["", problem, ""]),
      ...not_taken.files.map(({ path, message, hint }) => [path, message, hint]),
    ])
  }${
    table("Frame numbers without a file", ["Series", "Missing"], gaps.map(({ series, missing }) => [series, missing.join(", ")]))
  }${
    table(
      "Not delivered",
      ["Number", "Destination", "File", "Why", "What to do"],
      undelivered.map(({ id, destination, path, message, hint }) => [id, destination, path, message, hint]),
    )
  }${
    table(
      "Slowest, from finished to proven",
      ["Time", "Destination", "File"],
      slowest.map(({ seconds, destination, path }) => [duration(seconds), destination, path]),
    )
  }<p class="small">Made by image-transfer at ${text(made_at)}.</p>
</body>
</html>
`;
}

function table(title: string, head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  if (rows.length === 0) return "";
  const cell = (value: string | number) =>
    typeof value === "number" ? `<td class="number">${value}</td>` : `<td>${text(value)}</td>`;
  return `<h2>${text(title)}</h2>
<table>
<tr>${head.map((name) => `<th scope="col">${text(name)}</th>`).join("")}</tr>
${rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n")}
</table>
`;
}

/** Names from disks may hold anything. */
function text(words: string): string {
  const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
  return printable(words).replace(/[&<>"']/g, (character) => entities[character]!);
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; color: #1d1d1f; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.35rem; padding-left: .75rem; border-left: .4rem solid #2e7d32; }
h1.bad { border-color: #b3261e; }
h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid #ddd; overflow-wrap: anywhere; vertical-align: top; }
.number { font-variant-numeric: tabular-nums; }
.small { color: #666; font-size: .8rem; }
`;
