/** A parsed file: its plain value, and the position of each key. */

/** The path of a value: keys of sections and numbers of list items. */
export type Path = readonly (string | number)[];

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What a parser made of a file. */
export interface Source {
  readonly value: unknown;
  /** The position of a key or list item; of one that does not exist, that of the nearest above it that does. */
  locate(path: Path): Position;
  /** Syntax errors; the value may lack what is there. */
  readonly faults: readonly (Position & { readonly message: string })[];
}

/** `jobs[0].destinations[1].remote_host` */
export function keyText(path: Path): string {
  return path.map((part, index) => typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`).join("");
}

/** The error for a key that is set again at `offset` of a text. */
export function setTwice(text: string, offset: number): string {
  const written = /^(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s:=,\]}])+/.exec(text.slice(offset))?.[0] ?? "";
  return `"${written.replace(/^(["'])(.*)\1$/, "$2")}" is set twice; keep one`;
}

/** True for what was written as keys and values. */
export function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    [Object.prototype, null].includes(Object.getPrototypeOf(value));
}
