/**
 * Log lines that wait on this disk for their upload, in files of some hundred lines each. Bounded: where the server is away for long,
 * lines for debugging are given up first, the oldest before the others, and warnings and errors last.
 *
 * @module
 */
import type { LogLevel } from "../events/log_line.ts";
import type { System } from "../system/system.ts";

/** A line, with an ID that stays the same however often it is sent. */
export interface SpooledLine {
  /** 15 characters, as PocketBase wants IDs. */
  readonly id: string;
  /** ISO 8601 in UTC. */
  readonly time: string;
  readonly level: LogLevel;
  readonly message: string;
}

/** Some lines that were written together. */
export interface Segment {
  readonly name: string;
  readonly lines: readonly SpooledLine[];
}

export interface LogSpool {
  /** Puts lines on the disk, in one file. @throws errors of the operating system. */
  write(lines: readonly SpooledLine[]): Promise<void>;
  /** The oldest lines; null if there are none. */
  oldest(): Promise<Segment | null>;
  /** Removes what was uploaded. */
  remove(segment: Segment): Promise<void>;
  /** How many lines wait, and how many were given up since the start. */
  counts(): { readonly waiting: number; readonly dropped: number };
}

type Files = Pick<System, "names" | "readText" | "writeText" | "sync" | "rename" | "remove" | "makeFolder" | "now">;

/** So much may wait: about 250,000 lines. */
const MOST_BYTES = 50_000_000;
/** What is given up first. */
const GIVEN_UP: readonly (readonly LogLevel[])[] = [["trace", "debug"], ["info"], ["warning"], ["error"]];
/** The time, and a part that keeps two files of one moment, or of two processes, from each other. */
const NAME = /^\d{15}-[0-9a-f]{8}\.jsonl$/;

/** Opens the spool in this folder, with what a former process left there. */
export async function logSpool(folder: string, system: Files, mostBytes = MOST_BYTES): Promise<LogSpool> {
  await system.makeFolder(folder, 0o700);
  const segments = new Map<string, { bytes: number; lines: number }>();
  for (const name of (await system.names(folder)).filter((name) => NAME.test(name)).sort()) {
    const text = await system.readText(`${folder}/${name}`);
    segments.set(name, { bytes: text.length, lines: linesOf(text).length });
  }
  let dropped = 0;

  const bytes = () => [...segments.values()].reduce((sum, one) => sum + one.bytes, 0);
  const load = async (name: string): Promise<Segment> => ({ name, lines: linesOf(await system.readText(`${folder}/${name}`)) });

  async function store(name: string, lines: readonly SpooledLine[]): Promise<void> {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    const path = `${folder}/${name}`;
    await system.writeText(`${path}.part`, text, 0o600);
    await system.sync(`${path}.part`);
    await system.rename(`${path}.part`, path);
    segments.set(name, { bytes: text.length, lines: lines.length });
  }

  async function discard(name: string): Promise<void> {
    segments.delete(name);
    await system.remove(`${folder}/${name}`);
  }

  async function makeRoom(): Promise<void> {
    for (const levels of GIVEN_UP) {
      for (const name of [...segments.keys()]) {
        if (bytes() <= mostBytes) return;
        const { lines } = await load(name);
        const left = lines.filter(({ level }) => !levels.includes(level));
        dropped += lines.length - left.length;
        if (left.length === 0) await discard(name);
        else if (left.length < lines.length) await store(name, left);
      }
    }
  }

  return {
    async write(lines) {
      if (lines.length === 0) return;
      const suffix = crypto.randomUUID().slice(0, 8);
      await store(`${String(system.now()).padStart(15, "0")}-${suffix}.jsonl`, lines);
      await makeRoom();
    },
    async oldest() {
      const [name] = segments.keys();
      return name === undefined ? null : await load(name);
    },
    remove: ({ name }) => discard(name),
    counts: () => ({ waiting: [...segments.values()].reduce((sum, { lines }) => sum + lines, 0), dropped }),
  };
}

/** A line that was damaged is left out. */
function linesOf(text: string): SpooledLine[] {
  return text.split("\n").flatMap((line): SpooledLine[] => {
    if (line === "") return [];
    try {
      return [JSON.parse(line)];
    } catch (error) {
      if (error instanceof SyntaxError) return [];
      throw error;
    }
  });
}
