/**
 * The sections of a configuration: the whole file, its jobs, their destinations; and where each was in the file before it was
 * converted to our shape.
 */
import { isSection, type Path } from "./source.ts";

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
