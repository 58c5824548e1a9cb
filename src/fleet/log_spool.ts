/**
 * Log lines that wait on this disk for their upload, in files of some hundred lines each. Bounded: where the server is away for long,
 * lines for debugging are given up first, the oldest before the others, and warnings and errors last.
 */
import { mutex } from "../async/mutex.ts";
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

type Files = Pick<System, "names" | "readText" | "writeText" | "sync" | "rename" | "remove" | "makeFolder" | "now" | "randomHex">;

/** So much may wait: about 250,000 lines. */
const MOST_BYTES = 50_000_000;
/** How much is given up at once, so that a full spool is not read again for each line. */
const ROOM = 0.05;
/** A file grows up to this before the next one is begun: a day without a server must not leave tens of thousands of them. */
const FULL_FILE = 64_000;
/** What is given up first. */
const GIVEN_UP: readonly (readonly LogLevel[])[] = [["trace", "debug"], ["info"], ["warning"], ["error"]];
/** The time, and a part that keeps two files of one moment, or of two processes, from each other. */
const NAME = /^\d{15}-[0-9a-f]{8}\.jsonl$/;

/** What is known of a file without reading it. */
interface Size {
  readonly bytes: number;
  readonly lines: number;
  readonly levels: ReadonlySet<LogLevel>;
}

export type LogSpool = Awaited<ReturnType<typeof logSpool>>;

/** Opens the spool in this folder, with what a former process left there. */
export async function logSpool(folder: string, system: Files, mostBytes = MOST_BYTES) {
  /** By name, the oldest first. */
  const files = new Map<string, Size>();
  let bytes = 0;
  let dropped = 0;
  /** The file whose lines are being uploaded: nothing may be added to it. */
  let lent: string | null = null;

  const load = async (name: string) => linesOf(await system.readText(`${folder}/${name}`));

  function note(name: string, text: string, lines: readonly SpooledLine[]): void {
    const size = new TextEncoder().encode(text).length;
    bytes += size - (files.get(name)?.bytes ?? 0);
    files.set(name, { bytes: size, lines: lines.length, levels: new Set(lines.map(({ level }) => level)) });
  }

  async function store(name: string, lines: readonly SpooledLine[]): Promise<void> {
    const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
    // Always the same name: what a full disk or a crash leaves there is overwritten.
    const part = `${folder}/next.part`;
    await system.writeText(part, text, 0o600);
    await system.sync(part);
    await system.rename(part, `${folder}/${name}`);
    note(name, text, lines);
  }

  async function discard(name: string): Promise<void> {
    await system.remove(`${folder}/${name}`);
    bytes -= files.get(name)?.bytes ?? 0;
    files.delete(name);
  }

  /** Into the youngest file while it is small; else into a new one, whose name comes after all others whatever the clock does. */
  async function append(lines: readonly SpooledLine[]): Promise<void> {
    const last = [...files.keys()].at(-1);
    if (last !== undefined && last !== lent && files.get(last)!.bytes < FULL_FILE) {
      return await store(last, [...await load(last), ...lines]);
    }
    const time = Math.max(system.now(), last === undefined ? 0 : Number(last.slice(0, 15)) + 1);
    await store(`${String(time).padStart(15, "0")}-${system.randomHex(4)}.jsonl`, lines);
  }

  async function makeRoom(): Promise<void> {
    const enough = mostBytes * (1 - ROOM);
    for (const levels of GIVEN_UP) {
      for (const [name, size] of [...files]) {
        if (bytes <= enough) return;
        if (!levels.some((level) => size.levels.has(level))) continue;
        const lines = await load(name);
        const left = lines.filter(({ level }) => !levels.includes(level));
        dropped += lines.length - left.length;
        if (left.length === 0) await discard(name);
        else await store(name, left);
      }
    }
  }

  await system.makeFolder(folder, 0o700);
  for (const name of (await system.names(folder)).filter((name) => NAME.test(name)).sort()) {
    const text = await system.readText(`${folder}/${name}`);
    note(name, text, linesOf(text));
  }
  // Uploads and writing must not change the same file at once.
  const inTurn = mutex();
  return {
    /** Puts lines on the disk. @throws errors of the operating system. */
    write: (lines: readonly SpooledLine[]): Promise<void> =>
      inTurn(async () => {
        if (lines.length === 0) return;
        await append(lines);
        if (bytes > mostBytes) await makeRoom();
      }),
    /** The oldest lines, which were written together; null if there are none. What is written later comes into another file. */
    oldest: (): Promise<{ readonly name: string; readonly lines: readonly SpooledLine[] } | null> =>
      inTurn(async () => {
        const [name] = files.keys();
        lent = name ?? null;
        return name === undefined ? null : { name, lines: await load(name) };
      }),
    /** Removes what was uploaded. */
    remove: ({ name }: { readonly name: string }): Promise<void> => inTurn(() => discard(name)),
    /** How many lines wait, and how many were given up since the start. */
    counts: () => ({ waiting: [...files.values()].reduce((sum, { lines }) => sum + lines, 0), dropped }),
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
