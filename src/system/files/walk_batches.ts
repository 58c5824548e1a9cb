/**
 * What a walk finds, in batches of stretches: some 1,000 files, or a folder. Each stretch has a digest, and comes without its files where that
 * is known from a former walk. The Worker of the walk bundles it.
 *
 * @module
 */
import type { FileFacts } from "../../domain/source_file.ts";
import type { FormerWalks, Stretch, WalkBatch } from "../system.ts";
import { walkDigest } from "./walk_digest.ts";

/** The batch that is being filled. */
export interface WalkBatches {
  add(file: FileFacts): void;
  addUnreadable(path: string, reason: string): void;
  /** How many were unreadable so far in the whole walk. */
  unreadable(): number;
  /** The next files belong to another folder. */
  endStretch(): void;
  /** All files of a folder of its own stretches were added; its digest, if it need not be read the next time. */
  endFolder(digest: string | null): void;
  /** The folder with this digest is known: it was not read. */
  skipFolder(digest: string): void;
  isFull(): boolean;
  /** Ends the last stretch; whether there is a batch to be taken. */
  end(): boolean;
  /** The batch so far; the next one begins. */
  take(): WalkBatch;
}

/** Without `known` nothing has a digest. */
export function walkBatches(known: FormerWalks | undefined): WalkBatches {
  const digest = known === undefined ? null : walkDigest(known.seed);
  let files: FileFacts[] = [];
  let unreadable: { path: string; reason: string }[] = [];
  let stretches: Stretch[] = [];
  let unreadableInAll = 0;
  /** Where the stretch begins in `files`, and whether it is of the same folder as the one before. */
  let start = 0;
  let goneOn = false;

  const end = (goesOn: boolean, folder?: string) => {
    if (digest === null || known === undefined) return;
    const own = digest.take();
    if (known.digests.has(own)) files.length = start;
    stretches.push({ digest: own, files: files.length - start, goesOn, ...(folder === undefined ? {} : { folder }) });
    start = files.length;
    goneOn = goesOn;
  };
  const endOpen = () => files.length > start || goneOn ? end(false) : undefined;

  return {
    add(file) {
      files.push(file);
      if (digest !== null && (digest.add(file) || files.length - start >= BATCH)) end(true);
    },
    addUnreadable(path, reason) {
      unreadableInAll += 1;
      unreadable.push({ path, reason });
    },
    unreadable: () => unreadableInAll,
    endStretch: endOpen,
    endFolder: (folder) => end(false, folder ?? undefined),
    skipFolder(folder) {
      endOpen();
      stretches.push({ digest: folder, files: 0, goesOn: false });
    },
    // A stretch is never divided.
    isFull: () =>
      unreadable.length >= BATCH || stretches.length >= STRETCHES ||
      (files.length >= BATCH && (digest === null || files.length === start)),
    end() {
      endOpen();
      return files.length + unreadable.length + stretches.length > 0;
    },
    take() {
      // What is open belongs to the next batch.
      const open = digest === null ? [] : files.splice(start);
      const batch = { files, unreadable, ...(digest === null ? {} : { stretches }) };
      [files, unreadable, stretches, start] = [open, [], [], 0];
      return batch;
    },
  };
}

const BATCH = 2_000;
const STRETCHES = 500;
