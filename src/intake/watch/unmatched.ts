/**
 * A watched folder with files in it of which the patterns want none: most often the patterns are wrong, and without a word
 * nobody would notice.
 *
 * @module
 */
import type { Job } from "../../config/settings.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import { printable } from "../../domain/names/printable.ts";

/** Files were found, and none that is wanted. */
export interface Unmatched {
  /** How many there are. */
  readonly files: number;
  /** One of them, relative to the watched folder. */
  readonly example: string;
}

/** What a walk has found so far. */
export interface Found {
  readonly all: number;
  /** Those that the patterns want. */
  readonly wanted: number;
  readonly example: string;
  /** Of the wanted ones, those that `newer_than` leaves aside, and their bytes. */
  readonly aside: number;
  readonly asideBytes: number;
}

/** Before a walk. */
export const NOTHING_FOUND: Found = { all: 0, wanted: 0, example: "", aside: 0, asideBytes: 0 };

/** Some files, of which so many are wanted. */
export function foundIn(files: readonly { readonly path: string }[], wanted: number): Found {
  return { ...NOTHING_FOUND, all: files.length, wanted, example: files[0]?.path ?? "" };
}

/** With what was found later. */
export function andFound(found: Found, more: Found): Found {
  const { example } = found.all > 0 ? found : more;
  return {
    all: found.all + more.all,
    wanted: found.wanted + more.wanted,
    example,
    aside: found.aside + more.aside,
    asideBytes: found.asideBytes + more.asideBytes,
  };
}

/** Null where some file is wanted, or there is none at all. */
export function unmatchedOf({ all, wanted, example }: Found): Unmatched | null {
  return wanted === 0 && all > 0 ? { files: all, example } : null;
}

/** Whether the patterns of one job ever wanted a file. */
export interface PatternWatch {
  /** What a scan came to. */
  scanned(found: Found): void;
  /** A file was wanted that no scan found. */
  matched(): void;
  /** What the last scan found, as long as no file was wanted. */
  unmatched(): Unmatched | null;
}

/** Emits a notice once if nothing matches; not after a file was wanted: that one may have been removed since. */
export function patternWatch(job: Job, emit: Emit): PatternWatch {
  let ever = false;
  let told = false;
  let last: Unmatched | null = null;
  return {
    scanned(found) {
      if (found.wanted > 0) ever = true;
      last = unmatchedOf(found);
      if (ever || told || last === null) return;
      told = true;
      const { message, hint } = unmatchedText(job, last);
      emit({ type: "notice", level: "warning", message: `Job ${printable(job.name)}: ${message}. ${hint}` });
    },
    matched: () => void (ever = true),
    unmatched: () => ever ? null : last,
  };
}

/** What to say, and what a person may do. */
export function unmatchedText(
  { watchPath, filePatterns, excludePatterns }: Pick<Job, "watchPath" | "filePatterns" | "excludePatterns">,
  { files, example }: Unmatched,
): { readonly message: string; readonly hint: string } {
  const patterns = `file_patterns (${shown(filePatterns)})`;
  const rule = excludePatterns.length === 0 ? patterns : `${patterns} and is not excluded (${shown(excludePatterns)})`;
  const message = files === 1
    ? `The only file in "${printable(watchPath)}", "${printable(example)}", does not match ${rule}`
    : `None of the ${files} files in "${printable(watchPath)}" matches ${rule}, for example "${printable(example)}"`;
  return { message, hint: "If the camera writes such files, add a pattern for them to file_patterns." };
}

function shown(patterns: readonly string[]): string {
  const first = patterns.slice(0, MOST_SHOWN).map(printable).join(" ");
  return patterns.length > MOST_SHOWN ? `${first} …` : first;
}

const MOST_SHOWN = 6;
