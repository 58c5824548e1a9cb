/**
 * A parsed file: its plain value, and where each key of it stands.
 *
 * @module
 */

/** The way to a value: keys of sections and numbers of list items. */
export type Path = readonly (string | number)[];

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** What a parser made of a file. */
export interface Source {
  readonly value: unknown;
  /** Where a key or list item stands; for one that does not exist, the nearest above it that does. */
  locate(path: Path): Position;
  /** Faults of the notation itself; the value may lack what stands there. */
  readonly faults: readonly (Position & { readonly message: string })[];
}

/** `jobs[0].destinations[1].remote_host` */
export function keyText(path: Path): string {
  return path.map((part, index) => typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`).join("");
}

/** What to say of the key at `offset` of a text where it is set again. */
export function setTwice(text: string, offset: number): string {
  const written = /^(?:"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|[^\s:=,\]}])+/.exec(text.slice(offset))?.[0] ?? "";
  return `"${written.replace(/^(["'])(.*)\1$/, "$2")}" is set twice; keep one`;
}

/** True for what was written as keys and values. */
export function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    [Object.prototype, null].includes(Object.getPrototypeOf(value));
}
