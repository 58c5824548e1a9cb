/**
 * The files of a destination that is reached by SSH, through a shell there or by SFTP alone.
 *
 * @module
 */
import type { DestinationFiles, Upload } from "../method.ts";

/** All of a Session that sends nothing, and what sending needs of the destination. */
export interface RemoteFiles extends DestinationFiles {
  /** Makes the folders of these staged names, and moves leftovers to their new names. */
  prepare(uploads: readonly Pick<Upload, "staged" | "leftover">[], signal: AbortSignal): Promise<void>;
  /** Free bytes now; null where the server cannot tell. @throws {Failure} `device_missing` */
  freeBytes(signal: AbortSignal): Promise<number | null>;
  /** Writes something below the base path. @throws {Failure} what keeps us from it. */
  tryToWrite(signal: AbortSignal): Promise<void>;
  /** The path that SFTP takes for one that is relative to the base path. @throws {Failure} `name_refused` */
  path(relative: string): string;
}
