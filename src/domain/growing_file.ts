/** A file that is still being written and large enough to be sent meanwhile. */

/** As it was seen last. */
export interface GrowingFile {
  /** Relative to the watched folder, `/` between the parts. */
  readonly path: string;
  readonly absolutePath: string;
  /** `device:inode`, empty where the system gives none. */
  readonly identity: string;
  /** Bytes. */
  readonly size: number;
  /** It has not grown for `growth_timeout_seconds`: nothing more of it is sent until it grows again. */
  readonly stalled: boolean;
}
