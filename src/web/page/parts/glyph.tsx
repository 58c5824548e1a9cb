/** The signs of the page, drawn with lines. A sign always stands beside a word or a label. */
import type { ComponentChildren, JSX } from "preact";
import type { DeliveryView } from "../../../reports/api_types.ts";

const PATHS = {
  good: "M12 3a9 9 0 1 1 0 18a9 9 0 0 1 0-18M8 12.300l2.800 2.800L16 9.500",
  busy: "M12 3a9 9 0 1 1 0 18a9 9 0 0 1 0-18M12 16V8m-3.500 3.500L12 8l3.500 3.500",
  warning: "M12 3a9 9 0 1 1 0 18a9 9 0 0 1 0-18M12 7v5.200l3.200 2",
  bad: "M12 4 2.800 20h18.400zM12 10v4.500m0 2.600v.1",
  away: "M4 4l16 16M8.500 15.500a5 5 0 0 1 5.500-1M5 12a10 10 0 0 1 4-2.400m4-.600a10 10 0 0 1 6 3M12 19v.1",
  pause: "M9 6v12m6-12v12",
  play: "M8 5.500v13l10.500-6.500z",
  scan: "M20 12a8 8 0 1 1-2.500-5.800M20 3v4.500h-4.500",
  retry: "M4 12a8 8 0 1 0 2.500-5.800M4 3v4.500h4.500",
  close: "M6 6l12 12M18 6L6 18",
  search: "M10.500 4a6.500 6.500 0 1 1 0 13a6.500 6.500 0 0 1 0-13M15.300 15.300 20 20",
  next: "M9.500 5.500l6.500 6.500l-6.500 6.500",
  former: "M14.500 5.500L8 12l6.500 6.500",
  more: "M12 5v14M5 12h14",
  less: "M5 12h14",
  image: "M4 5h16v14H4zM4 16l4.500-5l4 4l2.500-2.500l5 4.500M15.500 8.800v.1",
  save: "M12 4v11m-4.500-4.500L12 15l4.500-4.500M5 20h14",
  auto: "M12 3a9 9 0 1 1 0 18a9 9 0 0 1 0-18M12 3v18M12 8h7.500M12 12.500h9M12 17h7",
  light:
    "M12 8a4 4 0 1 1 0 8a4 4 0 0 1 0-8M12 2.500v2m0 15v2M2.500 12h2m15 0h2M5.300 5.300l1.400 1.400m10.600 10.600l1.400 1.400M18.700 5.300l-1.400 1.400M6.700 17.300l-1.400 1.400",
  dark: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500",
  red: "M2.500 12s3.500-6 9.500-6s9.500 6 9.500 6s-3.500 6-9.500 6s-9.500-6-9.500-6M12 9a3 3 0 1 1 0 6a3 3 0 0 1 0-6",
  now: "M3 12h4l2.500-6l5 12l2.500-6h4",
  night: "M20 14.500A8.500 8.500 0 0 1 9.500 4a8.500 8.500 0 1 0 10.500 10.500M17 4v4m-2-2h4",
  history: "M4 6h16M4 12h16M4 18h10",
  trouble: "M12 4 2.800 20h18.400zM12 10v4.500m0 2.600v.1",
  setup:
    "M4 7h9m5 0h2M4 17h2m5 0h9M15.500 4.500a2.500 2.500 0 1 1 0 5a2.500 2.500 0 0 1 0-5M8.500 14.500a2.500 2.500 0 1 1 0 5a2.500 2.500 0 0 1 0-5",
  help: "M9 9.200a3 3 0 1 1 4.300 2.700c-.900.500-1.300 1-1.300 2.100m0 3v.1",
} as const;

/** Levels and views are among the names, so that either can be drawn as it is. */
export type GlyphName = keyof typeof PATHS;

/** As large as the text around it, in its colour, and hidden from screen readers. */
export function Glyph({ name }: { readonly name: GlyphName }): JSX.Element {
  return (
    <svg class="glyph" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** A word with its sign, in its colour; where it `isUnseen`, the word is for screen readers only. */
interface SignProps {
  readonly glyph: GlyphName;
  readonly tone: string;
  readonly title?: string | undefined;
  readonly isUnseen?: boolean;
  readonly children: ComponentChildren;
}

export function Sign({ glyph, tone, title, isUnseen = false, children }: SignProps): JSX.Element {
  return (
    <span class={`state tone-text-${tone}`} title={title}>
      <Glyph name={glyph} />
      <span class={isUnseen ? "unseen" : undefined}>{children}</span>
    </span>
  );
}

type ShownState = Pick<DeliveryView, "state" | "proof" | "error" | "warning">;

const PROOFS: Readonly<Record<string, string>> = { checksum: "verified", read_back: "read back", size: "size only" };

/** The state of a delivery in a word or two, with its sign. Delivered ones say how they were proven; the message of a failure, or what is wrong with the file, is the tooltip. */
export function StateWord({ one }: { readonly one: ShownState }): JSX.Element {
  const { word, ...sign } = wordOf(one);
  return <Sign {...sign} title={one.error?.message ?? one.warning ?? undefined}>{word}</Sign>;
}

const WORDS = {
  queued: { glyph: "warning", tone: "dim", word: "queued" },
  sending: { glyph: "busy", tone: "busy", word: "sending" },
  deferred: { glyph: "warning", tone: "warning", word: "retrying" },
  failed: { glyph: "bad", tone: "bad", word: "failed" },
  // Left alone on purpose, and listed for the record.
  superseded: { glyph: "next", tone: "dim", word: "replaced" },
  skipped: { glyph: "next", tone: "dim", word: "skipped" },
  gone: { glyph: "warning", tone: "warning", word: "gone" },
} as const;

function wordOf({ state, proof, error, warning }: ShownState): { glyph: GlyphName; tone: string; word: string } {
  if (state === "delivered") {
    const word = proof === null ? "delivered, not verified" : PROOFS[proof] ?? proof;
    if (warning !== null) return { glyph: "trouble", tone: "warning", word: `${word}, with a warning` };
    return { glyph: "good", tone: "good", word };
  }
  const code = state === "failed" ? error?.code : undefined;
  return WORDS[code === "superseded" || code === "skipped" || code === "gone" ? code : state];
}
