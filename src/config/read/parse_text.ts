/** YAML 1.2 and TOML, with the position of every key. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
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
    visit(document, {
      Alias(_, alias) {
        if (alias.resolve(document) !== undefined) return;
        // Without the name: it may be a password that begins with the character.
        faults.push({ ...at(alias.range?.[0] ?? 0), message: "a value that begins with * must be in quotes" });
        return visit.BREAK;
      },
    });
    // Anchors that expand without end.
    const message = `invalid YAML: ${error instanceof Error ? error.message : String(error)}`;
    return { value: undefined, locate, faults: faults.length > 0 ? faults : [{ ...START, message }] };
  }
}

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
  const root: Record<string, unknown> = {};
  /** By path, as JSON. */
  const positions = new Map<string, Position>();
  const faults: Source["faults"][number][] = [];
  const positionOf = ({ loc: { start } }: AST.TOMLNode): Position => ({ line: start.line, column: start.column + 1 });
  const note = (path: Path, node: AST.TOMLNode) => {
    const name = JSON.stringify(path);
    if (!positions.has(name)) positions.set(name, positionOf(node));
  };
  const readPair = (pair: AST.TOMLKeyValue, section: Record<string, unknown>, above: Path): void => {
    const keys = pair.key.keys.map((key) => key.type === "TOMLBare" ? key.name : key.value);
    const path = [...above, ...keys];
    note(path, pair);
    set(sectionAt(section, keys.slice(0, -1)), keys.at(-1)!, valueOf(pair.value, path));
  };
  const valueOf = (node: AST.TOMLContentNode, path: Path): unknown => {
    if (node.type === "TOMLArray") {
      return node.elements.map((element, index) => {
        note([...path, index], element);
        return valueOf(element, [...path, index]);
      });
    }
    if (node.type === "TOMLInlineTable") {
      const section = {};
      for (const pair of node.body) readPair(pair, section, path);
      return section;
    }
    if ("datetime" in node) return node.datetime;
    if (node.kind !== "integer") return node.value;
    // 0o664 is meant as mode bits: keep it as it was written.
    if (node.number.startsWith("0o")) return node.number.replaceAll("_", "");
    if (!Number.isSafeInteger(node.value)) faults.push({ ...positionOf(node), message: "this number is too large" });
    return node.value;
  };
  try {
    for (const item of parseTOML(clean).body[0].body) {
      if (item.type === "TOMLKeyValue") {
        readPair(item, root, []);
        continue;
      }
      // `[table]`, or one of `[[list of tables]]`.
      const { resolvedKey: path, key, body } = item;
      if (typeof path.at(-1) === "number") note(path.slice(0, -1), key);
      note(path, key);
      const table = sectionAt(root, path);
      for (const pair of body) readPair(pair, table, path);
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
      const found = positions.get(JSON.stringify(path.slice(0, length)));
      if (found) return found;
    }
    return START;
  };
  return { value: faults.length > 0 ? undefined : root, locate, faults };
}

const START: Position = { line: 1, column: 1 };

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
