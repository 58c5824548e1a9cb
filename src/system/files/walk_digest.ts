/**
 * The digest of a stretch of a walk: 64 bits over all that is known of its files. The Worker of the walk bundles it.
 *
 * @module
 */
import type { FileFacts } from "../../domain/source_file.ts";

/** The digest of one stretch after the other. */
interface WalkDigest {
  /**
   * One file more. True if the stretch should end here, after some 1,000 files: their names alone decide, so a file more or less in the
   * tree changes one stretch, not all those after it.
   */
  add(file: FileFacts): boolean;
  /** The digest of those added since the last call. */
  take(): string;
}

/** With another seed the digests are others, so nobody who chooses names can foresee them. */
export function walkDigest(seed: number): WalkDigest {
  let count = 0;
  let a = seed | 0;
  let b = ~seed | 0;
  // The hash of Fowler, Noll and Vo twice, with other primes.
  const mix = (value: number) => {
    a = Math.imul(a ^ value, 0x01000193);
    b = Math.imul(b ^ value, 0x85ebca6b) ^ (b >>> 15);
  };
  const mixNumber = (value: number) => {
    mix(value | 0);
    mix((value / 2 ** 32) | 0);
  };
  const mixText = (text: string) => {
    for (let at = 0; at < text.length; at++) mix(text.charCodeAt(at));
    mix(text.length);
  };
  return {
    add({ path, size, mtimeMs, ctimeMs, identity }) {
      count += 1;
      mixText(path);
      mixNumber(size);
      mixNumber(Math.trunc(mtimeMs));
      mixNumber(Math.trunc(ctimeMs));
      mixText(identity);
      return isEnd(path);
    },
    take() {
      const digest = `${count}/${a >>> 0}/${b >>> 0}`;
      [count, a, b] = [0, seed | 0, ~seed | 0];
      return digest;
    },
  };
}

/** The digest of a folder itself: it changes with its times. */
export function folderDigest(seed: number, folder: FileFacts): string {
  const digest = walkDigest(seed);
  digest.add(folder);
  return `folder/${digest.take()}`;
}

function isEnd(path: string): boolean {
  let hash = 0;
  for (let at = Math.max(0, path.length - 12); at < path.length; at++) {
    hash = Math.imul(hash ^ path.charCodeAt(at), 0x9e3779b1) ^ (hash >>> 13);
  }
  return (hash >>> 8) % FILES_ON_AVERAGE === 0;
}

const FILES_ON_AVERAGE = 1_000;
