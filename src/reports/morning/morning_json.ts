/**
 * `report --json` and what a webhook is sent, a shape that scripts depend on; and whether such a night came out well: one list of faults
 * behind the report's sentence, its `all_well` and the exit code of `report`.
 */
import type { Headline } from "../overview/status_json.ts";
import type { FrameGaps } from "./frame_gaps.ts";
import type { NotPickedUp } from "./not_picked_up.ts";
import { printable } from "../../domain/names/printable.ts";

/** Sizes in bytes, times ISO 8601 in UTC. A shape that scripts may depend on. */
export interface MorningReport {
  readonly night: string;
  readonly made_at: string;
  readonly all_well: boolean;
  /** How it is at this moment, in the words of the page and of `status`; null where no daemon runs to tell. */
  readonly headline: Headline | null;
  /** What was not taken included. */
  readonly seen: { readonly files: number; readonly bytes: number };
  readonly not_taken: NotPickedUp;
  /** Files that were sent as they are although something is wrong with them; the first hundred. They spoil no night. */
  readonly flagged: {
    readonly count: number;
    readonly files: readonly { readonly job: string; readonly path: string; readonly message: string }[];
  };
  readonly destinations: readonly ReportDestination[];
  /** What audits found, of all nights: for each destination that is audited, or has lost files. */
  readonly audits: readonly ReportAudit[];
  readonly gaps: readonly FrameGaps[];
  /** From finished to proven; the ten slowest. */
  readonly slowest: readonly {
    readonly job: string;
    readonly path: string;
    readonly destination: string;
    readonly seconds: number;
  }[];
  /** Deliveries that are not done. */
  readonly undelivered_count: number;
  /** The first hundred of them, and why. */
  readonly undelivered: readonly {
    readonly id: number;
    readonly job: string;
    readonly path: string;
    readonly destination: string;
    readonly state: string;
    readonly message: string;
    readonly hint: string;
  }[];
}

/** The audit of a destination that runs, or the last one. */
export interface ReportAudit {
  readonly job: string;
  readonly name: string;
  /** When it began; null before the first. */
  readonly begun_at: string | null;
  /** Files hashed again, and how many were other bytes than delivered, perhaps on purpose, or unreadable. */
  readonly checked: number;
  readonly changed: number;
  readonly unreadable: number;
  readonly sent_again: number;
  /** Delivered files that are damaged there, or have vanished, as far as is known now. */
  readonly damaged: number;
  readonly vanished: number;
}

/** A night at one destination. `bytes` are those delivered. */
export interface ReportDestination {
  readonly job: string;
  readonly name: string;
  readonly expected: number;
  readonly delivered: number;
  readonly proven: number;
  readonly bytes: number;
  /** Delivered files that a newer version of the same name took the place of. */
  readonly replaced: number;
  /** The other delivered files that are there now; null if the destination is unavailable. */
  readonly present: number | null;
  /** True if they were hashed again; otherwise only their sizes were compared. */
  readonly hashed: boolean;
  /** Delivered files that are missing or differ. */
  readonly wrong_count: number;
  /** The first hundred of them. */
  readonly wrong: readonly { readonly path: string; readonly target: string; readonly reason: string }[];
  /** Why it cannot be asked. */
  readonly problem: string | null;
}

/** The whole report in a sentence. */
export function verdictOf(report: MorningReport): string {
  const { seen, flagged, destinations } = report;
  const faults = faultsOf(report);
  if (faults.length > 0) return `NOT all well: ${faults.join(", ")}`;
  if (seen.files === 0) return "no images";
  const all = [...new Set(destinations.map(({ name }) => printable(name)))].join(" and ");
  const warned = flagged.count === 0 ? "" : `, ${flagged.count} with a warning`;
  return `all well, ${seen.files === 1 ? "the one image is" : `all ${seen.files} images are`} on ${all}${warned}`;
}

/** In a few words each; none where every image that was seen is delivered, verified and still there. */
export function faultsOf(
  { not_taken, destinations, gaps, audits }: Pick<MorningReport, "not_taken" | "destinations" | "gaps" | "audits">,
): string[] {
  const called = namesIn(destinations);
  const missing = gaps.reduce((sum, { missingCount }) => sum + missingCount, 0);
  return [
    not_taken.count > 0 ? `${not_taken.count} not picked up at the camera` : "",
    not_taken.problems.length > 0 ? "a watched folder cannot be listed" : "",
    ...destinations.map((one) => one.delivered < one.expected ? `${one.expected - one.delivered} not on ${called(one)}` : ""),
    ...destinations.map((one) => one.wrong_count > 0 ? `${one.wrong_count} missing or changed on ${called(one)}` : ""),
    ...destinations.map((one) => one.present === null ? `${called(one)} is unavailable` : ""),
    ...destinations.map((one) =>
      one.proven < one.delivered ? `${one.delivered - one.proven} not verified on ${called(one)}` : ""
    ),
    ...audits.map((one) =>
      one.damaged + one.vanished > 0
        ? `${one.damaged + one.vanished} damaged or vanished on ${called(one)}, found by the audit`
        : ""
    ),
    missing > 0 ? `${missing} frame numbers missing` : "",
  ].filter((fault) => fault !== "");
}

/** What the destinations of a report are called: with their job where two jobs have one of the same name. */
export function namesIn(
  destinations: MorningReport["destinations"],
): (one: { readonly job: string; readonly name: string }) => string {
  return ({ job, name }) => {
    const isShared = destinations.some((other) => other.name === name && other.job !== job);
    return isShared ? `${printable(name)} (${printable(job)})` : printable(name);
  };
}
