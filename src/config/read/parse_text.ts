/** YAML 1.2 and TOML, with the position of every key. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
import type { Path, Position, Source } from "./source.ts";
import { beginWords, GOES_ON, tomlWords, yamlWords } from "./syntax_words.ts";
import { type AST, ParseError, parseTOML } from "toml-eslint-parser";

/** Parses YAML. Never throws: what is wrong with it is among the faults. */
export function parseYaml(text: string): Source {
  const lines = new LineCounter();
  const clean = text.replace(/^\uFEFF/, "");
  const document = parseDocument(clean, { lineCounter: lines, merge: true, prettyErrors: false });
  const at = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  // The parser's other complaints follow from the first; keys that are set twice stand for themselves.
  const [first] = document.errors.filter(({ code }) => code !== "DUPLICATE_KEY");
  const complaints = (first === undefined ? document.errors : [first])
    .map(({ message, pos: [offset] }) => yamlWords(clean, { offset, message }));
  const wrongBegin = first === undefined && isMap(document.contents) ? null : beginWords(clean, "yaml");
  const faults = (wrongBegin === null ? complaints : [wrongBegin]).map(({ offset, message }) => ({ ...at(offset), message }));
  // 0664 is meant in octal, but YAML 1.2 reads a decimal number: keep it as it was written.
  visit(document, {
    Scalar(_, scalar) {
      const [begin, end] = scalar.range ?? [0, 0];
      if (faults.length === 0 && scalar.type === "PLAIN" && /\n\s*\S/.test(clean.slice(begin, end)) && isMap(document.contents)) {
        faults.push({ ...at(begin), message: GOES_ON });
      }
      if (typeof scalar.value === "number" && /^0o?[0-7]+$/.test(scalar.source ?? "")) scalar.value = scalar.source;
    },
  });
  const locate = (path: Path): Position => {
    const found = offsetOf(document.contents as Node | null, path, (node) => isAlias(node) ? node.resolve(document) : node);
    return at(found ?? 0);
  };
  if (faults.length > 0) return { value: undefined, locate, faults };
  try {
    return { value: document.toJS({ maxAliasCount: 100 }), locate, faults };
  } catch (error) {
    const lost = lostAlias(document);
    if (lost !== null) return { value: undefined, locate, faults: [{ ...at(lost), message: LOST_ALIAS }] };
    // Anchors that expand without end.
    const message = error instanceof Error ? error.message : String(error);
    return { value: undefined, locate, faults: [{ line: 1, column: 1, message: `invalid YAML: ${message}` }] };
  }
}

/** Offset of the first alias without an anchor; null if there is none. */
function lostAlias(document: Document): number | null {
  let found: number | null = null;
  visit(document, {
    Alias(_, alias) {
      if (alias.resolve(document) !== undefined) return;
      found = alias.range?.[0] ?? 0;
      return visit.BREAK;
    },
  });
  return found;
}

/** Without the name: it may be a password that begins with the character. */
const LOST_ALIAS = "a value that begins with * must be in quotes";

/** Offset of the key at the end of the path, or of the last part of it that exists. */
function offsetOf(root: Node | null, path: Path, follow: (node: Node) => Node | undefined): number | undefined {
  let node: Node | null | undefined = root;
  let offset = root?.range?.[0];
  for (const part of path) {
    if (!node) break;
    node = follow(node);
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part));
      if (!pair) break;
      offset = isScalar(pair.key) ? pair.key.range?.[0] ?? offset : offset;
      node = pair.value as Node | null;
    } else if (isSeq(node) && typeof part === "number") {
      node = node.items[part] as Node | undefined;
      offset = node?.range?.[0] ?? offset;
    } else break;
  }
  return offset;
}

/** Parses TOML. Never throws: what is wrong with it is among the faults. */
export function parseToml(text: string): Source {
  const clean = text.replace(/^\uFEFF/, "");
  const reader: TomlReader = { root: {}, positions: new Map(), faults: [] };
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

interface TomlReader {
  readonly root: Record<string, unknown>;
  /** By path, as JSON. */
  readonly positions: Map<string, Position>;
  readonly faults: (Position & { readonly message: string })[];
}

/** `[table]`, or one of `[[list of tables]]`. */
function readTable({ resolvedKey, key, body }: AST.TOMLTable, reader: TomlReader): void {
  if (typeof resolvedKey.at(-1) === "number") note(resolvedKey.slice(0, -1), key, reader);
  note(resolvedKey, key, reader);
  const table = sectionAt(reader.root, resolvedKey);
  for (const pair of body) readPair(pair, table, resolvedKey, reader);
}

function readPair(pair: AST.TOMLKeyValue, section: Record<string, unknown>, above: Path, reader: TomlReader): void {
  const keys = pair.key.keys.map((key) => key.type === "TOMLBare" ? key.name : key.value);
  const path = [...above, ...keys];
  note(path, pair, reader);
  set(sectionAt(section, keys.slice(0, -1)), keys.at(-1)!, valueOf(pair.value, path, reader));
}

function valueOf(node: AST.TOMLContentNode, path: Path, reader: TomlReader): unknown {
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

function note(path: Path, node: AST.TOMLNode, { positions }: TomlReader): void {
  const name = JSON.stringify(path);
  if (!positions.has(name)) positions.set(name, positionOf(node));
}

function positionOf({ loc: { start } }: AST.TOMLNode): Position {
  return { line: start.line, column: start.column + 1 };
}
