/**
 * The one answer to "is everything delivered, and if not, what do I do?": the worst finding of the overview as a sentence, with advice.
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { causeOf, type FailureCode, ownCauseOf } from "../../domain/failure.ts";
import { counted, jobsText, listed } from "../../domain/words.ts";
import { amount } from "../../intake/watch/left_aside.ts";
import type { Counts } from "../../ledger/history.ts";
import { waitingOf } from "../../ledger/orphans.ts";
import type { NightSummary } from "../night/night_summary.ts";
import { ACCEPT_REMOVED, only, type Overview, severityOf } from "./overview.ts";
import type { DestinationNow, JobNow } from "../page_source.ts";
import type { Headline } from "./status_json.ts";

/** What the sentence names. */
export interface HeadlineParts {
  readonly jobs: readonly (Pick<JobNow, "failure" | "leftAside"> & { readonly job: Pick<JobNow["job"], "name"> })[];
  readonly destinations: readonly DestinationFacts[];
  readonly tonight: NightSummary;
}

/** A destination with what the ledger counts for it. */
interface DestinationFacts extends Omit<DestinationNow, "destination" | "survey"> {
  readonly destination: Pick<DestinationNow["destination"], "name" | "job">;
  readonly counts: Counts;
  /** On a full disk: how much must be freed before all fits that waits. Null where that is not known. */
  readonly missingBytes?: number | null;
}

type Sentence = Omit<Headline, "level">;

/** The worst thing decides. In a fault `text` says what it is and what is safe, `advice` what to do; neither names a path. */
export function headlineOf(overview: Overview, parts: HeadlineParts): Headline {
  const [worst] = overview.findings;
  const isNote = worst === undefined || severityOf(worst) === "note";
  return {
    level: overview.level,
    ...isNote ? withAside(whenWell(overview, parts), parts) : sentenceOf(worst.is, overview, parts),
  };
}

/** What is left aside may be of tonight. */
function withAside({ text, advice }: Sentence, { jobs }: HeadlineParts): Sentence {
  const files = jobs.reduce((sum, { leftAside }) => sum + (leftAside?.files ?? 0), 0);
  if (files === 0) return { text, advice };
  return { text, advice: `${advice} ${amount(files)} ${files === 1 ? "is" : "are"} left aside (newer_than).`.trim() };
}

/** Without a daemon. */
export const NOT_RUNNING: Headline = {
  level: "bad",
  text: "The daemon is not running",
  advice: "Start it: image-transfer run, or image-transfer install-service.",
};

function sentenceOf(worst: Overview["findings"][number]["is"], overview: Overview, parts: HeadlineParts): Sentence {
  switch (worst) {
    case "not_running":
      return NOT_RUNNING;
    case "stopped": {
      // The daemon itself cannot work: its disk, its ledger, not the destinations.
      const { text, advice } = ownCauseOf(only(overview, worst)[0]?.trouble.code ?? "internal");
      return { text: `${text}: nothing can be delivered`, advice };
    }
    case "on_hold":
    case "backing_off":
      return unavailable(worst, parts);
    case "not_watched":
      return notWatched(overview, parts);
    case "lost":
      return lost(only(overview, worst));
    case "unreadable": {
      const all = only(overview, worst);
      const count = all.reduce((sum, one) => sum + one.count, 0);
      return {
        text: `${counted(count, "delivered file")} on ${listed(all.map(({ destination }) => destination))} cannot be read`,
        advice: "To list them, run: image-transfer audit",
      };
    }
    case "failed": {
      const failed = only(overview, "failed").reduce((sum, { count }) => sum + count, 0);
      return {
        text: `${counted(failed, "image")} could not be delivered`,
        advice: "See Trouble for the reasons and what to do.",
      };
    }
    case "paused":
      return paused(parts);
    case "not_sent":
      return { text: notSentText(only(overview, worst)).join("; "), advice: "See Trouble for the names and the reasons." };
    case "unmatched":
      return {
        text: `None of the files of ${listed(only(overview, worst).map(({ job }) => job))} matches the patterns`,
        advice: "Nothing is sent from there. See Trouble for an example.",
      };
    case "missing": {
      const parts = only(overview, worst).map(({ destination, expected, gone }) => `${gone} of ${expected} from ${destination}`);
      return { text: `Images of tonight are missing: ${listed(parts)}`, advice: "See History for the files and the reasons." };
    }
    case "removals_held": {
      const [first] = only(overview, worst);
      return {
        text: `Nothing is removed from ${first?.destination}: ${first?.reason}`,
        advice: `If that is right, run: ${first?.accept}`,
      };
    }
    case "jobs_rejected":
      return {
        text: "Jobs of the PocketBase server are not used here",
        advice: "To see why, and what would change that, run: image-transfer pocketbase status",
      };
    case "removed_on_server": {
      const jobs = only(overview, worst).map(({ job }) => job);
      return {
        text: `${jobsText(jobs)} removed on the server; ${jobs.length === 1 ? "it still runs" : "they still run"} here`,
        advice: `If that is right, run: ${ACCEPT_REMOVED}`,
      };
    }
    case "misconfigured":
      return {
        text: "The configuration cannot be used; the daemon is keeping its current one",
        advice: "To see why, run: image-transfer config validate",
      };
    case "events_missing":
    case "orphaned":
    case "changed":
      return whenWell(overview, parts);
    default:
      return worst satisfies never;
  }
}

/** What rotted or vanished, and what to do. */
function lost(all: readonly { readonly destination: string; readonly damaged: number; readonly vanished: number }[]): Sentence {
  const kinds = (["damaged", "vanished"] as const).flatMap((kind) => {
    const places = all.filter((one) => one[kind] > 0);
    const count = places.reduce((sum, one) => sum + one[kind], 0);
    const how = `${count === 1 ? "is" : "are"} ${kind === "damaged" ? "damaged" : "no longer"}`;
    const names = listed(places.map(({ destination }) => destination));
    return count === 0 ? [] : [`${counted(count, "delivered image")} ${how} on ${names}`];
  });
  return {
    text: kinds.join("; "),
    advice: "Retry sends them again if their sources still exist. If this is intended, run: image-transfer audit --accept",
  };
}

type Held = HeadlineParts["destinations"][number] & { readonly failure: { readonly code: FailureCode } };

/** Those with the cause of the first one, and what is safe; others of the kind are named. */
function unavailable(kind: "on_hold" | "backing_off", { destinations, tonight }: HeadlineParts): Sentence {
  const held = destinations.flatMap((one): Held[] => one.state.state === kind ? [{ ...one, failure: one.state.failure }] : []);
  const words = ({ failure: { code } }: Held) => causeOf(code, "", true).text;
  const alike = held.filter((one) => words(one) === words(held[0]!));
  const names = [...new Set(alike.map(({ destination }) => destination.name))];
  const others = [...new Set(held.map(({ destination }) => destination.name))].filter((name) => !names.includes(name));
  const { text, advice } = causeOf(held[0]?.failure.code ?? "internal", listed(names), names.length === 1);
  const too = others.length === 0 ? "" : `; ${listed(others)} ${kind === "on_hold" ? "on hold" : "unavailable"} too`;
  const troubled = destinations.flatMap(({ destination, counts, state }) => {
    if (state.state === "open" || state.state === "closed") return [];
    return [{ ...destination, counts, isLost: "failure" in state && state.failure.code === "device_missing" }];
  });
  return { text: sentences(`${text}${too}`, safetyOf(troubled, tonight)), advice: roomIn(alike) ?? advice };
}

/** How much to free, where that is known of all that are full. */
function roomIn(full: readonly Held[]): string | null {
  const all = full.map(({ missingBytes }) => missingBytes ?? 0);
  if (all.length === 0 || all.some((bytes) => bytes <= 0)) return null;
  const onEach = new Set(full.map(({ destination }) => destination.name)).size > 1 ? " on each" : "";
  const most = Math.max(...all);
  // Rounded up to two digits: nobody frees space to the byte.
  const step = 10 ** Math.max(0, Math.floor(Math.log10(most)) - 1);
  return `Free ${formatBytes(Math.ceil(most / step) * step)}${onEach}; delivery resumes automatically.`;
}

/** `First one. Second one`; either may be empty. */
function sentences(first: string, second: string): string {
  return second === "" ? first : `${first}. ${second}.`;
}

function notWatched(overview: Overview, { jobs }: HeadlineParts): Sentence {
  const names = only(overview, "not_watched").map(({ job }) => job);
  const failed = jobs.some(({ job, failure }) => failure !== null && names.includes(job.name));
  const folders = names.length === 1 ? `The folder of ${names[0]} is` : `The folders of ${listed(names)} are`;
  if (!failed) return { text: `${folders} not watched yet`, advice: "" };
  return {
    text: `${folders} not watched. New images there are not noticed.`,
    advice: "Check the folder and its drive: Trouble and image-transfer status give the reason.",
  };
}

function paused({ destinations, tonight }: HeadlineParts): Sentence {
  const all = destinations.flatMap(({ destination, counts, state }) =>
    state.state === "paused" ? [{ ...destination, counts, by: state.by }] : []
  );
  const said = pausedText([...new Set(all.map(({ name }) => name))], all[0]?.by ?? "");
  return { text: sentences(said, safetyOf(all, tonight)), advice: "Resume it to send files again." };
}

export function pausedText(names: readonly string[], by: string): string {
  return `${listed(names)} ${names.length === 1 ? "is" : "are"} paused by ${by}`;
}

/** Of all jobs: a few words for each kind. */
export function notSentText(
  jobs: readonly { readonly incomplete: number; readonly rejected: number; readonly folders: number }[],
): string[] {
  const [incomplete, rejected, folders] = (["incomplete", "rejected", "folders"] as const)
    .map((kind) => jobs.reduce((sum, one) => sum + one[kind], 0)) as [number, number, number];
  const files = rejected - folders;
  return [
    incomplete > 0 ? `${counted(incomplete, "file")} ${incomplete === 1 ? "is" : "are"} incomplete` : "",
    files > 0 ? `${counted(files, "file")} ${files === 1 ? "was" : "were"} rejected` : "",
    folders > 0 ? `${counted(folders, "folder")} cannot be listed` : "",
  ].filter((part) => part !== "");
}

function whenWell({ counts, waitsFor }: Overview, { tonight, destinations }: HeadlineParts): Sentence {
  const underway = waitingOf(counts);
  if (waitsFor !== null) {
    const what = waitsFor === "schedule" ? "for the schedule" : "until you start them (schedule: manual)";
    return { text: `${waits(underway, "delivery", "deliveries")} ${what}`, advice: "Scan now sends at once." };
  }
  const behind = tonight.destinations.filter(({ expected, delivered }) => delivered < expected);
  if (underway > 0 && behind.length === 0) {
    return { text: `${underway} older ${underway === 1 ? "delivery is" : "deliveries are"} in progress`, advice: "" };
  }
  if (underway > 0) {
    const parts = behind.map(({ name, expected, delivered }) => `${delivered} of ${expected} on ${name}`);
    return { text: `Delivering tonight's images: ${listed(parts)}`, advice: "" };
  }
  const names = listed(destinations.map(({ destination }) => destination.name));
  const { files } = tonight;
  if (files === 0) return { text: "No images yet tonight; nothing is waiting", advice: "" };
  const all = files === 1 ? "Tonight's image is" : `All ${files} of tonight's images are`;
  return { text: `${all} on ${names}`, advice: "" };
}

// Where the images are safe while a destination is in trouble: what an observer wants to know first.

/** A destination that takes nothing just now. */
interface Troubled {
  readonly job: string;
  readonly name: string;
  readonly counts: Counts;
  /** Its disk is missing, and with it what was delivered to it. */
  readonly isLost?: boolean;
}

type Place = NightSummary["destinations"][number];

/**
 * `All 240 images are safe on freya`, or how many wait; empty where there is nothing to say. Counts the images of tonight of the
 * jobs whose destinations are in trouble. A source is not removed before all destinations have it, so whatever waits is still there.
 */
function safetyOf(troubled: readonly Troubled[], { destinations }: Pick<NightSummary, "destinations">): string {
  const isTroubled = ({ job, name }: Place) => troubled.some((one) => one.job === job && one.name === name);
  const jobs = [...new Set(troubled.map(({ job }) => job))].map((job) => {
    const places = destinations.filter((one) => one.job === job);
    const images = Math.max(0, ...places.map(({ expected }) => expected));
    const complete = places.filter((one) => !isTroubled(one) && one.delivered >= images);
    return { images, complete, delivered: Math.max(0, ...places.map(({ delivered }) => delivered)) };
  }).filter(({ images }) => images > 0);
  const images = jobs.reduce((sum, one) => sum + one.images, 0);
  const waiting = troubled.reduce((sum, { counts }) => sum + waitingOf(counts), 0);
  if (images === 0) {
    return waiting === 0 ? "" : `${waits(waiting, "delivery", "deliveries")}; the images are still in the watched folder`;
  }
  const older = waiting - destinations.filter(isTroubled).reduce((sum, one) => sum + one.waiting, 0);
  const where = whereOf(jobs, images, troubled.some(({ isLost }) => isLost));
  return [where, older > 0 ? waits(older, "older delivery", "older deliveries") : ""].filter((part) => part !== "").join("; ");
}

function whereOf(
  jobs: readonly { readonly complete: readonly Place[]; readonly delivered: number }[],
  images: number,
  someAreLost: boolean,
): string {
  if (jobs.every(({ complete }) => complete.length > 0)) {
    const names = listed(jobs.flatMap(({ complete }) => complete.map(({ name }) => name)));
    return images === 1 ? `The one image is safe on ${names}` : `All ${images} images are safe on ${names}`;
  }
  const delivered = jobs.reduce((sum, one) => sum + one.delivered, 0);
  const left = images - delivered;
  if (someAreLost) return left <= 0 ? "" : `${waits(left, "image")} in the watched folder`;
  if (left <= 0 && images === 1) return "The one image is delivered";
  if (left <= 0) return `All ${images} images are delivered to at least one destination`;
  if (delivered === 0) return `${waits(images, "image")} in the watched folder`;
  return `${delivered} of ${images} images are delivered; ${waits(left, "image")} in the watched folder`;
}

export function waits(number: number, noun: string, plural = `${noun}s`): string {
  return `${counted(number, noun, plural)} ${number === 1 ? "is" : "are"} waiting`;
}
