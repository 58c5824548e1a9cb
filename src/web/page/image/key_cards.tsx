/**
 * What one wants to know of an image at a glance, from its header.
 *
 * @module
 */
import type { JSX } from "preact";
import { printable } from "../../../domain/names/printable.ts";
import type { CardValues } from "../../../reports/api_types.ts";

/** In the order of reading; the first keyword that is there counts. */
const KEYS: readonly { readonly name: string; readonly keywords: readonly string[]; readonly unit?: string }[] = [
  { name: "Object", keywords: ["OBJECT"] },
  { name: "Type", keywords: ["IMAGETYP"] },
  { name: "Filter", keywords: ["FILTER"] },
  { name: "Exposure", keywords: ["EXPTIME", "EXPOSURE"], unit: " s" },
  { name: "Taken", keywords: ["DATE-OBS"], unit: " UT" },
  { name: "Gain", keywords: ["GAIN"] },
  { name: "Sensor", keywords: ["CCD-TEMP"], unit: " °C" },
  { name: "Camera", keywords: ["INSTRUME"] },
  { name: "Telescope", keywords: ["TELESCOP"] },
  { name: "RA", keywords: ["RA"] },
  { name: "Dec", keywords: ["DEC"] },
  { name: "Airmass", keywords: ["AIRMASS"] },
];

/** Nothing where the header tells nothing. */
export function KeyCards({ cards }: { readonly cards: CardValues | null }): JSX.Element | null {
  const known = new Set(KEYS.flatMap(({ keywords }) => keywords));
  const found = KEYS.flatMap(({ name, keywords, unit = "" }) => {
    const value = keywords.map((keyword) => cards?.[keyword]).find((one) => one !== undefined && one !== "");
    return value === undefined ? [] : [{ name, text: `${shown(value)}${unit}` }];
  });
  // What a layout names besides.
  const others = Object.entries(cards ?? {}).filter(([keyword]) => !known.has(keyword))
    .map(([keyword, value]) => ({ name: keyword, text: shown(value) }));
  if (found.length + others.length === 0) return null;
  return (
    <dl class="key-cards">
      {[...found, ...others].map(({ name, text }) => (
        <div key={name}>
          <dt>{printable(name)}</dt>
          <dd>{printable(text)}</dd>
        </div>
      ))}
    </dl>
  );
}

function shown(value: string | number | boolean): string {
  // The time of a header has a T between and digits that nobody reads.
  if (typeof value === "string") return value.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.?\d*$/, "$1 $2");
  return typeof value === "number" ? String(Number(value.toPrecision(8))) : value ? "yes" : "no";
}
