/** YAML 1.2 with the position of every key. */
import { type Document, isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument, visit } from "yaml";
import type { Path, Position, Source } from "./source.ts";
import { beginWords, GOES_ON, yamlWords } from "./syntax_words.ts";

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
    const found = positionOf(document.contents as Node | null, path, (node) => isAlias(node) ? node.resolve(document) : node);
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
function positionOf(root: Node | null, path: Path, follow: (node: Node) => Node | undefined): number | undefined {
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
