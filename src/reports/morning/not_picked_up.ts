/**
 * The images of a night that stand in the watched folders and that the ledger does not know: incomplete ones, such as cannot be
 * taken, and what nobody took because no daemon ran. Without them a report would call a night well that is not.
 */
import { join } from "@std/path";
import { chunks } from "../../domain/chunks.ts";
import { type FailureRecord, failureRecord } from "../../domain/failure.ts";
import type { Job } from "../../config/settings.ts";
import type { FileFacts } from "../../domain/source_file.ts";
import type { IntakeLedger } from "../../ledger/intake_ledger.ts";
import { nightOf } from "../../intake/admit/admit_finished.ts";
import { isDeep, patternsOf } from "../../intake/patterns.ts";
import { asideFailure } from "../../intake/watch/left_aside.ts";
import { reservedName, whyUnreadable } from "../../intake/source_faults.ts";
import type { System } from "../../system/system.ts";
import type { StatusReport } from "../overview/status_json.ts";

/** Sizes in bytes. A shape that scripts may depend on. */
export interface NotPickedUp {
  readonly count: number;
  readonly bytes: number;
  /** The first hundred of them; `path` is absolute. */
  readonly files: readonly {
    readonly job: string;
    readonly path: string;
    readonly size: number;
    readonly message: string;
    readonly hint: string;
  }[];
  /** Why watched folders cannot be listed: nobody knows what is in them. */
  readonly problems: readonly string[];
}

/** What looking for them needs. */
interface NotPickedUpTools {
  readonly ledger: Pick<IntakeLedger, "unknown" | "leftAside">;
  readonly system: Pick<System, "walk" | "sleep">;
  readonly jobs: readonly Job[];
  /** Why a file, its path absolute, was not picked up. */
  readonly why: Reasons["ofFile"];
  /** A hundred files unless given. */
  readonly mostListed?: number;
  /** Hears of every file that is found. */
  readonly saw?: (job: string, path: string) => void;
}

const FIRST_LISTED = 100;
/** The ledger is asked about so many at once: a few milliseconds. */
const AT_ONCE = 500;

/** Walks over all watched folders; `night` is `YYYYMMDD`. Throws only what `signal` was aborted with. */
export async function notPickedUp(night: string, tools: NotPickedUpTools, signal: AbortSignal): Promise<NotPickedUp> {
  const files: NotPickedUp["files"][number][] = [];
  const problems: string[] = [];
  const { mostListed = FIRST_LISTED } = tools;
  let [count, bytes] = [0, 0];
  for (const job of tools.jobs) {
    try {
      for await (const { path, size, failure } of unknownOf(job, night, tools, signal)) {
        const absolute = join(job.watchPath, path);
        const { message, hint } = failure ?? tools.why(absolute);
        if (failure?.code === "source_unreadable") problems.push(`${message} (job ${job.name})`);
        else {
          if (count < mostListed) files.push({ job: job.name, path: absolute, size, message, hint });
          count++;
          bytes += size;
          tools.saw?.(job.name, path);
        }
      }
    } catch (error) {
      signal.throwIfAborted();
      problems.push(`Cannot list "${job.watchPath}": ${failureRecord(error).message.replace(/^Internal error: /, "")}`);
    }
  }
  return { count, bytes, files, problems };
}

/** `failure` says why a file can never be picked up, or what cannot be listed. The night of what cannot be read is unknown: it counts in each. */
interface NotKnown {
  readonly path: string;
  readonly size: number;
  readonly failure: FailureRecord | null;
}

async function* unknownOf(job: Job, night: string, tools: NotPickedUpTools, signal: AbortSignal): AsyncGenerator<NotKnown> {
  const { ledger, system } = tools;
  const patterns = patternsOf(job);
  const destinations = job.destinations.map(({ name }) => name);
  const olderThan = job.newerThan === null ? -Infinity : ledger.leftAside(job.name)?.olderThan ?? -Infinity;
  const old = olderThan === -Infinity ? null : asideFailure(olderThan, job.night.timezone);
  for await (const batch of system.walk(job.watchPath, { recursive: isDeep(job), skipHidden: job.ignoreHiddenFiles }, signal)) {
    for (const { path, reason } of batch.unreadable) {
      const failure = whyUnreadable(path, reason, patterns);
      if (failure !== null) yield { path, size: 0, failure };
    }
    const counts = ({ path }: FileFacts) => patterns.wants(path) || patterns.isReserved(path);
    const ofNight = batch.files.filter((facts) => counts(facts) && nightOf(job, facts) === night);
    for (const some of chunks(ofNight, AT_ONCE)) {
      if (some.length === AT_ONCE) await system.sleep(0);
      for (const { path, size, mtimeMs } of ledger.unknown(job.name, some, destinations).fresh) {
        yield { path, size, failure: patterns.isReserved(path) ? reservedName(path) : mtimeMs < olderThan ? old : null };
      }
    }
  }
}

/** Why, in words, and what helps. */
export interface Why {
  readonly message: string;
  readonly hint: string;
}

/** Reasons for what is missing. */
export interface Reasons {
  /** Why a file, its path absolute, is not picked up. */
  ofFile(absolutePath: string): Why;
  /** What keeps deliveries to a destination of a job waiting; null where nothing does. */
  ofWaiting(job: string, destination: string): Why | null;
}

/** `status` is that of the running daemon; null where none runs. */
export function reasonsFrom(status: Pick<StatusReport, "jobs" | "destinations" | "trouble"> | null): Reasons {
  if (status === null) return { ofFile: () => NOBODY, ofWaiting: () => NOBODY };
  const notSent = new Map(status.jobs.flatMap(({ not_sent }) => not_sent ?? []).map((one) => [one.path, one]));
  return {
    ofFile(path) {
      const one = notSent.get(path);
      if (one === undefined) return status.trouble ?? NOT_YET;
      return { message: one.reason === "incomplete" ? `it is incomplete: ${one.message}` : one.message, hint: one.hint };
    },
    ofWaiting(job, destination) {
      const one = status.destinations.find((one) => one.name === destination && one.job === job);
      if (one === undefined) return { message: `${destination} is no longer configured`, hint: "" };
      if (status.trouble !== undefined) return status.trouble;
      return one.reason === null ? null : { message: one.reason, hint: "" };
    },
  };
}

const NOT_YET: Why = { message: "it is not finished yet", hint: "It is sent once it is finished." };
const NOBODY: Why = {
  message: "no daemon is running to send it",
  hint: "Start it: image-transfer run, or image-transfer install-service.",
};
