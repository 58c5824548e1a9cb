/** A report as one HTML file, for a mail or a web folder: nothing is loaded from elsewhere, no script. */
import { printable } from "../../domain/names/printable.ts";
import { isRightToLeft, pathParts } from "../../domain/words.ts";

interface HtmlPage {
  /** The whole report in a sentence. */
  readonly title: string;
  readonly isWell: boolean;
  readonly summary: string;
  /** Each made by {@linkcode table}. */
  readonly tables: string;
  /** ISO 8601. */
  readonly madeAt: string;
}

/** A whole document; all text from outside is escaped. */
export function htmlPage({ title, isWell, summary, tables, madeAt }: HtmlPage): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="content-security-policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${text(title)}</title>
<style>${REPORT_CSS}</style>
</head>
<body>
<h1 class="${isWell ? "well" : "bad"}">${text(title)}</h1>
<p>${text(summary)}</p>
${tables}<p class="small">Made by image-transfer at ${text(madeAt)}.</p>
</body>
</html>
`;
}

/** A path is shown in the order in which it is written. */
type Cell = string | number | { readonly path: string };

/** Nothing where there are no rows; `all` counts those as well that are not listed. */
export function table(title: string, head: readonly string[], rows: readonly (readonly Cell[])[], all = rows.length): string {
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
