/**
 * XISF 1.0, monolithic files (PixInsight, NINA): an XML header that tells where each attached block lies.
 * Declared length = the end of the last of them.
 */
import { type CardValue, parseCard } from "./fits/fits.ts";
import { fill, type Format, latin1, notBegun, short, undeclared, type Verdict, written } from "./format.ts";

/** `.xisf`: short until header and attached blocks are there; distributed units (`.xish`, `.xisb`) are not known. */
export const xisf: Format = {
  name: "XISF",
  claims: (name) => name.endsWith(".xisf"),
  inspect: declaredLength,
};

async function declaredLength(...[read, size, signal, onHdu]: Parameters<Format["inspect"]>): Promise<Verdict> {
  const opening = await fill(read, 0, Math.min(PREAMBLE_BYTES, size));
  const blank = notBegun(opening);
  if (blank !== null) return blank;
  const signature = latin1(opening.subarray(0, SIGNATURE.length));
  if (!SIGNATURE.startsWith(signature)) return undeclared('not an XISF file: it does not begin with "XISF0100"');
  if (opening.length < PREAMBLE_BYTES) return short(null, "the header is not complete");

  const headerBytes = new DataView(opening.buffer, opening.byteOffset).getUint32(8, true);
  const headerEnd = PREAMBLE_BYTES + headerBytes;
  if (headerBytes === 0) return short(null, "the header is not written yet");
  if (headerBytes > MAX_HEADER_BYTES) return undeclared(`its header declares an impossible length: ${headerBytes} bytes`);
  if (size < headerEnd) return short(headerEnd, written(size, headerEnd));
  signal.throwIfAborted();
  const header = await fill(read, PREAMBLE_BYTES, headerBytes);
  const xml = latin1(header);
  if (!xml.includes("</xisf>")) {
    return xml.includes("\0")
      ? short(null, "the header is not complete")
      : undeclared("its XML header does not end with </xisf>");
  }

  let end = headerEnd;
  for (const [, , position, length] of withoutComments(xml).matchAll(ATTACHMENT)) {
    const blockEnd = Number(position) + Number(length);
    if (!Number.isSafeInteger(blockEnd)) return undeclared(`it declares a block at ${position} of ${length} bytes`);
    end = Math.max(end, blockEnd);
  }
  onHdu?.({
    index: 0,
    header: xisfCards(withoutComments(new TextDecoder().decode(header))),
    dataBytes: end - headerEnd,
  });
  if (size < end) return short(end, written(size, end));
  return { verdict: "reached", declaredBytes: end };
}

/** By hand: a pattern would search to the end again for each comment that does not end. */
function withoutComments(xml: string): string {
  const kept: string[] = [];
  for (let at = 0;;) {
    const begin = xml.indexOf("<!--", at);
    const end = begin < 0 ? -1 : xml.indexOf("-->", begin);
    if (end < 0) return kept.join("") + xml.slice(at);
    kept.push(xml.slice(at, begin));
    at = end + 3;
  }
}

const SIGNATURE = "XISF0100";
/** Signature, header length, reserved. */
const PREAMBLE_BYTES = 16;
const MAX_HEADER_BYTES = 32 * 1024 * 1024;
const ATTACHMENT = /\blocation\s*=\s*(["'])\s*attachment:(\d{1,20}):(\d{1,20})\s*\1/g;

// The header cards of an XISF file: its FITSKeyword elements, and for what is not among them the standard properties of the
// observation, under the keywords that FITS has for them.

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
