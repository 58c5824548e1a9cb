/**
 * How the morning report looks: on a light or dark screen, on a phone, on paper.
 *
 * @module
 */

/** For the `style` element of the report. */
export const REPORT_CSS = `
:root { color-scheme: light dark; --text: #1d1d1f; --dim: #5f5f66; --paper: #fff; --line: #ddd; --well: #2e7d32; --bad: #b3261e; }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--text); background: var(--paper); max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.35rem; padding-left: .75rem; border-left: .4rem solid var(--well); overflow-wrap: anywhere; }
h1.bad { border-color: var(--bad); }
h2 { font-size: 1rem; margin: 1.5rem 0 .5rem; break-after: avoid; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .35rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; min-width: 3.5rem; }
td { overflow-wrap: anywhere; }
td.path { min-width: 14rem; }
tr { break-inside: avoid; }
.number { font-variant-numeric: tabular-nums; }
.small { color: var(--dim); font-size: .8rem; }
@media screen and (prefers-color-scheme: dark) {
  :root { --text: #e4e0dc; --dim: #a49c95; --paper: #17140f; --line: #3a342e; --well: #66bb6a; --bad: #f2786d; }
}
@media print { body { margin: 0; max-width: none; font-size: 11pt; } .wide { overflow: visible; } td.path { min-width: 0; } }
`;
