/** What a running daemon can tell and do. The daemon implements it; `actions.ts` says who may ask for what. */
import { printable } from "../domain/names/printable.ts";
import type { FormerFiles } from "../domain/delivery.ts";
import type { Settings } from "../config/settings.ts";
import type { Forgotten, Orphan } from "../ledger/orphans.ts";
import type { Running } from "../events/progress.ts";
import type { NightSummary } from "./night/night_summary.ts";
import type { StatusReport } from "./overview/status_json.ts";

/** What moves at this moment; for people, its shape is not promised to scripts. */
export interface LiveReport {
  /** One entry for each destination that is being sent to. */
  readonly running: readonly Running[];
  /** When the oldest delivery that waits and can be sent was queued, milliseconds since 1970 UTC; null if none waits. */
  readonly oldestWaiting: number | null;
  /** What nobody can send: for destinations that are not configured any more. */
  readonly orphans: readonly Orphan[];
  /** The sums of tonight; a daemon of an older version does not tell. */
  readonly tonight?: NightSummary;
  /** Of those that run, what a reload waits for; a daemon of an older version does not tell. */
  readonly ending?: readonly Running[];
}

/** What became of `resume`. */
interface Resumed {
  /** Those that go on. */
  readonly destinations: readonly string[];
  /** Those that are still unavailable or on hold, and are tried at once. */
  readonly retrying: readonly string[];
  /** Of all, the ones that hold until somebody says what becomes of `images` files on a former disk. */
  readonly undecided: readonly { readonly destination: string; readonly images: number }[];
}

/** `Resumed: nas. Retrying now: freya`; names as they can be printed. */
export function resumedText({ destinations, retrying }: Pick<Resumed, "destinations" | "retrying">): string {
  const parts = [destinations.length === 0 ? "" : `Resumed: ${destinations.map(printable).join(", ")}`];
  if (retrying.length > 0) parts.push(`Retrying now, still unavailable: ${retrying.map(printable).join(", ")}`);
  return parts.filter((part) => part !== "").join(". ");
}

/** Addresses that open the page. */
export interface Opening {
  /** For a browser's command line, which others on this computer can read: good for one login within two minutes. */
  readonly once: string;
  /** For people: with the token, unless that is configured; then good for one login, too. */
  readonly shown: string;
}

/** What a running daemon goes by; of its configuration nothing that is secret. */
export interface InForce extends Pick<Settings, "file" | "stateDirectory" | "jobs" | "log" | "shutdownTimeoutMs"> {
  readonly hasPage: boolean;
}

/** Every call may throw a `Failure`: the asker sees its message and hint. */
export interface DaemonControl {
  settings(): Settings;
  status(): StatusReport | Promise<StatusReport>;
  live(): LiveReport;
  /** Asks for a clean stop and comes back at once; the daemon ends within its `shutdown_timeout_seconds`. */
  stop(reason: string): void;
  /** Reads the configuration again; a faulty one changes nothing, and `message` says why. */
  reload(): Promise<{ readonly ok: boolean; readonly message: string }>;
  /**
   * Lists the folders of a job, or of all jobs, and delivers what is new, now; also with `schedule: manual`.
   * Comes back when the round has been started, with the names of the jobs.
   * @throws {Failure} `configuration` where there is no such job.
   */
  sync(job?: string): Promise<readonly string[]> | readonly string[];
  /**
   * Puts failed deliveries back into the queue, `null` means all that are trouble, and then tries destinations that hold or
   * are away at once; returns how many deliveries.
   */
  retry(ids: readonly number[] | null): number;
  /** Puts deliveries that are delivered already back into the queue; returns the ids of those that can be sent again. */
  sendAgain(ids: readonly number[]): readonly number[];
  /**
   * Stops sending to a destination, `null` means all; returns the names of those paused now.
   * @throws {Failure} `configuration` where there is no such destination.
   */
  pause(destination: string | null, by: string): readonly string[];
  /** Marks delivered deliveries as known to be gone from their destination, for this reason; returns how many. */
  markGone(ids: readonly number[], reason: string): number;
  /**
   * Takes a pause back, and probes at once where it holds, `null` means all. Another disk in the place of a missing one is accepted
   * only where the destination is named and a person says what becomes of the files of the former one (`"ask"`: only where there
   * are none). With `send_again`, what is known to be gone from the destination is queued.
   */
  resume(destination: string | null, former?: FormerFiles | "ask"): Promise<Resumed> | Resumed;
  /**
   * Allows the removals that mirrors wait with, at `destination` (its name, or `JOB/DESTINATION`), or at all; returns what they were
   * allowed for, as `JOB/DESTINATION`.
   * @throws {Failure} `configuration` where there is no such destination.
   */
  acceptRemovals(destination: string | null): readonly string[];
  /**
   * Ends jobs that the PocketBase server no longer has: this one, `null` means all; returns their names.
   * @throws {Failure} `configuration` where that job is not marked as removed.
   */
  acceptRemoved(job: string | null): Promise<readonly string[]>;
  /**
   * Begins audits as soon as nothing is sent, of a job, or of all; says of which destinations, as `JOB/DESTINATION`: those that are audited.
   * @throws {Failure} `configuration` where there is no such job.
   */
  audit(job?: string): readonly string[];
  /** Accepts what audits found of a job, or of all: it is no longer trouble. Returns how many lost files. */
  acceptAudit(job?: string): number;
  /**
   * Gives up what waits for a destination that is not configured any more; says how many deliveries, of which jobs.
   * @throws {Failure} `configuration` where it is configured, or nothing waits for it.
   */
  forget(destination: string): Promise<Forgotten> | Forgotten;
  /** Addresses that open the page; null without a page. */
  opening(): Opening | null;
}
