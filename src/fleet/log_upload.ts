/**
 * Sends the log to the server while a daemon runs: what the daemon says is gathered, put on this disk, and sent from there in order. A line has its
 * ID before it is first sent, so that one whose answer was lost is not written twice.
 */
import { type Bell, bell } from "../async/bell.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import { LOG_LEVELS, type LogLevel, logLine } from "../events/log_line.ts";
import type { Clock, System } from "../system/system.ts";
import type { Identity } from "./accounts.ts";
import { LINES_TOGETHER, LOGS } from "./collections.ts";
import { type LogSpool, logSpool, type SpooledLine } from "./log_spool.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { nonsense, ServerFailure } from "./server_failure.ts";

const LONGEST = 4_900;
const MOST_GATHERED = 10_000;
/** Lines that come within this time are put on the disk together. */
const GATHER_MS = 2_000;
/** How often what waits is offered again to a server that did not take it: first, and at most. */
const OFFER_MS = 30_000;
const LONGEST_OFFER_MS = 300_000;
const DAY_MS = 86_400_000;

interface LogTools {
  readonly system: Pick<
    System,
    "now" | "sleep" | "randomHex" | "names" | "readText" | "writeText" | "sync" | "rename" | "remove" | "makeFolder"
  >;
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
  for (let segment = await spool.oldest(); segment !== null && !signal.aborted; segment = await spool.oldest()) {
    for (let start = 0; start < segment.lines.length; start += LINES_TOGETHER) {
      const batch = segment.lines.slice(start, start + LINES_TOGETHER);
      if (await sendTogether(batch, daemon, server, signal)) continue;
      // Some may have been sent by a process that did not hear the answer: asking each time would double the requests.
      const left = await withoutThoseThere(batch, server, signal);
      if (left.length === batch.length || !await sendTogether(left, daemon, server, signal)) {
        await sendOneByOne(left, daemon, server, signal);
      }
    }
    await spool.remove(segment);
  }
}

async function withoutThoseThere(
  lines: readonly SpooledLine[],
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<readonly SpooledLine[]> {
  const filter = lines.map(({ id }) => `id = "${id}"`).join(" || ");
  const there = new Set((await server.all<{ id: string }>(LOGS, { filter, fields: "id" }, signal)).map(({ id }) => id));
  return lines.filter(({ id }) => !there.has(id));
}

/** False where the server does not take requests together, or refuses one of the lines: then each is sent alone. */
async function sendTogether(
  lines: readonly SpooledLine[],
  daemon: string,
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<boolean> {
  if (lines.length === 0) return true;
  const requests = lines.map((line) => ({ method: "POST", url: `/api/collections/${LOGS}/records`, body: { ...line, daemon } }));
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

async function sendOneByOne(
  lines: readonly SpooledLine[],
  daemon: string,
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<void> {
  for (const line of lines) {
    try {
      const body = { ...line, daemon };
      const { id } = await server.ask<{ id?: unknown }>(`/api/collections/${LOGS}/records`, { method: "POST", body }, signal);
      if (id !== line.id) throw nonsense(server.url);
    } catch (error) {
      // There already, or a line that no server would take: the others must not wait for it.
      if (!(error instanceof ServerFailure && isBecauseOfALine(error))) throw error;
    }
  }
}

/**
 * A server that cannot write, for instance because its disk is full, answers 400 as well, but blames no field; one that does not know
 * this computer any more blames `daemon`.
 */
function isBecauseOfALine({ status, fields }: ServerFailure): boolean {
  return status === 400 && Object.keys(fields).some((field) => field !== "daemon");
}
