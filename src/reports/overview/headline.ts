/**
 * The one answer to "is everything across, and if not, what do I do?", in a sentence and what to do.
 *
 * @module
 */
import type { Headline, NightSummary } from "../api_types.ts";
import type { DestinationNow, JobNow } from "../page_source.ts";

/** What the headline depends on. */
export interface HeadlineParts {
  readonly jobs: readonly JobNow[];
  readonly destinations: readonly DestinationNow[];
  readonly tonight: NightSummary;
  /** Deliveries that wait or are on their way, whatever their night. */
  readonly underway: number;
  /** Failed ones that need a person. */
  readonly failed: number;
}

/** The worst thing decides. */
export function headlineOf(parts: HeadlineParts): Headline {
  return needsPerson(parts) ?? goesOnByItself(parts) ?? inHand(parts) ?? allAcross(parts);
}

function needsPerson({ jobs, destinations, failed }: HeadlineParts): Headline | null {
  const held = destinations.filter(({ state }) => state.state === "on_hold");
  const first = held[0];
  if (first?.state.state === "on_hold") {
    const { code, message, hint } = first.state.failure;
    const alike = unique(held.filter(({ state }) => state.state === "on_hold" && state.failure.code === code));
    const others = unique(held).filter((name) => !alike.includes(name));
    const rest = others.length === 0 ? "" : `; ${onHold(others)} too: see Trouble`;
    return { level: "bad", text: `${onHold(alike)}: ${message}${rest}`, advice: hint };
  }
  const blind = jobs.find(({ failure }) => failure !== null);
  if (blind?.failure) {
    return {
      level: "bad",
      text: `${blind.job.watchPath} cannot be watched: ${blind.failure.message}`,
      advice: blind.failure.hint,
    };
  }
  if (failed === 0) return null;
  return {
    level: "bad",
    text: failed === 1 ? "1 image could not be delivered" : `${failed} images could not be delivered`,
    advice: "See Trouble for the reasons and what to do.",
  };
}

function goesOnByItself({ jobs, destinations, underway }: HeadlineParts): Headline | null {
  const away = destinations.filter(({ state }) => state.state === "backing_off");
  const wait = underway === 0 ? "" : `; ${underway} ${underway === 1 ? "delivery is waiting" : "deliveries are waiting"}`;
  if (away[0]?.state.state === "backing_off") {
    const text = `${list(unique(away))} cannot be reached${wait}`;
    return { level: "warning", text, advice: `${away[0].state.failure.message}. image-transfer retries automatically.` };
  }
  const paused = destinations.filter(({ state }) => state.state === "paused");
  if (paused[0]?.state.state === "paused") {
    const names = unique(paused);
    const text = `${list(names)} ${names.length === 1 ? "is" : "are"} paused by ${paused[0].state.by}${wait}`;
    return { level: "warning", text, advice: "Resume it to send files again." };
  }
  const givenUp = jobs.flatMap(({ waiting }) => waiting).filter(({ reason }) => reason === "incomplete" || reason === "refused");
  const incomplete = givenUp.filter(({ reason }) => reason === "incomplete").length;
  const unmatched = jobs.filter(({ unmatched }) => unmatched !== null).map(({ job }) => job.watchPath);
  if (givenUp.length === 0) {
    return unmatched.length === 0 ? null : {
      level: "warning",
      text: `None of the files in ${list(unmatched)} matches the patterns`,
      advice: "Nothing is sent from there. See Trouble for an example.",
    };
  }
  return {
    level: "warning",
    text: notPickedUp(incomplete, givenUp.length - incomplete),
    advice: "See Trouble for the files and the reasons.",
  };
}

function notPickedUp(incomplete: number, refused: number): string {
  const all = incomplete + refused;
  const files = all === 1 ? "1 file" : `${all} files`;
  if (incomplete === 0) return `${files} ${all === 1 ? "was" : "were"} rejected`;
  if (refused === 0) return `${files} ${all === 1 ? "is" : "are"} incomplete`;
  return `${files} were not sent: ${incomplete} incomplete, ${refused} rejected`;
}

function inHand({ tonight, underway }: HeadlineParts): Headline | null {
  if (underway === 0) return null;
  const behind = tonight.destinations.filter(({ expected, delivered }) => delivered < expected);
  if (behind.length === 0) {
    return {
      level: "busy",
      text: `${underway} older ${underway === 1 ? "delivery is" : "deliveries are"} in progress`,
      advice: "",
    };
  }
  const parts = behind.map(({ name, expected, delivered }) => `${delivered} of ${expected} on ${name}`);
  return { level: "busy", text: `Delivering tonight's images: ${list(parts)}`, advice: "" };
}

function allAcross({ tonight, destinations }: HeadlineParts): Headline {
  const names = list(unique(destinations));
  const { files } = tonight;
  // What needs a person comes before: these were delivered and are known to be gone.
  const missing = tonight.destinations.filter(({ failed }) => failed > 0);
  if (missing.length > 0) {
    const parts = missing.map(({ name, expected, failed }) => `${failed} of ${expected} from ${name}`);
    return {
      level: "warning",
      text: `Images of tonight are missing: ${list(parts)}`,
      advice: "See History for the files and the reasons.",
    };
  }
  if (files === 0) return { level: "good", text: "No images yet tonight; nothing is waiting", advice: "" };
  return {
    level: "good",
    text: files === 1 ? `Tonight's image is on ${names}` : `All ${files} of tonight's images are on ${names}`,
    advice: "",
  };
}

function onHold(names: readonly string[]): string {
  return `${list(names)} ${names.length === 1 ? "is" : "are"} on hold`;
}

function unique(destinations: readonly DestinationNow[]): string[] {
  return [...new Set(destinations.map(({ destination }) => destination.name))];
}

function list(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}
