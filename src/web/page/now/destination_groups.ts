/**
 * Destinations as people count them: one for each name, however many jobs send to it, those in trouble first.
 *
 * @module
 */
import type { DestinationView } from "../../../reports/api_types.ts";
import type { GlyphName } from "../parts/glyph.tsx";

export type Tone = "good" | "busy" | "warning" | "bad";

/** How a destination is, in a word and a sign. */
export interface Condition {
  readonly tone: Tone;
  readonly glyph: GlyphName;
  readonly word: string;
}

/** The jobs that send to destinations of one name, worst first; the condition is that of the worst. */
export interface DestinationGroup extends Condition {
  readonly name: string;
  readonly rows: readonly DestinationView[];
}

const WORST_FIRST: readonly Tone[] = ["bad", "warning", "busy", "good"];

export function destinationGroups(all: readonly DestinationView[]): DestinationGroup[] {
  const names = [...new Set(all.map(({ name }) => name))];
  const groups = names.map((name) => {
    const rows = all.filter((one) => one.name === name).toSorted((a, b) => rank(conditionOf(a)) - rank(conditionOf(b)));
    return { name, rows, ...conditionOf(rows[0]!) };
  });
  // What is being sent stays in its place: cards that jump cannot be read.
  return groups.toSorted((a, b) => Math.min(2, rank(a)) - Math.min(2, rank(b)));
}

function rank({ tone }: Condition): number {
  return WORST_FIRST.indexOf(tone);
}

export function conditionOf({ state, counts, bytesPerSecond, removalsHeld }: DestinationView): Condition {
  switch (state) {
    case "on_hold":
      return { tone: "bad", glyph: "bad", word: "On hold" };
    case "backing_off":
      return { tone: "warning", glyph: "warning", word: "Unavailable" };
    case "paused":
      return { tone: "warning", glyph: "pause", word: "Paused" };
    case "closed":
    case "open":
      if (removalsHeld !== null) return { tone: "warning", glyph: "warning", word: "Removals wait" };
      if (state === "closed") return { tone: "good", glyph: "night", word: "Scheduled" };
      return counts.sending > 0 || bytesPerSecond > 0
        ? { tone: "busy", glyph: "busy", word: "Sending" }
        : { tone: "good", glyph: "good", word: "Ready" };
    default:
      return state satisfies never;
  }
}
