/** TOML with the position of every key. */
import { type AST, ParseError, parseTOML } from "toml-eslint-parser";
import type { Path, Position, Source } from "./source.ts";
import { beginWords, tomlWords } from "./syntax_words.ts";

/** Parses TOML. Never throws: what is wrong with it is among the faults. */
export function parseToml(text: string): Source {
  const clean = text.replace(/^\uFEFF/, "");
  const reader: Reader = { root: {}, positions: new Map(), faults: [] };
  try {
    for (const item of parseTOML(clean).body[0].body) {
      if (item.type === "TOMLKeyValue") readPair(item, reader.root, [], reader);
      else readTable(item, reader);
    }
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    const complaint = { offset: error.index, message: error.message };
    const { offset, message } = beginWords(clean, "toml") ?? tomlWords(clean, complaint);
    const before = clean.slice(0, offset);
    const place = { line: before.split("\n").length, column: offset - before.lastIndexOf("\n") };
    return { value: undefined, locate: () => START, faults: [{ ...place, message }] };
  }
  const locate = (path: Path): Position => {
    for (let length = path.length; length > 0; length--) {
      const found = reader.positions.get(JSON.stringify(path.slice(0, length)));
      if (found) return found;
    }
    return START;
  };
  return { value: reader.faults.length > 0 ? undefined : reader.root, locate, faults: reader.faults };
}

const START: Position = { line: 1, column: 1 };

/** What was found so far. */
interface Reader {
  readonly root: Record<string, unknown>;
  /** By path, as JSON. */
  readonly positions: Map<string, Position>;
  readonly faults: (Position & { readonly message: string })[];
}

/** `[table]`, or one of `[[list of tables]]`. */
function readTable({ resolvedKey, key, body }: AST.TOMLTable, reader: Reader): void {
  if (typeof resolvedKey.at(-1) === "number") note(resolvedKey.slice(0, -1), key, reader);
  note(resolvedKey, key, reader);
  const table = sectionAt(reader.root, resolvedKey);
  for (const pair of body) readPair(pair, table, resolvedKey, reader);
}

/** `key = value`, `dotted.key = value` */
function readPair(pair: AST.TOMLKeyValue, section: Record<string, unknown>, above: Path, reader: Reader): void {
  const keys = pair.key.keys.map((key) => key.type === "TOMLBare" ? key.name : key.value);
  const path = [...above, ...keys];
  note(path, pair, reader);
  set(sectionAt(section, keys.slice(0, -1)), keys.at(-1)!, valueOf(pair.value, path, reader));
}

function valueOf(node: AST.TOMLContentNode, path: Path, reader: Reader): unknown {
  if (node.type === "TOMLArray") {
    return node.elements.map((element, index) => {
      note([...path, index], element, reader);
      return valueOf(element, [...path, index], reader);
    });
  }
  if (node.type === "TOMLInlineTable") {
    const section = {};
    for (const pair of node.body) readPair(pair, section, path, reader);
    return section;
  }
  if ("datetime" in node) return node.datetime;
  if (node.kind !== "integer") return node.value;
  // 0o664 is meant as mode bits: keep it as it was written.
  if (node.number.startsWith("0o")) return node.number.replaceAll("_", "");
  if (!Number.isSafeInteger(node.value)) reader.faults.push({ ...positionOf(node), message: "this number is too large" });
  return node.value;
}

/** The section at a path, made where it is not there yet. */
function sectionAt(root: Record<string, unknown>, path: Path): Record<string, unknown> {
  let at: object = root;
  path.forEach((part, index) => {
    if (!Object.hasOwn(at, part)) set(at, part, typeof path[index + 1] === "number" ? [] : {});
    at = (at as Record<string | number, object>)[part]!;
  });
  return at as Record<string, unknown>;
}

/** Not by assignment: a key may be `__proto__`. */
function set(object: object, key: string | number, value: unknown): void {
  Object.defineProperty(object, key, { value, writable: true, enumerable: true, configurable: true });
}

function note(path: Path, node: AST.TOMLNode, { positions }: Reader): void {
  const name = JSON.stringify(path);
  if (!positions.has(name)) positions.set(name, positionOf(node));
}

function positionOf({ loc: { start } }: AST.TOMLNode): Position {
  return { line: start.line, column: start.column + 1 };
}
