/**
 * Remembers what the last scan found to be known already, as a digest of each batch of files, so that the next scan need not ask the
 * ledger about a million files again. A batch that differs in one byte of one name, size or time is asked about anew; now and then
 * everything is.
 *
 * @module
 */
import type { WalkOptions } from "../../system/system.ts";
import type { Found } from "./unmatched.ts";

/** Digests only, of the last scan and the one under way. */
export interface KnownFiles {
  /** A scan begins; with `afresh`, nothing is taken for known. Gives what its walk need not list. */
  scanBegins(afresh: boolean): NonNullable<WalkOptions["known"]>;
  /** What the batch of this digest consists of, if the former scan found all of it known. */
  found(digest: string | undefined): Found | undefined;
  /** The ledger knows all of this batch. */
  add(digest: string | undefined, found: Found): void;
}

/** `random` gives numbers in [0, 1): the digests cannot be foreseen by whoever chooses names. */
export function knownFiles(random: () => number): KnownFiles {
  const seed = Math.trunc(random() * 2 ** 32);
  let former = new Map<string, Found>();
  let current = new Map<string, Found>();
  let scans = 0;
  return {
    scanBegins(afresh) {
      former = afresh || scans++ % ALL_EVERY === 0 ? new Map() : current;
      current = new Map();
      return { seed, digests: new Set(former.keys()) };
    },
    found(digest = "") {
      const found = former.get(digest);
      if (found !== undefined) current.set(digest, found);
      return found;
    },
    add: (digest, found) => void (digest !== undefined && current.set(digest, found)),
  };
}

/** A file may become unknown again without changing: its delivery failed while it was away. */
const ALL_EVERY = 10;
