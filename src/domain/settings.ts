/**
 * The whole configuration as the daemon uses it: every default filled in, every path absolute.
 *
 * @module
 */
import type { Job } from "./job.ts";

export interface Settings {
  /** The file it was read from; null where it came from elsewhere (tests, demo). */
  readonly file: string | null;
  readonly jobs: readonly Job[];
  readonly stateDirectory: string;
  readonly pidFile: string | null;
  readonly autoReload: boolean;
  readonly shutdownTimeoutMs: number;
  /** Most destinations' lanes that carry files at once, over all jobs. */
  readonly maxConcurrentSyncs: number;
  readonly maxFileOperations: number;
  readonly syncQueueSize: number;
  readonly log: LogSettings;
  readonly web: WebSettings | null;
  readonly report: ReportSettings | null;
}

export interface LogSettings {
  readonly level: "trace" | "debug" | "info" | "warning" | "error";
  readonly directory: string;
  readonly file: string;
  readonly maxBytes: number;
  readonly backupCount: number;
  readonly format: "text" | "json";
}

/** The report that is sent every morning. */
export interface ReportSettings {
  /** `HH:MM` by this computer's clock. */
  readonly at: string;
  /** The webhook; its address may be a secret. */
  readonly to: string;
}

export interface WebSettings {
  readonly host: string;
  readonly port: number;
  readonly token: string | null;
  readonly tlsCert: string | null;
  readonly tlsKey: string | null;
  readonly metrics: boolean;
}
