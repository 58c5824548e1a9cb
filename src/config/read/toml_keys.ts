/**
 * Finds the positions of the keys of a TOML text, which the TOML library does not give. The text was parsed before, so this
 * only follows its structure and checks nothing.
 */

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
