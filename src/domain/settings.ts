/**
 * The whole configuration as the daemon uses it: every default filled in, every path absolute.
 *
 * @module
 */
import type { Job } from "./job.ts";

/** What one configuration file says, as the daemon runs by it. */
export interface Settings {
  /** The file it was read from; null where it came from elsewhere (tests, demo). */
  readonly file: string | null;
  readonly jobs: readonly Job[];
  /** Absolute; the ledger, the control file and the lock of the daemon lie in it. */
  readonly stateDirectory: string;
  /** Absolute; null writes none. */
  readonly pidFile: string | null;
  /** Take over changes of the file without being asked. */
  readonly autoReload: boolean;
  readonly shutdownTimeoutMs: number;
  /** Most destinations that are sent to at once, over all jobs; null is no bound. */
  readonly maxConcurrentSyncs: number | null;
  /** Most sources that a lane looks at or hashes at once. */
  readonly maxFileOperations: number;
  /** Most deliveries that a lane holds in memory at once; the ledger keeps the rest. */
  readonly syncQueueSize: number;
  readonly log: LogSettings;
  /** Null serves no page. */
  readonly web: WebSettings | null;
  /** Null sends none. */
  readonly report: ReportSettings | null;
}

/** Where the log goes, how much of it, and how long it is kept. */
export interface LogSettings {
  readonly level: "trace" | "debug" | "info" | "warning" | "error";
  /** Absolute path of the folder; `file` is the name in it. */
  readonly directory: string;
  readonly file: string;
  /** A log file that would grow beyond this is put aside first. */
  readonly maxBytes: number;
  /** How many of those put aside are kept. */
  readonly backupCount: number;
  readonly format: "text" | "json";
  /** The lines of deliveries begin with their destination: there are several, in one job or in all. */
  readonly namesDestinations: boolean;
}

/** The report that is sent every morning. */
export interface ReportSettings {
  /** `HH:MM` by this computer's clock. */
  readonly at: string;
  /** The webhook; its address may be a secret. */
  readonly to: string;
}

/** Where the page is served, and who may see it. */
export interface WebSettings {
  readonly host: string;
  /** 0 takes any free one. */
  readonly port: number;
  /** The page's access token; null has one made at the first start and kept in the state directory. */
  readonly token: string | null;
  /** Absolute paths of PEM files, both or neither; null serves plain HTTP. */
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  /** Whether `/metrics` is there. */
  readonly metrics: boolean;
}
