/** The state of a delivery in a word or two, with its sign. */
import type { JSX } from "preact";
import type { DeliveryView } from "../../../reports/api_types.ts";
import { Glyph, type GlyphName } from "./glyph.tsx";

type ShownState = Pick<DeliveryView, "state" | "proof" | "error" | "warning">;

const PROOFS: Readonly<Record<string, string>> = { checksum: "verified", read_back: "read back", size: "size only" };

/** Delivered ones say how they were proven; the message of a failure, or what is wrong with the file, is the tooltip. */
export function StateWord({ one }: { readonly one: ShownState }): JSX.Element {
  const { glyph, tone, word } = wordOf(one);
  return (
    <span class={`state tone-text-${tone}`} title={one.error?.message ?? one.warning ?? undefined}>
      <Glyph name={glyph} />
      <span>{word}</span>
    </span>
  );
}

function wordOf({ state, proof, error, warning }: ShownState): { glyph: GlyphName; tone: string; word: string } {
  switch (state) {
    case "queued":
      return { glyph: "warning", tone: "dim", word: "queued" };
    case "sending":
      return { glyph: "busy", tone: "busy", word: "sending" };
    case "deferred":
      return { glyph: "warning", tone: "warning", word: "retrying" };
    case "delivered": {
      const word = proof === null ? "delivered, not verified" : PROOFS[proof] ?? proof;
      if (warning !== null) return { glyph: "trouble", tone: "warning", word: `${word}, with a warning` };
      return { glyph: "good", tone: "good", word };
    }
    case "failed":
      // Left alone on purpose, and listed for the record.
      if (error?.code === "superseded") return { glyph: "next", tone: "dim", word: "replaced" };
      if (error?.code === "skipped") return { glyph: "next", tone: "dim", word: "skipped" };
      if (error?.code === "gone") return { glyph: "warning", tone: "warning", word: "gone" };
      return { glyph: "bad", tone: "bad", word: "failed" };
    default:
      return state satisfies never;
  }
}
