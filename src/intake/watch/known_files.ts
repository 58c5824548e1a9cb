/**
 * Remembers what the last scan found to be known already, as a digest of each stretch of files, so that the next
 * scan need not ask the ledger about a hundred thousand files again. A stretch that differs in one byte of one
 * name, size or time is asked about again; every tenth scan everything is.
 *
 * @module
 */
import { type FileFacts, fingerprint } from "../../domain/source_file.ts";

/** Digests only, of the last scan and the one under way; a stretch must have the same files in the same order. */
export interface KnownFiles {
  /** A scan begins; with `afresh`, nothing is taken for known. */
  scanBegins(afresh: boolean): void;
  /** Whether the former scan found this very stretch known. */
  includes(stretch: readonly FileFacts[]): boolean;
  /** The ledger knows all of this stretch. */
  add(stretch: readonly FileFacts[]): void;
}

/** `random` gives numbers in [0, 1): the digests cannot be foreseen by whoever chooses names. */
export function knownFiles(random: () => number): KnownFiles {
  const seed = [Math.trunc(random() * 2 ** 32), Math.trunc(random() * 2 ** 32)] as const;
  let former = new Set<string>();
  let current = new Set<string>();
  let scans = 0;
  return {
    scanBegins(afresh) {
      former = afresh || scans++ % ALL_EVERY === 0 ? new Set() : current;
      current = new Set();
    },
    includes(stretch) {
      const digest = digestOf(stretch, seed);
      const known = former.has(digest);
      if (known) current.add(digest);
      return known;
    },
    add: (stretch) => void current.add(digestOf(stretch, seed)),
  };
}

/** 64 bits over paths, fingerprints and ctimes: two runs of the hash of Fowler, Noll and Vo with different seeds. */
function digestOf(stretch: readonly FileFacts[], [seedA, seedB]: readonly [number, number]): string {
  let a = seedA;
  let b = seedB;
  for (const file of stretch) {
    const text = `${file.path}\0${fingerprint(file)}\0${file.ctimeMs}\0`;
    for (let at = 0; at < text.length; at++) {
      const code = text.charCodeAt(at);
      a = Math.imul(a ^ code, 0x01000193);
      b = Math.imul(b ^ code, 0x85ebca6b) ^ (b >>> 15);
    }
  }
  return `${stretch.length}/${a >>> 0}/${b >>> 0}`;
}

/** A file may become unknown again without changing: its delivery failed while it was away. */
const ALL_EVERY = 10;
