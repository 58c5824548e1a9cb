/**
 * Finds destinations whose files would be sent again: those in the watched folder of their own job, or of jobs that send to each
 * other.
 */
import { type Destination, isOnThisComputer, type Job } from "../settings.ts";
import { isWithin, type Surroundings } from "./expand_path.ts";

/** A destination whose files would be sent again. */
interface Loop {
  /** Place in the list, from 0. */
  readonly job: number;
  /** Place in its job's list, from 0. */
  readonly destination: number;
  readonly message: string;
}

/** Every destination on this computer that closes a loop. */
export function findLoops(jobs: readonly Job[], platform: Surroundings["platform"]): Loop[] {
  const feeds = (destination: Destination, job: Job) =>
    isOnThisComputer(destination) && destination.basePath !== "" && job.watchPath !== "" &&
    (isWithin(destination.basePath, job.watchPath, platform) || isWithin(job.watchPath, destination.basePath, platform));
  const leadsTo = (from: Job, goal: Job, seen: ReadonlySet<Job>): boolean =>
    !seen.has(from) &&
    jobs.some((next) =>
      from.destinations.some((destination) => feeds(destination, next)) &&
      (next === goal || leadsTo(next, goal, new Set([...seen, from])))
    );
  return jobs.flatMap((job, index) =>
    job.destinations.flatMap((destination, number): Loop[] => {
      const loop = (message: string) => [{ job: index, destination: number, message }];
      if (feeds(destination, job)) {
        return loop(
          `the destination ${destination.basePath} and the watched folder ${job.watchPath} overlap: files would be sent in a loop`,
        );
      }
      const next = jobs.find((other) => other !== job && feeds(destination, other) && leadsTo(other, job, new Set()));
      return next ? loop(`files would be sent in a loop: from the job "${job.name}" to "${next.name}" and back`) : [];
    })
  );
}
