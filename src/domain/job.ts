/**
 * What is watched, what counts, and where it goes: the configuration as the pipeline uses it, every
 * default filled in, every path absolute. Plain data made by `config/`.
 *
 * @module
 */
import type { ProofLevel } from "./receipt.ts";

/** The ways to carry a file. `auto` is resolved when a session opens. */
export type MethodName = "local" | "rsync" | "scp" | "sftp" | "auto";

/** What happens when a different file already has the final name. */
export type ConflictPolicy = "version" | "overwrite" | "skip" | "fail";

/** One place that files go to. */
export interface Destination {
  readonly name: string;
  /** The job it belongs to. */
  readonly job: string;
  readonly method: MethodName;
  /** Host name or alias of the user's ssh_config; null with `local`. */
  readonly host: string | null;
  /** Null leaves it to ssh_config, as does a null `port`. */
  readonly user: string | null;
  readonly port: number | null;
  /** The folder at the destination under which everything goes; absolute, or relative to the remote home. */
  readonly basePath: string;
  readonly compression: boolean;
  /** Extra rsync options, already checked against those that break a promise. */
  readonly rsyncOptions: readonly string[];
  /** Longest time without progress, milliseconds. */
  readonly timeoutMs: number;
  readonly verify: Exclude<ProofLevel, "read_back">;
  /** Tries of a file in all until it is failed; 0 counts as 1. */
  readonly retryAttempts: number;
  /** Pause after the first failure; it doubles, see `back_off.ts`. */
  readonly retryDelayMs: number;
  /** Most batches under way at once. */
  readonly parallelTransfers: number;
  /** By the time of last change of the source file. */
  readonly order: "oldest_first" | "newest_first";
  readonly onConflict: ConflictPolicy;
  /** Bytes per second; null without limit. */
  readonly bandwidthLimit: number | null;
  readonly preservePermissions: boolean;
  readonly preserveTimestamps: boolean;
  /** Mode bits for delivered files and made folders; null keeps the source's and the remote's default. */
  readonly fileMode: number | null;
  readonly directoryMode: number | null;
  /** Free space that must remain at the destination, bytes. */
  readonly minimumFreeBytes: number;
  /** Asked for beyond a file's own size while it is sent, bytes. */
  readonly copySafetyMarginBytes: number;
  /** Target path template, e.g. `{path}` or `{night}/{path}`. */
  readonly layout: string;
}

/** One watched folder with all that decides what is sent where. */
export interface Job {
  readonly name: string;
  readonly watchPath: string;
  /** Where `watch_path` has `NIGHT` in it: the part from there on; only what lies in such folders counts, see `night_folder.ts`. */
  readonly nightFolder?: string;
  readonly filePatterns: readonly string[];
  readonly excludePatterns: readonly string[];
  readonly recursive: boolean;
  readonly ignoreHiddenFiles: boolean;
  readonly watchEvents: readonly ("create" | "write" | "remove" | "rename" | "chmod")[];
  readonly watchMode: "auto" | "events" | "poll";
  readonly debounceMs: number;
  readonly rescanIntervalMs: number;
  readonly completeness: "auto" | "quiet" | "marker";
  /** With `marker`: the name, beside the file, whose appearance says that it is finished; `{name}` is the file's own name. */
  readonly marker: string;
  readonly minFileAgeMs: number;
  readonly incompleteAfterMs: number;
  readonly deliverIncomplete: boolean;
  /** What becomes of files that contradict their own checksums; false does not look. */
  readonly verifySource: "warn" | "refuse" | false;
  readonly deleteSource: boolean;
  readonly night: NightRule;
  readonly destinations: readonly Destination[];
}

/** When an observing night begins: local noon of a time zone, or of the site's longitude. */
export interface NightRule {
  /** IANA time zone; null is the computer's own. */
  readonly timezone: string | null;
  /** `HH:MM`, local. */
  readonly rollover: string;
  /** Degrees, east positive; when set it takes the place of the time zone (mean solar time). */
  readonly siteLongitude: number | null;
}
