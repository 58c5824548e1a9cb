/**
 * An image, small, with what its header says; a click shows more.
 *
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { printable } from "../../../domain/names/printable.ts";
import type { CardValues, DeliveryView } from "../../../reports/api_types.ts";
import { show } from "../store/route.ts";
import { bytes } from "./format.ts";
import { Glyph } from "./glyph.tsx";
import { Name } from "./name.tsx";
import { Time } from "./time.tsx";

/** A sign in place of the picture where there is no preview, or it cannot be loaded. */
export function Thumbnail({ one }: { readonly one: DeliveryView }): JSX.Element {
  const [broken, setBroken] = useState(false);
  // The same image comes once for every destination: its first address stays.
  const [preview] = useState(one.preview);
  const summary = cardSummary(one.cards);
  return (
    <li class="thumbnail">
      <button type="button" onClick={() => show(one.id)}>
        <span class="frame">
          {preview === null || broken
            ? <Glyph name="image" />
            : <img src={preview} alt="" loading="lazy" decoding="async" onError={() => setBroken(true)} />}
        </span>
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
          {one.delivered_at !== null && <Time at={Date.parse(one.delivered_at)} shape="minute" />}
        </span>
      </button>
    </li>
  );
}

/** The same for the same image, whatever its destination. */
export function imageKey({ job, path, size }: DeliveryView): string {
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
