/** What the view Setup is told, see `api_types.ts`: times are milliseconds since 1970 UTC. */

/** All of the view Setup. */
export interface SetupReport {
  readonly version: string;
  readonly startedAt: number;
  /** Null where the configuration comes from no file. */
  readonly file: string | null;
  /** The configuration in force as YAML, every key with its value, secrets hidden, as `config show` prints it; null where there is none. */
  readonly configuration: string | null;
  /** What of the file has no effect, a sentence each without a full stop. */
  readonly notes: readonly string[];
  /** Null before the first; `problem` says why it was refused. */
  readonly reload: { readonly at: number; readonly problem: string | null } | null;
  /** One for each job, and one for the morning report where it is configured. */
  readonly schedules: readonly SetupSchedule[];
  readonly hooks: readonly SetupHook[];
  /** Whether the checks of `doctor` can be run from here. */
  readonly canCheck: boolean;
}

export interface SetupSchedule {
  /** The job; empty for the morning report. */
  readonly job: string;
  /** `sends every 2 h`, `sends by cron 0 6 * * * (UTC)`, `watches only`; of the report, `every day at 08:00 (UTC)`. */
  readonly when: string;
  /** The next runs, soonest first; none where nobody knows, or files are sent all the time. */
  readonly next: readonly number[];
}

export interface SetupHook {
  readonly job: string;
  /** The program, or the host that is called. */
  readonly name: string;
  readonly kind: "command" | "url";
  readonly on: readonly string[];
  /** The last call since the daemon started; null before the first. */
  readonly last:
    | { readonly at: number; readonly on: string; readonly result: "ok" | "late" | "given_up"; readonly said: string }
    | null;
}

/** A line of `doctor --json`. */
export interface CheckFinding {
  readonly level: "ok" | "warning" | "fault";
  readonly about: string;
  readonly what: string;
  readonly hint: string;
  readonly code: string | null;
}
