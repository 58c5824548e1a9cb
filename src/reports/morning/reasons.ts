/** Why the images of a night are not picked up or not sent, as the status of the daemon has it. */
import type { StatusReport } from "../overview/status_json.ts";

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
