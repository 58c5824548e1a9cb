/** TOML with the position of every key. */
import { parse, TomlDate, TomlError } from "smol-toml";
import { isSection, type Path, type Position, type Source } from "./source.ts";
import { beginWords, tomlWords } from "./syntax_words.ts";
import { tomlKeys } from "./toml_keys.ts";

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
