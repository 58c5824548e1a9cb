/** YAML 1.2 and TOML, with the position of every key, and what is wrong with a text that their parsers refuse in plain words. */
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
import { type AST, ParseError, parseTOML } from "toml-eslint-parser";
import { fileSchema, keysInside } from "../schema/schema.ts";
import { type Path, type Position, setTwice, type Source } from "./source.ts";

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

// What is wrong with a text that a parser refuses: its first complaint in plain words, at the place to correct. No value is repeated: it may
// be a secret.

/** What a parser complains of, and where. */
interface Complaint {
  readonly offset: number;
  readonly message: string;
}

/** A complaint in the text that it is about. */
interface Place extends Complaint {
  readonly text: string;
  /** The line, and where it and what is written in it begin. */
  readonly line: string;
  readonly start: number;
  readonly begin: number;
}

/** Of a complaint, what it means: at the same place, or another one. Null where it means something else. */
type Row = readonly [complaint: RegExp, says: string | ((place: Place) => Complaint | null)];

/** What is wrong with the first line of a text that is refused, as far as that shows; null where it may be right. */
function beginWords(text: string, kind: "yaml" | "toml"): Complaint | null {
  const offset = /^(?:[ \t]*(?:#.*)?(?:\r?\n|$))*/.exec(text)?.[0].length ?? 0;
  const line = text.slice(offset).split("\n", 1)[0] ?? "";
  const other = kind === "toml"
    ? /^[\w-]+:(?:\s|$)/
    : /^(?:\[{1,2}[\w.-]+\]{1,2}\s*(?:#.*)?$|[\w.-]+\s*=\s*(?:["'[{\d]|true|false))/;
  const [, word = ""] = kind === "yaml" ? /^([\w-]+)[ \t]+(?!.*:(?:\s|$))/.exec(line) ?? [] : [];
  if (!other.test(line)) return known(word) ? { offset, message: `no ":" after ${word}` } : null;
  return {
    offset,
    message: kind === "toml"
      ? "this is YAML; give the file a name that ends in .yaml"
      : "this is TOML; give the file a name that ends in .toml",
  };
}

/** `complaint` of the library `yaml`. */
function yamlWords(text: string, complaint: Complaint): Complaint {
  // What the parser quotes after a colon may be a secret.
  const plain = complaint.message.split("\n")[0]!.replace(/(?<=[^\s(])(?<!\(type): .*$/, "");
  return words(YAML, text, complaint) ?? { offset: complaint.offset, message: `invalid YAML: ${plain}` };
}

/** `complaint` of the library `toml-eslint-parser`, which is at the next thing that is there, maybe lines below. */
function tomlWords(text: string, complaint: Complaint): Complaint {
  return words(TOML, text, complaint) ?? { offset: complaint.offset, message: `invalid TOML: ${complaint.message}` };
}

/** A plain value that is written over several lines is hardly ever meant. */
const GOES_ON = "this value continues on the next line; indent that line like the other keys, or put the value in quotes";

const ESCAPE = "\\ is an escape character in double quotes; write C:/… or use single quotes";
const COMMA = "a comma is missing before this";
const INDENTED = "the keys of one section begin in the same column, and this line is indented differently";
const MORE = "more follows after the end of this value; put all of it in quotes of one kind, or on a line of its own";

/** In order: the first row that matches and has something to say decides. */
const YAML: readonly Row[] = [
  [/Map keys must be unique/, ({ text, offset }) => ({ offset, message: setTwice(text, offset) })],
  [/Tabs are not allowed/, "YAML cannot be indented with tabs; use spaces"],
  [/multiple documents/, "a second YAML document begins here; a configuration is a single document"],
  [/Invalid escape sequence/, ESCAPE],
  [/./, ({ line, begin }) => /^\s*(?:;|\/\/)/.test(line) ? { offset: begin, message: "comments begin with #" } : null],
  [/Plain value cannot start with/, ({ text, offset }) => badBegin(text, offset)],
  [
    /Block scalar header includes/,
    ({ text, offset }) => badBegin(text, Math.max(text.lastIndexOf(">", offset), text.lastIndexOf("|", offset))),
  ],
  [/Missing closing ['"]quote/, ({ text }) => openQuote(text, text.length)],
  [/./, ({ text, offset }) => openQuote(text, offset)],
  [/Flow .*end with a|^Missing , |Unexpected \S+ token/, ({ text, offset }) => openBracket(text, offset)],
  [/Implicit (map )?keys need/, noColon],
  [/Implicit (map )?keys need/, ({ text, offset }) => openBracket(text, offset)],
  [/sufficiently indented/, "what is between brackets must be indented further than its key"],
  [/Nested mappings/, nested],
  [/same column|Sequence item without -/, ({ line, start }) => ({ offset: start + line.search(/\S|$/), message: INDENTED })],
  [/Unexpected flow-\S+-end token/, ({ text, offset }) => ({ offset, message: `a ${text[offset]} too many` })],
  [
    /at node end/,
    ({ text, offset }) => text[offset] === "," ? { offset, message: "a list needs brackets around it, like [a, b]" } : null,
  ],
  [/at node end/, MORE],
  [
    /^Missing , |Unexpected \S+ token/,
    ({ text, offset }) => scanned(text, offset).brackets.length > 0 ? { offset, message: COMMA } : null,
  ],
];

const TOML: readonly Row[] = [
  [/multiple times/, ({ text, offset }) => ({ offset, message: setTwice(text, offset) })],
  [/escape|code point/, ESCAPE],
  [/./, unclosed],
  [/string|Control|quotes/, ({ text, offset }) => openQuote(text, offset)],
  [/./, noTomlValue],
  [/comma/, COMMA],
  [
    /newline/,
    ({ text, offset }) =>
      /^[\w."-]+\s*=/.test(text.slice(offset)) ? { offset, message: "each key needs a line of its own" } : null,
  ],
  [/newline/, MORE],
  [
    /string|Unexpected/,
    ({ text, offset }) =>
      openList(text, offset) === undefined || /[,[{]\s*$/.test(text.slice(0, offset)) ? null : { offset, message: COMMA },
  ],
  [
    /string|Unexpected/,
    ({ line, offset, start }) =>
      /^\s*(?:[\w.-]+|"[^"]*"|'[^']*')\s*=/.test(line.slice(0, offset - start)) ? { offset, message: MORE } : null,
  ],
  [/./, noEquals],
];

function words(rows: readonly Row[], text: string, { offset, message }: Complaint): Complaint | null {
  const start = text.lastIndexOf("\n", offset - 1) + 1;
  const line = text.slice(start).split("\n", 1)[0] ?? "";
  const begin = start + (/^\s*(?:- +)*/.exec(line)?.[0].length ?? 0);
  for (const [complaint, says] of rows) {
    if (!complaint.test(message)) continue;
    const said = typeof says === "string" ? { offset, message: says } : says({ text, offset, message, line, start, begin });
    if (said !== null) return said;
  }
  return null;
}

function badBegin(text: string, offset: number): Complaint {
  return { offset, message: `a value cannot begin with ${text[offset]}; put it in quotes` };
}

/** The first quote before `end` that is not closed in its line. */
function openQuote(text: string, end: number): Complaint | null {
  const { quote } = scanned(text, end);
  return quote === null ? null : { offset: quote, message: `${text[quote]} is not closed` };
}

/** The last bracket before `end` that is open there, and stays so. */
function openBracket(text: string, end: number): Complaint | null {
  const still = new Set(scanned(text, text.length).brackets);
  const offset = scanned(text, end).brackets.findLast((one) => still.has(one));
  return offset === undefined ? null : { offset, message: `${text[offset]} is not closed` };
}

/** Follows quotes, comments and brackets up to `end`, of YAML and of TOML: what is open there. */
function scanned(text: string, end: number): { readonly brackets: number[]; readonly quote: number | null } {
  const brackets: number[] = [];
  let line = 0;
  for (let at = 0; at < end; at++) {
    const char = text[at]!;
    // Whatever begins a value is near; a whole line may be long.
    const before = text.slice(Math.max(line, at - NEAR), at);
    const begins = () => /(?:^|(?:^|\s)-\s|:\s|=|[[{,])\s*$/.test(before);
    if (char === "\n") line = at + 1;
    else if (char === "#" && /(?:^|\s)$/.test(before)) at = text.slice(at).search(/\n|$/) + at - 1;
    else if ((char === "[" || char === "{") && (brackets.length > 0 || begins())) brackets.push(at);
    else if ((char === "]" || char === "}") && brackets.length > 0) brackets.pop();
    else if ((char === '"' || char === "'") && begins()) {
      const [whole] = /^(?:"""[^]*?"""|'''[^]*?'''|"(?:[^"\\\n]|\\[^\n])*"|'(?:[^'\n]|'')*')/.exec(text.slice(at)) ?? [];
      if (whole === undefined) return { brackets, quote: at };
      at += whole.length - 1;
    }
  }
  return { brackets, quote: null };
}

function noColon({ text, line, begin, start }: Place): Complaint | null {
  const [, word = "", rest = ""] = /^([\w.-]+)(.*)$/.exec(text.slice(begin, start + line.length)) ?? [];
  if (/^:\S/.test(rest)) {
    return { offset: begin, message: `no space after the ":" ${known(word) ? `of ${word}` : "in this line"}` };
  }
  return /:\s|:$/.test(line) ? null : { offset: begin, message: `no ":" ${known(word) ? `after ${word}` : "in this line"}` };
}

function noEquals({ text, offset, start }: Place): Complaint {
  // What a line lacks may be noticed at the next one.
  const from = Math.max(0, offset - FAR);
  const above = /(?:^|\n)([^=\n]*?)\s*(?:#[^\n]*)?\n\s*$/.exec(text.slice(from, offset));
  const isAbove = above !== null && /^(?:\[[^\]]*|\[\[[^\]]*\]|[^[\s].*)$/.test(above[1]!.trim());
  const begin = isAbove ? from + above.index + above[0].search(/\S/) : start;
  const line = text.slice(begin).split("\n", 1)[0] ?? "";
  if (line.startsWith("[[")) return { offset: begin, message: "[[ needs ]] at the end of the line" };
  if (line.startsWith("[")) return { offset: begin, message: "[ is not closed" };
  const word = /^\s*([\w.-]+)/.exec(line)?.[1] ?? "";
  return { offset: begin, message: `no "=" ${known(word) ? `after ${word}` : "in this line"}` };
}

/** A key with a value, and a key behind it or, indented, below it. */
function nested({ text, offset, line, start }: Place): Complaint | null {
  const message = 'put the value in quotes, or what follows on a line of its own: ": " makes a key of what is before it';
  if (/:\s|:\r?$/.test(line.slice(offset - start))) return { offset, message };
  const below = /^\n(?:[ \t]*(?:#.*)?\r?\n)*[ \t]*/.exec(text.slice(start + line.length))?.[0].length;
  return below === undefined ? null : { offset: start + line.length + below, message: INDENTED };
}

/** An unclosed list is noticed only at the next key or at the end of the text. */
function unclosed({ text, offset }: Place): Complaint | null {
  const isNext = /^\s*(?:$|[\w."-]+\s*=)/.test(text.slice(offset)) && !/=\s*$/.test(text.slice(0, offset));
  return isNext && openList(text, offset) !== undefined ? openBracket(text, offset) : null;
}

/** The innermost bracket that is open there, not that of a table. */
function openList(text: string, offset: number): string | undefined {
  const { brackets } = scanned(text, offset);
  return /=\s*$/.test(text.slice(0, brackets[0])) ? text[brackets.at(-1) ?? text.length] : undefined;
}

/** Where a value should begin, or an unquoted value continues. */
function noTomlValue({ text, offset }: Place): Complaint | null {
  const quotes = { offset, message: "put the value in quotes" };
  const from = Math.max(0, offset - FAR);
  const before = text.slice(from, offset);
  const isGoingOn = /[=[,]\s*[\w.:+-]+$/.test(before) && /^[\w.:+-]/.test(text.slice(offset));
  if (isGoingOn && (/=\s*\S+$/.test(before) || openList(text, offset) === "[")) return quotes;
  const begin = /[=[,](?=(?:\s|#[^\n]*\n)*$)/.exec(before);
  if (begin === null || begin[0] !== "=" && openList(text, offset) !== "[") return null;
  const after = from + begin.index + 1;
  if (begin[0] === "=" && /^[ \t]*(?:#.*)?(?:\r?\n|$)/.test(text.slice(after))) {
    return { offset: after, message: "a value is missing" };
  }
  const [, typographic, word] = /^(?:([“”„«‘’])|(true|false|yes|no|on|off)\b)/i.exec(text.slice(offset)) ?? [];
  if (typographic !== undefined) return { offset, message: `${typographic} is a typographic quote; write "` };
  return word === undefined ? quotes : { offset, message: "write true or false, in small letters" };
}

/** Characters of a line in which it shows whether a value begins behind them. */
const NEAR = 80;
/** So far before a complaint is looked for what it means: expressions take long for a whole text. */
const FAR = 2000;

/** Other words may be a secret. */
function known(word: string): boolean {
  return Object.entries(fileSchema.shape).some(([key, type]) => key === word || Object.hasOwn(keysInside(type), word));
}
