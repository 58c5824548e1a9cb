/**
 * The images of a night that stand in the watched folders and that the ledger does not know: incomplete ones, such as cannot be
 * taken, and what nobody took because no daemon ran. Without them a report would call a night well that is not.
 *
 * @module
 */
import { join } from "@std/path";
import { failureRecord } from "../../domain/failure.ts";
import type { Job } from "../../config/settings.ts";
import type { IntakeLedger } from "../../ledger/intake_ledger.ts";
import { nightOf } from "../../intake/admit/admission.ts";
import { isDeep, patternsOf } from "../../intake/patterns.ts";
import type { Reasons } from "./reasons.ts";
import type { System } from "../../system/system.ts";

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
  readonly ledger: Pick<IntakeLedger, "unknown">;
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
      for await (const { path, size } of unknownOf(job, night, tools, signal)) {
        const absolute = join(job.watchPath, path);
        if (count < mostListed) files.push({ job: job.name, path: absolute, size, ...tools.why(absolute) });
        count++;
        bytes += size;
        tools.saw?.(job.name, path);
      }
    } catch (error) {
      signal.throwIfAborted();
      problems.push(`Cannot list "${job.watchPath}": ${failureRecord(error).message.replace(/^Internal error: /, "")}`);
    }
  }
  return { count, bytes, files, problems };
}

async function* unknownOf(job: Job, night: string, { ledger, system }: NotPickedUpTools, signal: AbortSignal) {
  const patterns = patternsOf(job);
  const destinations = job.destinations.map(({ name }) => name);
  for await (const batch of system.walk(job.watchPath, { recursive: isDeep(job), skipHidden: job.ignoreHiddenFiles }, signal)) {
    const wanted = batch.files.filter((facts) => patterns.wants(facts.path) && nightOf(job, facts) === night);
    for (let start = 0; start < wanted.length; start += AT_ONCE) {
      if (start > 0) await system.sleep(0);
      yield* ledger.unknown(job.name, wanted.slice(start, start + AT_ONCE), destinations).fresh;
    }
  }
}
