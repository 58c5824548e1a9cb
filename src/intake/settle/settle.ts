/**
 * Decides whether a file is finished, from what was observed of it. Pure: it looks at nothing, it asks for what
 * it needs to know next. Its rules, strongest first:
 *
 * 1. A file that declares more than it holds is never finished by waiting; after `incompleteAfterMs` it is incomplete.
 * 2. An open writer vetoes everything.
 * 3. The writer is gone and the declared length is reached: finished at once (`completeness: quiet` waits all the same).
 * 4. The writer cannot be seen, or no length is declared: finished when nothing changed for `minFileAgeMs`.
 * 5. With `completeness: marker` a marker takes the place of the waiting in 3 and 4; without one nothing is finished.
 */
import type { Job } from "../../config/settings.ts";
import type { Content } from "./inspect.ts";
import type { WriterState } from "./writers.ts";

/** What is known of a file. Lengths of time in milliseconds; what was not asked for yet is left out. */
export interface Observation {
  /** How long we ourselves have seen this very version; by the monotonic clock. */
  readonly unchangedMs: number;
  /** How long ago content or metadata changed, by file times against the wall clock; may be wrong or negative. */
  readonly ageMs: number;
  /** How often we have looked and found this very version. */
  readonly looks: number;
  /** The size went up while we looked on. */
  readonly grew: boolean;
  /** The last writer's close was seen, nothing was written since, and no other machine writes here. */
  readonly closed: boolean;
  /** Judging the content costs a read of the whole file. */
  readonly costly: boolean;
  /** A current done-marker is beside the file. */
  readonly marker: boolean;
  readonly writer?: WriterState;
  readonly content?: Pick<Content, "verdict" | "emptyTail">;
}

export type SettleRules = Pick<Job, "completeness" | "minFileAgeMs" | "incompleteAfterMs" | "deliverIncomplete" | "verifySource">;

export type WaitReason = "growing" | "quiet" | "writer open" | "short" | "marker" | "checking";

/** What is to be done with the file now. */
export type Settlement =
  /** To be admitted. `incomplete` says what is missing where `deliver_incomplete` let it through. */
  | { readonly is: "finished"; readonly incomplete: string | null }
  /** To be looked at again after `againMs`, or when something happens to it. */
  | { readonly is: "waiting"; readonly reason: WaitReason; readonly againMs: number }
  /** Given up until it changes, and listed. */
  | { readonly is: "incomplete"; readonly reason: string }
  | { readonly is: "corrupt"; readonly reason: string }
  /** More must be known. */
  | { readonly is: "undecided"; readonly ask: "content" | "writer" };

/** What is to be done with one file; see the module for the rules. */
export function settle(file: Observation, rules: SettleRules): Settlement {
  if (rules.completeness === "marker" && !file.marker) return unfinished(file, rules, "marker", NO_MARKER);
  if (file.content === undefined) return beforeContent(file, rules);
  const { verdict, emptyTail } = file.content;
  switch (verdict.verdict) {
    case "short":
      return unfinished(file, rules, file.grew ? "growing" : "short", verdict.reason);
    case "corrupt":
      if (rules.verifySource === "refuse") {
        return whenWriterGone(file, rules, emptyTail, { is: "corrupt", reason: verdict.reason });
      }
      // Damaged, or written in an order of its own: it tells no length that could be relied on.
      return whenQuiet(file, rules, emptyTail);
    case "reached":
      return whenWriterGone(file, rules, emptyTail, FINISHED);
    case "undeclared":
      return whenQuiet(file, rules, false);
    default:
      return verdict satisfies never;
  }
}

/** Content is read at once where it is cheap: it tells how much is still to come. */
function beforeContent(file: Observation, rules: SettleRules): Settlement {
  if (!file.costly || file.closed || file.writer === "gone" || file.unchangedMs >= rules.minFileAgeMs) return ask("content");
  if (file.writer === undefined) return ask("writer");
  return file.writer === "open" ? waiting(file, "writer open") : quietIn(file, rules);
}

/** Rules 2 and 3, for content that says that it is all there. */
function whenWriterGone(file: Observation, rules: SettleRules, emptyTail: boolean, done: Settlement): Settlement {
  // A close proves that no writer is left, unless the file looks set aside: then only the tables of open files do.
  if (file.writer === undefined && !(file.closed && !emptyTail)) return ask("writer");
  if (file.writer === "open") return waiting(file, "writer open");
  const atOnce = rules.completeness === "auto" && (file.closed || (file.writer === "gone" && !emptyTail));
  if (atOnce || rules.completeness === "marker") return done;
  const quiet = whenQuiet(file, rules, emptyTail);
  return quiet.is === "finished" ? done : quiet;
}

/** Rules 2 and 4. Bytes that look set aside are waited for longer where no writer can be seen. */
function whenQuiet(file: Observation, rules: SettleRules, emptyTail: boolean): Settlement {
  if (file.writer === "open") return waiting(file, "writer open");
  const marked = rules.completeness === "marker";
  const unseen = file.writer === "unseen" && !file.closed;
  const quietMs = unseen && emptyTail ? Math.max(SET_ASIDE_MS, SET_ASIDE_FACTOR * rules.minFileAgeMs) : rules.minFileAgeMs;
  // File times may come from another clock: alone they count only when they are old beyond doubt, or no writer is left.
  const oldMs = unseen ? Math.max(quietMs, CLOCKS_DIFFER_MS) : quietMs;
  const quiet = file.unchangedMs >= quietMs || (file.looks >= 2 && file.ageMs >= oldMs);
  if (!quiet && !marked) return quietIn(file, { minFileAgeMs: quietMs });
  return file.writer === undefined ? ask("writer") : FINISHED;
}

/** Rule 1, and the marker that does not come. */
function unfinished(file: Observation, rules: SettleRules, reason: WaitReason, missing: string): Settlement {
  const unchangedMs = file.looks >= 2 ? Math.max(file.unchangedMs, file.ageMs) : file.unchangedMs;
  if (unchangedMs < rules.incompleteAfterMs) {
    const left = rules.incompleteAfterMs - unchangedMs;
    return file.looks < 2 ? { is: "waiting", reason, againMs: SECOND_LOOK_MS } : waiting(file, reason, left);
  }
  if (file.writer === undefined) return ask("writer");
  if (file.writer === "open") return waiting(file, "writer open");
  return rules.deliverIncomplete ? { is: "finished", incomplete: missing } : { is: "incomplete", reason: missing };
}

function quietIn(file: Observation, rules: Pick<SettleRules, "minFileAgeMs">): Settlement {
  const left = Math.min(SELDOM_MS, Math.max(SECOND_LOOK_MS, rules.minFileAgeMs - file.unchangedMs));
  const second = file.looks < 2 && file.ageMs >= rules.minFileAgeMs;
  return { is: "waiting", reason: file.grew ? "growing" : "quiet", againMs: second ? SECOND_LOOK_MS : left };
}

/** Looks come less and less often while nothing happens. */
function waiting(file: Observation, reason: WaitReason, atMostMs = SELDOM_MS): Settlement {
  const againMs = Math.min(SELDOM_MS, atMostMs, Math.max(OFTEN_MS, file.unchangedMs / 4));
  return { is: "waiting", reason, againMs: Math.max(SECOND_LOOK_MS, againMs) };
}

function ask(what: "content" | "writer"): Settlement {
  return { is: "undecided", ask: what };
}

const FINISHED: Settlement = { is: "finished", incomplete: null };
/** The reason of a file that is given up for nothing but its marker. */
export const NO_MARKER = "its done-marker is missing";
const SECOND_LOOK_MS = 20;
const OFTEN_MS = 1_000;
const SELDOM_MS = 30_000;
/**
 * A clock may differ from ours by this much: by two time zones at the most (UTC−12 to UTC+14) where it was set to local time, as those
 * of camera computers are. What has not changed for longer was old before anybody looked.
 */
export const CLOCKS_DIFFER_MS = 26 * 3_600_000;
/** How long a file with nothing but zeros at its end must rest where its writer cannot be seen. */
const SET_ASIDE_MS = 30_000;
const SET_ASIDE_FACTOR = 10;
