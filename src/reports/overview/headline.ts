/**
 * The one answer to "is everything delivered, and if not, what do I do?": the worst finding of the overview as a sentence, with advice.
 *
 * @module
 */
import { waitingOf } from "../../ledger/orphans.ts";
import type { Headline, NightSummary } from "../api_types.ts";
import type { DestinationNow, JobNow } from "../page_source.ts";
import { type Missing, only, type Overview, severityOf } from "./overview.ts";

/** What the sentence names. */
export interface HeadlineParts {
  readonly jobs: readonly JobNow[];
  readonly destinations: readonly DestinationNow[];
  readonly tonight: NightSummary;
}

type Sentence = Omit<Headline, "level">;

/** The worst thing decides. */
export function headlineOf(overview: Overview, parts: HeadlineParts): Headline {
  const [worst] = overview.findings;
  const isNote = worst === undefined || severityOf(worst) === "note";
  return { level: overview.level, ...isNote ? whenWell(overview, parts) : sentenceOf(worst.is, overview, parts) };
}

function sentenceOf(worst: Overview["findings"][number]["is"], overview: Overview, parts: HeadlineParts): Sentence {
  switch (worst) {
    case "not_running":
      return { text: "The daemon is not running", advice: "Start it: image-transfer run, or image-transfer install-service." };
    case "on_hold":
      return onHold(parts);
    case "not_watched":
      return notWatched(overview, parts);
    case "failed": {
      const { failed } = overview.counts;
      return {
        text: failed === 1 ? "1 image could not be delivered" : `${failed} images could not be delivered`,
        advice: "See Trouble for the reasons and what to do.",
      };
    }
    case "backing_off":
      return unreachable(overview, parts);
    case "paused":
      return paused(overview, parts);
    case "not_sent":
      return notSent(only(overview, worst));
    case "unmatched": {
      const folders = only(overview, worst).map(({ job }) => folderOf(job, parts));
      return {
        text: `None of the files in ${list(folders)} matches the patterns`,
        advice: "Nothing is sent from there. See Trouble for an example.",
      };
    }
    case "missing":
      return missing(only(overview, worst).map((one) => one.missing));
    case "removals_held": {
      const [first] = only(overview, worst);
      return {
        text: `Nothing is removed from ${first?.destination}: ${first?.reason}`,
        advice: `If that is right, run: ${first?.accept}`,
      };
    }
    case "misconfigured":
      return {
        text: "The configuration cannot be used; the daemon is keeping its current one",
        advice: only(overview, worst)[0]?.fault.message ?? "",
      };
    case "orphaned":
      return whenWell(overview, parts);
    default:
      return worst satisfies never;
  }
}

function onHold({ destinations }: HeadlineParts): Sentence {
  const held = destinations.flatMap(({ destination: { name }, state }) =>
    state.state === "on_hold" ? [{ name, failure: state.failure }] : []
  );
  const { code, message, hint } = held[0]?.failure ?? { code: "", message: "", hint: "" };
  const alike = unique(held.filter(({ failure }) => failure.code === code));
  const others = unique(held).filter((name) => !alike.includes(name));
  const areOnHold = (names: readonly string[]) => `${list(names)} ${names.length === 1 ? "is" : "are"} on hold`;
  const rest = others.length === 0 ? "" : `; ${areOnHold(others)} too: see Trouble`;
  return { text: `${areOnHold(alike)}: ${message}${rest}`, advice: hint };
}

function notWatched(overview: Overview, parts: HeadlineParts): Sentence {
  const failed = parts.jobs.find(({ failure }) => failure !== null);
  if (failed?.failure) {
    return { text: `${failed.job.watchPath} cannot be watched: ${failed.failure.message}`, advice: failed.failure.hint };
  }
  const folders = only(overview, "not_watched").map(({ job }) => folderOf(job, parts));
  return { text: `${list(folders)} ${folders.length === 1 ? "is" : "are"} not watched yet`, advice: "" };
}

function unreachable(overview: Overview, { destinations }: HeadlineParts): Sentence {
  const away = destinations.flatMap(({ destination: { name }, state }) =>
    state.state === "backing_off" ? [{ name, failure: state.failure }] : []
  );
  return {
    text: `${list(unique(away))} cannot be reached${whatWaits(overview)}`,
    advice: `${away[0]?.failure.message}. image-transfer retries automatically.`,
  };
}

function paused(overview: Overview, { destinations }: HeadlineParts): Sentence {
  const all = destinations.flatMap(({ destination: { name }, state }) =>
    state.state === "paused" ? [{ name, by: state.by }] : []
  );
  const names = unique(all);
  return {
    text: `${list(names)} ${names.length === 1 ? "is" : "are"} paused by ${all[0]?.by}${whatWaits(overview)}`,
    advice: "Resume it to send files again.",
  };
}

function notSent(jobs: readonly { readonly incomplete: number; readonly rejected: number }[]): Sentence {
  const incomplete = jobs.reduce((sum, one) => sum + one.incomplete, 0);
  const rejected = jobs.reduce((sum, one) => sum + one.rejected, 0);
  const all = incomplete + rejected;
  const files = all === 1 ? "1 file" : `${all} files`;
  const text = incomplete === 0
    ? `${files} ${all === 1 ? "was" : "were"} rejected`
    : rejected === 0
    ? `${files} ${all === 1 ? "is" : "are"} incomplete`
    : `${files} were not sent: ${incomplete} incomplete, ${rejected} rejected`;
  return { text, advice: "See Trouble for the files and the reasons." };
}

function missing(all: readonly Missing[]): Sentence {
  const parts = all.map(({ destination, expected, gone }) => `${gone} of ${expected} from ${destination}`);
  return {
    text: `Images of tonight are missing: ${list(parts)}`,
    advice: "See History for the files and the reasons.",
  };
}

function whenWell({ counts, isScheduled }: Overview, { tonight, destinations }: HeadlineParts): Sentence {
  const underway = waitingOf(counts);
  if (isScheduled) {
    const what = underway === 1 ? "1 delivery is" : `${underway} deliveries are`;
    return { text: `${what} waiting for the schedule`, advice: "Scan now sends at once." };
  }
  const behind = tonight.destinations.filter(({ expected, delivered }) => delivered < expected);
  if (underway > 0 && behind.length === 0) {
    return { text: `${underway} older ${underway === 1 ? "delivery is" : "deliveries are"} in progress`, advice: "" };
  }
  if (underway > 0) {
    const parts = behind.map(({ name, expected, delivered }) => `${delivered} of ${expected} on ${name}`);
    return { text: `Delivering tonight's images: ${list(parts)}`, advice: "" };
  }
  const names = list(unique(destinations.map(({ destination }) => destination)));
  const { files } = tonight;
  if (files === 0) return { text: "No images yet tonight; nothing is waiting", advice: "" };
  return {
    text: files === 1 ? `Tonight's image is on ${names}` : `All ${files} of tonight's images are on ${names}`,
    advice: "",
  };
}

function whatWaits({ counts }: Overview): string {
  const waiting = waitingOf(counts);
  return waiting === 0 ? "" : `; ${waiting} ${waiting === 1 ? "delivery is waiting" : "deliveries are waiting"}`;
}

function folderOf(name: string, { jobs }: HeadlineParts): string {
  return jobs.find(({ job }) => job.name === name)?.job.watchPath ?? name;
}

/** Destinations of different jobs may share a name. */
function unique(all: readonly { readonly name: string }[]): string[] {
  return [...new Set(all.map(({ name }) => name))];
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
