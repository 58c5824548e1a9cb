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

/** Counts what a walk finds. */
export interface Matching {
  readonly wanted: number;
  readonly all: number;
  /** Null where some file is wanted, or there is none at all. */
  readonly unmatched: Unmatched | null;
  /** Some of the files found, and those of them that are wanted. */
  count(files: readonly { readonly path: string }[], wanted: number): void;
}

/** For one walk. */
export function matching(): Matching {
  let [all, wanted, example] = [0, 0, ""];
  return {
    get all() {
      return all;
    },
    get wanted() {
      return wanted;
    },
    get unmatched() {
      return wanted === 0 && all > 0 ? { files: all, example } : null;
    },
    count(files, some) {
      if (all === 0) example = files[0]?.path ?? "";
      all += files.length;
      wanted += some;
    },
  };
}

/** Whether the patterns of one job ever wanted a file. */
export interface PatternWatch {
  /** What a scan came to. */
  scanned(found: { readonly files: number; readonly unmatched: Unmatched | null }): void;
  /** A file was wanted that no scan found. */
  matched(): void;
  /** What the last scan found, as long as no file was wanted. */
  unmatched(): Unmatched | null;
}

/** `tell` hears once that nothing matches; not after a file was wanted: that one may have been removed since. */
export function patternWatch(job: Job, emit: Emit): PatternWatch {
  let ever = false;
  let told = false;
  let last: Unmatched | null = null;
  return {
    scanned({ files, unmatched }) {
      if (files > 0) ever = true;
      last = unmatched;
      if (ever || told || unmatched === null) return;
      told = true;
      const { message, hint } = unmatchedText(job, unmatched);
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
