/**
 * Sends the log to the server while a daemon runs: what the daemon says is gathered, put on this disk, and sent from there in order. A line has its
 * ID before it is first sent, so that one whose answer was lost is not written twice.
 */
import { type Bell, bell } from "../async/bell.ts";
import { mutex } from "../async/mutex.ts";
import { chunks } from "../domain/chunks.ts";
import { jsonOf } from "../domain/json.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import { LOG_LEVELS, type LogLevel, logLine } from "../events/log_line.ts";
import type { Identity } from "./accounts.ts";
import { LINES_TOGETHER, LOGS } from "./collections.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { nonsense, ServerFailure } from "./server_failure.ts";
import type { Clock, System } from "../system/system.ts";

const LONGEST = 4_900;
const MOST_GATHERED = 10_000;
/** Lines that come within this time are put on the disk together. */
const GATHER_MS = 2_000;
/** How often what waits is offered again to a server that did not take it: first, and at most. */
const OFFER_MS = 30_000;
const LONGEST_OFFER_MS = 300_000;
const DAY_MS = 86_400_000;

interface LogTools {
  readonly system: Files & Pick<System, "sleep">;
  readonly server: PocketbaseServer;
  readonly folder: () => string;
  readonly lowest: () => LogLevel;
  readonly identify: (signal: AbortSignal) => Promise<Identity>;
  /** Hears every event until the returned function is called. */
  readonly listen: (listener: (event: TransferEvent) => void) => () => void;
  /** Does it and says what is wrong; true if nothing was. */
  readonly attempt: (part: string, work: () => Promise<void>) => Promise<boolean>;
  readonly uploaded: (waiting: number, failed: boolean) => void;
  /** Rung when the server answers again. */
  readonly back: Bell;
  /** Resolves when the daemon has said all that it says, if it is ending. */
  readonly lastWords: () => Promise<void>;
}

/** Runs until the signal is aborted. */
export async function keepLogs(tools: LogTools, signal: AbortSignal): Promise<void> {
  const { system, server, attempt, back } = tools;
  const [gathered, written] = [bell(system), bell(system)];
  const gatherer = logGatherer(tools.lowest, gathered, system);
  let spool: LogSpool | null = null;
  let opening: Promise<LogSpool> | null = null;

  async function write(): Promise<void> {
    // It is asked for from two sides: both must have the same.
    opening ??= logSpool(tools.folder(), system).catch((error) => {
      opening = null;
      throw error;
    });
    const opened = spool = await opening;
    await gatherer.hand((lines) => opened.write(lines));
    written.ring();
  }

  async function gather(): Promise<void> {
    while (!signal.aborted) {
      if (await gathered.wait(DAY_MS, signal)) await system.sleep(GATHER_MS, signal);
      // Nothing rings the bell again for lines that could not be written, so they are tried again here.
      while (!signal.aborted && !await attempt("log", write)) await system.sleep(OFFER_MS, signal);
    }
  }

  async function send(): Promise<void> {
    await attempt("log", write);
    for (let pauseMs = OFFER_MS; !signal.aborted;) {
      const from = spool;
      const isSent = from !== null &&
        await attempt("upload", async () => await uploadLogs(from, await tools.identify(signal), server, signal));
      tools.uploaded(from?.counts().waiting ?? 0, !isSent);
      const isBack = isSent ? await written.wait(DAY_MS, signal) : await back.wait(pauseMs, signal);
      pauseMs = isSent || isBack ? OFFER_MS : Math.min(pauseMs * 2, LONGEST_OFFER_MS);
    }
  }

  const stopListening = tools.listen(gatherer.listen);
  try {
    await Promise.all([gather(), send()]);
    // What is said while the daemon ends is sent at the next start.
    await tools.lastWords();
    await attempt("log", write);
  } finally {
    stopListening();
  }
}

/**
 * Gathers lines until they are put on the disk. Rings when there is something to take. Its lines have IDs of 15 characters, as PocketBase wants
 * them.
 */
export function logGatherer(lowest: () => LogLevel, gathered: Bell, clock: Pick<Clock, "randomHex">) {
  let lines: SpooledLine[] = [];
  return {
    listen(event: TransferEvent): void {
      const line = logLine(event);
      if (line === null || LOG_LEVELS.indexOf(line.level) < LOG_LEVELS.indexOf(lowest()) || lines.length >= MOST_GATHERED) return;
      const { level, message } = line;
      lines.push({
        id: clock.randomHex(8).slice(1),
        time: new Date(event.at).toISOString(),
        level,
        message: message.slice(0, LONGEST),
      });
      if (lines.length === 1) gathered.ring();
    },
    /** Hands over what was gathered since the last time; what cannot be put on the disk is gathered still. */
    async hand(to: (lines: readonly SpooledLine[]) => Promise<void>): Promise<void> {
      const taken = lines;
      lines = [];
      try {
        await to(taken);
      } catch (error) {
        lines = [...taken, ...lines].slice(0, MOST_GATHERED);
        throw error;
      }
    },
  };
}

/** Sends all that is on the disk. @throws {Failure} where the server cannot take it; then it stays. */
export async function uploadLogs(
  spool: LogSpool,
  { id: daemon }: Identity,
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<void> {
  const url = `/api/collections/${LOGS}/records`;

  /** False where the server does not take requests together, or refuses one of the lines: then each is sent alone. */
  async function sendTogether(lines: readonly SpooledLine[]): Promise<boolean> {
    if (lines.length === 0) return true;
    const requests = lines.map((line) => ({ method: "POST", url, body: { ...line, daemon } }));
    try {
      const answers = await server.ask<unknown>("/api/batch", { method: "POST", body: { requests } }, signal);
      // Only what the server says it wrote is removed here.
      if (!Array.isArray(answers) || answers.length !== lines.length) throw nonsense(server.url);
      return true;
    } catch (error) {
      if (!(error instanceof ServerFailure)) throw error;
      if ([403, 404].includes(error.status) || isBecauseOfALine(error)) return false;
      throw error;
    }
  }

  async function sendAlone(line: SpooledLine): Promise<void> {
    try {
      const { id } = await server.ask<{ id?: unknown }>(url, { method: "POST", body: { ...line, daemon } }, signal);
      if (id !== line.id) throw nonsense(server.url);
    } catch (error) {
      // There already, or a line that no server would take: the others must not wait for it.
      if (!(error instanceof ServerFailure && isBecauseOfALine(error))) throw error;
    }
  }

  for (let segment = await spool.oldest(); segment !== null && !signal.aborted; segment = await spool.oldest()) {
    for (const batch of chunks(segment.lines, LINES_TOGETHER)) {
      if (await sendTogether(batch)) continue;
      // Some may have been sent by a process that did not hear the answer: asking each time would double the requests.
      const filter = batch.map(({ id }) => `id = "${id}"`).join(" || ");
      const there = await server.all<{ id: string }>(LOGS, { filter, fields: "id" }, signal);
      const left = batch.filter(({ id }) => !there.some((one) => one.id === id));
      if (left.length < batch.length && await sendTogether(left)) continue;
      for (const line of left) await sendAlone(line);
    }
    await spool.remove(segment);
  }
}

/**
 * A server that cannot write, for instance because its disk is full, answers 400 as well, but blames no field; one that does not know
 * this computer any more blames `daemon`.
 */
function isBecauseOfALine({ status, fields }: ServerFailure): boolean {
  return status === 400 && Object.keys(fields).some((field) => field !== "daemon");
}

// Log lines that wait on this disk for their upload, in files of some hundred lines each. Bounded: where the server is away for long,
// lines for debugging are given up first, the oldest before the others, and warnings and errors last.

/** A line, with an ID that stays the same however often it is sent. */
export interface SpooledLine {
  /** 15 characters, as PocketBase wants IDs. */
  readonly id: string;
  /** ISO 8601 in UTC. */
  readonly time: string;
  readonly level: LogLevel;
  readonly message: string;
}

type Files = Pick<System, "names" | "readText" | "writeText" | "remove" | "makeFolder" | "now" | "randomHex">;

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

type LogSpool = Awaited<ReturnType<typeof logSpool>>;

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
    await system.writeText(`${folder}/${name}`, text, 0o600);
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
  return text.split("\n").map(jsonOf).filter((line) => line !== undefined) as SpooledLine[];
}
