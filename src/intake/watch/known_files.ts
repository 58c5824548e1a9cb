/**
 * What scans remember: what the last ones found to be known already, as digests, so that the next need neither ask the ledger about a
 * million files again nor, where folders tell, look at each of them; and that none of the files is wanted.
 *
 * A stretch that differs in one byte of one name, size or time is asked about anew; now and then every stretch is. A folder that has
 * not changed is left out of scans on the period, but for some in turn: a file may have been rewritten without an event.
 */
import type { Job } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import type { FormerWalks, Stretch } from "../../system/system.ts";

/** Files were found, and none that is wanted. */
export interface Unmatched {
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

export const NOTHING_FOUND: Found = { all: 0, wanted: 0, example: "", aside: 0, asideBytes: 0 };

export function foundIn(files: readonly { readonly path: string }[], wanted: number): Found {
  return { ...NOTHING_FOUND, all: files.length, wanted, example: files[0]?.path ?? "" };
}

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

/** What a scan takes for known: `nothing`, the `files` that are as they were, or also the `folders` whose names are. */
export type Trust = "nothing" | "files" | "folders";

/** Digests only, of the last scan and the one under way. */
export type KnownFiles = ReturnType<typeof knownFiles>;

interface KnownStretch {
  readonly found: Found;
  /** How often it was taken for known since the ledger was asked. */
  readonly times: number;
}

interface KnownFolder {
  readonly found: Found;
  readonly stretches: readonly string[];
  /** The last scan that looked at its files. */
  readonly lookedAt: number;
}

interface Memory {
  readonly stretches: Map<string, KnownStretch>;
  readonly folders: Map<string, KnownFolder>;
}

const nothing = (): Memory => ({ stretches: new Map(), folders: new Map() });

/**
 * `random` gives numbers in [0, 1): the digests cannot be foreseen by whoever chooses names. Scans that trust folders look at
 * `filesInTurn` files all the same, or a few more.
 */
export function knownFiles(random: () => number, filesInTurn: number) {
  const seed = Math.trunc(random() * 2 ** 32);
  let former = nothing();
  let current = nothing();
  let trusted: Pick<FormerWalks, "digests" | "folders"> = { digests: new Set(), folders: null };
  let scan = 0;
  /** Of the folder that the walk is in; null where not all of it is known. */
  let folder: Omit<KnownFolder, "lookedAt"> | null = EMPTY;

  const keep = (digest: string) => {
    const known = former.stretches.get(digest);
    if (known !== undefined) current.stretches.set(digest, known);
  };

  return {
    /** A scan begins. Gives what its walk need not list. */
    scanBegins(trust: Trust, foldersTell: boolean): FormerWalks {
      scan += 1;
      former = trust === "nothing" ? nothing() : current;
      current = nothing();
      folder = EMPTY;
      const known = [...former.stretches].filter(([, { times }]) => times < ASKED_EVERY - 1);
      const folders = new Set(trust === "folders" ? leftOut(former.folders, filesInTurn) : []);
      trusted = { digests: new Set(known.map(([digest]) => digest)), folders: foldersTell ? folders : null };
      return { seed, ...trusted };
    },
    /** What the stretch consists of, if all of it is taken for known. */
    found({ digest }: Stretch): Found | undefined {
      if (trusted.folders?.has(digest)) return former.folders.get(digest)?.found;
      return trusted.digests.has(digest) ? former.stretches.get(digest)?.found : undefined;
    },
    /** What the next stretch of the walk consists of; null if the ledger does not know all of it. */
    note({ digest, goesOn, folder: whole }: Stretch, found: Found | null): void {
      const unread = former.folders.get(digest);
      if (unread !== undefined) {
        current.folders.set(digest, unread);
        unread.stretches.forEach(keep);
      } else if (found !== null) {
        const times = trusted.digests.has(digest) ? (former.stretches.get(digest)?.times ?? 0) + 1 : 0;
        current.stretches.set(digest, { found, times });
      }
      folder = found && folder && { found: andFound(folder.found, found), stretches: [...folder.stretches, digest] };
      if (goesOn) return;
      if (whole !== undefined && folder !== null) current.folders.set(whole, { ...folder, lookedAt: scan });
      folder = EMPTY;
    },
  };
}

/** All folders but those whose turn it is: the ones that nobody looked into for longest. */
function leftOut(folders: ReadonlyMap<string, KnownFolder>, filesInTurn: number): string[] {
  const longest = [...folders].sort(([, a], [, b]) => a.lookedAt - b.lookedAt);
  let files = 0;
  const turn = longest.findIndex(([, { found }]) => (files += found.all) - found.all >= filesInTurn);
  return turn < 0 ? [] : longest.slice(turn).map(([digest]) => digest);
}

const EMPTY = { found: NOTHING_FOUND, stretches: [] } as const;
/** A file may become unknown again without changing: its delivery failed while it was away. */
const ASKED_EVERY = 10;

/** Null where some file is wanted, or there is none at all. */
export function unmatchedOf({ all, wanted, example }: Found): Unmatched | null {
  return wanted === 0 && all > 0 ? { files: all, example } : null;
}

/** Whether the patterns of one job ever wanted a file. */
export type PatternWatch = ReturnType<typeof patternWatch>;

/** Emits a notice once if nothing matches; not after a file was wanted: that one may have been removed since. */
export function patternWatch(job: Job, emit: Emit) {
  let ever = false;
  let told = false;
  let last: Unmatched | null = null;
  return {
    /** What a scan came to. */
    scanned(found: Found): void {
      if (found.wanted > 0) ever = true;
      last = unmatchedOf(found);
      if (ever || told || last === null) return;
      told = true;
      const { message, hint } = unmatchedText(job, last);
      emit({ type: "notice", level: "warning", message: `Job ${printable(job.name)}: ${message}. ${hint}` });
    },
    /** A file was wanted that no scan found. */
    matched: (): void => void (ever = true),
    /** What the last scan found, as long as no file was wanted. */
    unmatched: (): Unmatched | null => ever ? null : last,
  };
}

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
