/**
 * The header cards of an XISF file: its FITSKeyword elements, and for what is not among them the standard properties of the
 * observation, under the keywords that FITS has for them.
 */
import { type CardValue, parseCard } from "./fits/fits_header.ts";

/** From the XML header, without comments; never throws. Of a keyword that comes twice, the first. */
export function xisfCards(xml: string): Map<string, CardValue> {
  const cards = new Map<string, CardValue>();
  const add = (keyword: string | undefined, value: CardValue | undefined) => {
    if (keyword !== undefined && value !== undefined && value !== "" && !cards.has(keyword)) cards.set(keyword, value);
  };
  for (const [, attributes = ""] of xml.matchAll(KEYWORDS)) {
    const { name, value } = attributesOf(attributes);
    if (name !== undefined && value !== undefined) add(name.trim(), parseCard(`${name.trim().padEnd(8)}= ${value}`).value);
  }
  for (const [, attributes = "", inside = ""] of xml.matchAll(PROPERTIES)) {
    const { id = "", type = "", location, value = unescaped(inside.trim()) } = attributesOf(attributes);
    if (location !== undefined) continue;
    add(KEYWORD_OF[id], /^(Float|U?Int)/.test(type) && value !== "" && isFinite(Number(value)) ? Number(value) : value);
  }
  return cards;
}

function attributesOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(ATTRIBUTES)].map(([, name = "", quoted = ""]) => [name, unescaped(quoted.slice(1, -1))]),
  );
}

/** With the entities of XML as their characters. */
function unescaped(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(lt|gt|amp|quot|apos));/gi, (found, decimal, hex, name) => {
    if (name !== undefined) return ENTITIES[String(name).toLowerCase()] ?? found;
    const code = decimal === undefined ? parseInt(hex, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : found;
  });
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

/** XISF 1.0, §11.5.3: properties of which FITS has a keyword. */
const KEYWORD_OF: Readonly<Record<string, string>> = {
  "Observation:Object:Name": "OBJECT",
  "Instrument:Filter:Name": "FILTER",
  "Instrument:ExposureTime": "EXPTIME",
  "Observation:Time:Start": "DATE-OBS",
  "Instrument:Camera:Name": "INSTRUME",
  "Instrument:Telescope:Name": "TELESCOP",
  "Instrument:Camera:Gain": "GAIN",
  "Instrument:Sensor:Temperature": "CCD-TEMP",
};

// Bounded, so that a quote that does not end is not searched for through the whole header again and again.
const ATTRIBUTE = `\\s{1,20}[\\w:]{1,50}\\s{0,20}=\\s{0,20}(?:"[^"]{0,4000}"|'[^']{0,4000}')`;
const KEYWORDS = new RegExp(`<FITSKeyword((?:${ATTRIBUTE}){1,20})`, "g");
const PROPERTIES = new RegExp(`<Property((?:${ATTRIBUTE}){1,20})\\s{0,20}(?:/>|>([^<]{0,4000})</Property>)`, "g");
const ATTRIBUTES = /([\w:]{1,50})\s{0,20}=\s{0,20}("[^"]{0,4000}"|'[^']{0,4000}')/g;
