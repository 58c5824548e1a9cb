/**
 * What can be asked for many small files at a time; `bulk.ts` has it done.
 *
 * @module
 */
import type { ToRead } from "../../domain/source_file.ts";
import type { Digest } from "../../domain/receipt.ts";

/**
 * Does with many small files what can be done without a question. What it has not done is to be done by the calls for one file, which
 * tell why it cannot be: nothing is left of it, or it is as it was before. Of few files it does nothing.
 * Once the signal is aborted, nothing more is begun, and its reason is thrown after what is in hand.
 */
export interface BulkFiles extends Disposable {
  /** Copies to new files, not flushed; the digest of what was read, null for what was not copied. `onFile` tells of each that was. */
  copy(
    copies: readonly BulkCopy[],
    onFile: (index: number, bytes: number) => void,
    signal: AbortSignal,
  ): Promise<(Digest & { readonly also?: string } | null)[]>;
  /** SHA-256 of whole files; null for what was not read, such as one of more than 1 MiB. */
  hash(paths: readonly string[], signal: AbortSignal): Promise<(Digest | null)[]>;
  /** Flushes files, then gives them names that are free; false for what still has its old name. Folders are not flushed. */
  name(names: readonly BulkName[], signal: AbortSignal): Promise<boolean[]>;
}

/** A file that is to be copied. */
export interface BulkCopy {
  readonly from: ToRead;
  readonly to: string;
  /** The copy's time, milliseconds since 1970 UTC; null for now. */
  readonly mtimeMs: number | null;
  /** The copy gets the permission bits of its source. */
  readonly withMode: boolean;
  /** No more bytes than these are read and copied: the source may grow. */
  readonly most: number;
  /** A second hash that is made of the same bytes, told in hex digits. */
  readonly also?: "md5" | "sha1" | undefined;
}

/** A file that is to get another name in its file system. */
export interface BulkName {
  readonly file: string;
  readonly name: string;
  /** Permission bits that it gets first; null leaves them. */
  readonly mode: number | null;
}
