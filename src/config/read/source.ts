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

// A configuration in our shape, and where its parts were in the file.

/** Reports a problem at a path of the tree. */
export type Report = (path: Path, message: string) => void;

/** A configuration in our shape, and where its parts were in the file. */
export interface Tree {
  readonly root: Record<string, unknown>;
  readonly origins: Origins;
  /** What was understood and has no effect, a sentence each without a full stop. */
  readonly notes: string[];
}

/** Our path → the path in the file, for what was moved or renamed. */
export class Origins {
  readonly #moved = new Map<string, Path>();

  moved(from: Path, to: Path): void {
    this.#moved.set(JSON.stringify(to), this.of(from));
  }

  /** Where the file has what our tree has at `path`. */
  of(path: Path): Path {
    for (let length = path.length; length > 0; length--) {
      const origin = this.#moved.get(JSON.stringify(path.slice(0, length)));
      if (origin) return [...origin, ...path.slice(length)];
    }
    return path;
  }
}

/** Every section that may hold keys of jobs and destinations: the top, each job, each destination. */
export function* sections(root: Record<string, unknown>): Iterable<{ section: Record<string, unknown>; path: Path }> {
  yield { section: root, path: [] };
  yield* destinations(root, []);
  for (const [index, job] of listOf(root["jobs"])) {
    yield { section: job, path: ["jobs", index] };
    yield* destinations(job, ["jobs", index]);
  }
}

function* destinations(section: Record<string, unknown>, path: Path) {
  for (const [index, destination] of listOf(section["destinations"])) {
    yield { section: destination, path: [...path, "destinations", index] as Path };
  }
}

/** The sections of a list, with their numbers; anything else is left out. */
export function listOf(value: unknown): [number, Record<string, unknown>][] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((item, index): [number, Record<string, unknown>][] => isSection(item) ? [[index, item]] : []);
}

/** As {@linkcode listOf}, without the numbers. */
export function sectionsIn(value: unknown): Record<string, unknown>[] {
  return listOf(value).map(([, section]) => section);
}

/** What is at a path; undefined where nothing is. */
export function valueAt(root: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((value, part) => (value as Record<PropertyKey, unknown> | undefined | null)?.[part], root);
}
