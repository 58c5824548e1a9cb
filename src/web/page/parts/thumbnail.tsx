/** An image, small, with what its header says; a click shows more. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { printable } from "../../../domain/names/printable.ts";
import type { CardValues, DeliveryView } from "../../../reports/api_types.ts";
import { show } from "../store/route.ts";
import { bytes } from "./format.ts";
import { Glyph } from "./glyph.tsx";
import { Name } from "./name.tsx";
import { Moment } from "./time.tsx";

type Thumb = Pick<DeliveryView, "id" | "name" | "size" | "cards" | "preview" | "warning" | "delivered_at">;

/** A sign in place of the picture where there is no preview, or it cannot be loaded. */
export function Thumbnail({ one }: { readonly one: Thumb }): JSX.Element {
  // The same image comes once for every destination: its first address stays.
  const [preview] = useState(one.preview);
  const summary = cardSummary(one.cards);
  return (
    <li class="thumbnail">
      <button type="button" onClick={() => show(one.id)}>
        <SmallPicture path={preview} />
        <span class="thumbnail-name">
          <Name text={one.name.slice(one.name.lastIndexOf("/") + 1)} />
        </span>
        {one.warning !== null && (
          <span class="thumbnail-note" title={one.warning}>
            <span class="tone-text-warning">
              <Glyph name="trouble" /> with a warning
            </span>
          </span>
        )}
        <span class="thumbnail-note">
          <span>{summary === "" ? bytes(one.size) : summary}</span>
          {one.delivered_at !== null && <Moment at={Date.parse(one.delivered_at)} />}
        </span>
      </button>
    </li>
  );
}

/** Loaded when it has been in sight for a moment and it is its turn. */
function SmallPicture({ path }: { readonly path: string | null }): JSX.Element {
  const frame = useRef<HTMLSpanElement>(null);
  const [state, setState] = useState<"none" | "loading" | "loaded" | "broken">("none");
  const giveTurn = useRef(() => {});
  useEffect(() => {
    if (path === null || state === "loaded" || state === "broken" || frame.current === null) return;
    let rest: ReturnType<typeof setTimeout> | undefined;
    const stop = () => {
      clearTimeout(rest);
      giveTurn.current();
    };
    const sight = new IntersectionObserver(([entry]) => {
      stop();
      if (entry?.isIntersecting) rest = setTimeout(() => giveTurn.current = takeTurn(() => setState("loading")), REST_MS);
      else setState((now) => now === "loading" ? "none" : now);
    });
    sight.observe(frame.current);
    return () => {
      sight.disconnect();
      stop();
    };
  }, [path, state === "loaded" || state === "broken"]);
  const end = (how: "loaded" | "broken") => {
    giveTurn.current();
    setState(how);
  };
  return (
    <span class="frame" ref={frame}>
      {path === null || state === "none" || state === "broken"
        ? <Glyph name="image" />
        : <img src={`${path}?side=256`} alt="" decoding="async" onLoad={() => end("loaded")} onError={() => end("broken")} />}
    </span>
  );
}

/** What is scrolled by is not loaded. */
const REST_MS = 150;

/** The same for the same image, whatever its destination. */
export function imageKey({ job, path, size }: Pick<DeliveryView, "job" | "path" | "size">): string {
  return `${job}/${path}/${size}`;
}

/** `M 31 · Ha · 300 s`, as far as it is known. */
export function cardSummary(cards: CardValues | null): string {
  if (cards === null) return "";
  const exposure = cards["EXPTIME"] ?? cards["EXPOSURE"];
  const parts = [
    cards["OBJECT"] ?? cards["IMAGETYP"],
    cards["FILTER"],
    exposure === undefined ? undefined : `${exposure} s`,
  ];
  return parts.filter((part) => part !== undefined && part !== "").map((part) => printable(String(part))).join(" · ");
}

const AT_ONCE = 2;
const waiting = new Set<() => void>();
let loading = 0;

/** Calls `start` when it is its turn. To be called when the picture has come, has not, or is not wanted any more: all the same. */
function takeTurn(start: () => void): () => void {
  let state: "waiting" | "loading" | "over" = "waiting";
  const begin = () => {
    waiting.delete(begin);
    state = "loading";
    loading++;
    start();
  };
  waiting.add(begin);
  next();
  return () => {
    waiting.delete(begin);
    if (state === "loading") loading--;
    state = "over";
    next();
  };
}

/** The latest first: that is what is in sight. */
function next(): void {
  while (loading < AT_ONCE && waiting.size > 0) [...waiting].at(-1)!();
}
