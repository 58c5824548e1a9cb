/** TOML with the position of every key. */
import { parse, TomlDate, TomlError } from "smol-toml";
import { isSection, type Path, type Position, type Source } from "./source.ts";
import { beginWords, tomlWords } from "./syntax_words.ts";

/** Parses TOML. Never throws: what is wrong with it is among the faults. */
export function parseToml(text: string): Source {
  const clean = text.replace(/^\uFEFF/, "");
  let value: unknown;
  try {
    value = parse(clean);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    const offset = clean.split("\n").slice(0, error.line - 1).join("\n").length + (error.line > 1 ? 1 : 0) + error.column - 1;
    const complaint = error.message.replace(/^Invalid TOML document: /, "").split("\n")[0]!.trim();
    const { offset: found, message } = beginWords(clean, "toml") ?? tomlWords(clean, { offset, message: complaint });
    return { value: undefined, locate: () => START, faults: [{ ...positionAt(clean, found), message }] };
  }
  const positions = new Map<string, Position>();
  for (const key of tomlKeys(clean)) {
    const name = JSON.stringify(key.path);
    if (!positions.has(name)) positions.set(name, positionAt(clean, key.offset));
    // 0o664 is meant as mode bits: keep it as it was written.
    if (/^0o[0-7_]+$/.test(key.bare)) put(value, key.path, key.bare.replaceAll("_", ""));
  }
  return { value: plain(value), locate: (path) => nearest(positions, path), faults: [] };
}

const START: Position = { line: 1, column: 1 };

function nearest(positions: ReadonlyMap<string, Position>, path: Path): Position {
  for (let length = path.length; length > 0; length--) {
    const found = positions.get(JSON.stringify(path.slice(0, length)));
    if (found) return found;
  }
  return START;
}

function positionAt(text: string, offset: number): Position {
  const before = text.slice(0, offset);
  return { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
}

function put(root: unknown, path: Path, value: string): void {
  let at: unknown = root;
  for (const part of path.slice(0, -1)) at = (at as Record<string | number, unknown> | undefined)?.[part];
  const last = path.at(-1);
  if (typeof at === "object" && at !== null && last !== undefined) (at as Record<string | number, unknown>)[last] = value;
}

/** Plain objects and texts: the library gives objects without a prototype, and dates of its own. */
function plain(value: unknown): unknown {
  if (value instanceof TomlDate) return value.toISOString();
  if (Array.isArray(value)) return value.map(plain);
  if (!isSection(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
}

// Finds the positions of the keys of a TOML text, which the TOML library does not give. The text was parsed before, so this
// only follows its structure and checks nothing.

/** A key or list item, where it begins, and its value where that is a bare word or number. */
interface TomlKey {
  /** Keys as text, places in lists as numbers from 0, outermost first. */
  readonly path: readonly (string | number)[];
  /** From the beginning of the text, in UTF-16 units. */
  readonly offset: number;
  /** Empty for any other value. */
  readonly bare: string;
}

/** Every key, table head and list item of a TOML text that is known to be valid. */
export function tomlKeys(text: string): TomlKey[] {
  const reader: Reader = { text, at: 0, table: [], lists: new Map(), found: [] };
  for (skip(reader, BLANK); reader.at < text.length; skip(reader, BLANK)) {
    if (text[reader.at] === "[") readHead(reader);
    else readPair(reader, reader.table);
  }
  return reader.found;
}

/** How far the text is read, and what was found in it. */
interface Reader {
  readonly text: string;
  at: number;
  /** The table that the next lines belong to. */
  table: TomlKey["path"];
  /** The number of the last `[[table]]` of each list, by the path of the list as JSON. */
  readonly lists: Map<string, number>;
  readonly found: TomlKey[];
}

const BLANK = /(?:[ \t\r\n]|#[^\n]*)*/y;
const BLANK_OR_COMMA = /(?:[ \t\r\n,]|#[^\n]*)*/y;
const STRING = /"""(?:[^\\]|\\[^])*?"{3,5}|'''[^]*?'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y;

/** Reads what the pattern matches here; empty where it does not. */
function skip(reader: Reader, pattern: RegExp): string {
  pattern.lastIndex = reader.at;
  const match = pattern.exec(reader.text)?.[0] ?? "";
  reader.at += match.length;
  return match;
}

/** `[table]` or `[[list of tables]]`. */
function readHead(reader: Reader): void {
  const { text, lists, found } = reader;
  const isList = skip(reader, /\[\[/y) !== "";
  if (!isList) reader.at++;
  const offset = reader.at + (/^[ \t]*/.exec(text.slice(reader.at, reader.at + 200))?.[0].length ?? 0);
  const parts = readKey(reader);
  skip(reader, /[ \t]*\]+/y);
  reader.table = [];
  parts.forEach((part, index) => {
    const path = [...reader.table, part];
    const name = JSON.stringify(path);
    const isLast = index === parts.length - 1;
    if (isLast && isList) lists.set(name, (lists.get(name) ?? -1) + 1);
    if (isLast) found.push({ path, offset, bare: "" });
    const number = lists.get(name);
    reader.table = number === undefined ? path : [...path, number];
  });
  found.push({ path: reader.table, offset, bare: "" });
}

/** `key = value` */
function readPair(reader: Reader, table: TomlKey["path"]): void {
  const offset = reader.at;
  const path = [...table, ...readKey(reader)];
  skip(reader, /[ \t]*=[ \t]*/y);
  readValueOf(path, offset, reader);
  if (reader.at === offset) reader.at = reader.text.length; // Not TOML after all: end rather than loop for ever.
}

/** The parts of a dotted key. */
function readKey(reader: Reader): string[] {
  const parts: string[] = [];
  do {
    skip(reader, /[ \t]*\.?[ \t]*/y);
    const quoted = skip(reader, /"(?:[^"\\\n]|\\.)*"|'[^'\n]*'/y);
    parts.push(
      quoted === "" ? skip(reader, /[A-Za-z0-9_-]+/y) : quoted.startsWith('"') ? unescaped(quoted) : quoted.slice(1, -1),
    );
    skip(reader, /[ \t]*/y);
  } while (reader.text[reader.at] === ".");
  return parts;
}

/** Reads the value of what begins at `offset`, after noting it: what is inside it comes later. */
function readValueOf(path: TomlKey["path"], offset: number, reader: Reader): void {
  const { text, found } = reader;
  const place = found.push({ path, offset, bare: "" }) - 1;
  if (text[reader.at] === "[") {
    reader.at++;
    for (let index = 0; !isAtEnd("]", reader); index++) readValueOf([...path, index], reader.at, reader);
    reader.at++;
  } else if (text[reader.at] === "{") {
    reader.at++;
    while (!isAtEnd("}", reader)) readPair(reader, path);
    reader.at++;
  } else if (skip(reader, STRING) === "") found[place] = { path, offset, bare: skip(reader, /[^,\]}\s#]+/y) };
}

function isAtEnd(bracket: string, reader: Reader): boolean {
  skip(reader, BLANK_OR_COMMA);
  return reader.at >= reader.text.length || reader.text[reader.at] === bracket;
}

function unescaped(raw: string): string {
  try {
    return JSON.parse(raw.replace(/\\U([0-9A-Fa-f]{8})/g, (_, hex) => String.fromCodePoint(parseInt(hex, 16)))) as string;
  } catch (error) {
    // TOML knows escapes that JSON does not; the position of such a key is then that of its table.
    if (error instanceof SyntaxError) return raw;
    throw error;
  }
}
