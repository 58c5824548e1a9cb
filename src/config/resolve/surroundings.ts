/**
 * What reading a configuration asks of the computer. A `System` has all of it; being on the same floor, it is not imported.
 *
 * @module
 */

/** What paths and defaults depend on. */
export interface Surroundings {
  readonly platform: "linux" | "darwin" | "windows";
  /** The user's home folder. */
  readonly home: string;
  env(name: string): string | undefined;
}

/** What finding and reading a file takes besides. */
export interface ConfigFiles extends Surroundings {
  followedFacts(path: string): Promise<{ readonly kind: "file" | "folder" | "symlink" | "other" } | null>;
  /** What is in a folder; symlinks are not followed. */
  list?(folder: string): Promise<{
    readonly entries: readonly { readonly name: string; readonly facts: { readonly kind: string; readonly mode: number } }[];
  }>;
  /** At most so many bytes from there on. */
  read(path: string, offset: number, length: number): Promise<Uint8Array>;
}
