/** The last lines of a terminal: a progress bar for each destination that is being sent to. The log lines scroll above them. */
import { format as formatBytes } from "@std/fmt/bytes";
import { bold, cyan, dim } from "@std/fmt/colors";
import { printable } from "../domain/names/printable.ts";
import { fitted, widthOf } from "../domain/wrapped.ts";
import type { Running } from "./progress.ts";

/** A board on a terminal of `columns()` characters. Writes cursor movements (ECMA-48): for a terminal only. */
export function board(write: (text: string) => void, columns: () => number) {
  let drawn: readonly string[] = [];
  const wipe = (): string => drawn.length > 0 ? `\x1b[${drawn.length}A\x1b[0J` : "";
  const show = (): string => drawn.map((line) => `${line}\n`).join("");
  return {
    /** Writes a log line above the bars, wrapped to the width. */
    line(text: string): void {
      write(wipe() + fitted(text, columns()) + show());
    },
    /** Redraws the bars, and `below` them a line, cut to the width; none where it is empty. */
    draw(running: readonly Running[], below = ""): void {
      const before = wipe();
      const lines = [
        ...running.map((one) => bar(one, columns())),
        ...(below === "" ? [] : [dim(below.length < columns() ? below : `${below.slice(0, Math.max(columns() - 2, 0))}…`)]),
      ];
      if (lines.join() === drawn.join()) return;
      drawn = lines;
      write(before + show());
    },
  };
}

/** `freya  ████████░░░░░░░░  47 %  23.1 MB of 48.9 MB  11.2 MB/s  12 files  m31_0012.fits`, cut to the width. */
export function bar(running: Running, columns: number): string {
  const share = running.total > 0 ? Math.min(running.bytes / running.total, 1) : 0;
  const filled = Math.round(share * BAR);
  const facts = [
    `${String(Math.floor(share * 100)).padStart(3)} %`,
    `${formatBytes(running.bytes)} of ${formatBytes(running.total)}`,
    `${formatBytes(Math.round(running.bytesPerSecond))}/s`,
    running.files === 1 ? "" : `${running.files} files`,
  ].filter((text) => text !== "").join("  ");
  const name = printable(running.destination);
  const room = columns - 1 - name.length - BAR - facts.length - 6;
  const path = room > 8 ? shortened(printable(running.path), room) : "";
  if (columns < name.length + BAR + facts.length + 5) return `${name} ${facts}`.slice(0, Math.max(columns - 1, 1));
  return `${bold(name)}  ${cyan("█".repeat(filled))}${dim("░".repeat(BAR - filled))}  ${facts}  ${dim(path)}`;
}

const BAR = 16;

/** The end of a path is what tells files apart. */
function shortened(text: string, room: number): string {
  if (widthOf(text) <= room) return text;
  let end = text.slice(-room);
  while (widthOf(end) >= room) end = end.slice(1);
  return `…${end}`;
}
