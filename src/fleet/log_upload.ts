/**
 * Sends the log to the server: what the daemon says is gathered, put on this disk, and sent from there in order. A line has its ID before it is
 * first sent, so that one whose answer was lost is not written twice.
 *
 * @module
 */
import type { Bell } from "../async/bell.ts";
import { type LogLevel, logLine } from "../events/log_line.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import { LINES_TOGETHER, LOGS } from "./collections.ts";
import type { Identity } from "./identity.ts";
import type { LogSpool, SpooledLine } from "./log_spool.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { nonsense, ServerFailure } from "./server_failure.ts";
import type { Clock } from "../system/system.ts";

/** What the collection takes. */
const LONGEST = 4_900;
const LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warning", "error"];
/** What waits in memory for the disk. */
const MOST_GATHERED = 10_000;

/** Gathers lines until they are put on the disk. */
export interface LogGatherer {
  readonly listen: (event: TransferEvent) => void;
  /** Hands over what was gathered since the last time; what cannot be put on the disk is gathered still. */
  hand(to: (lines: readonly SpooledLine[]) => Promise<void>): Promise<void>;
}

/** Rings when there is something to take. Its lines have IDs of 15 characters, as PocketBase wants them. */
export function logGatherer(lowest: () => LogLevel, gathered: Bell, clock: Pick<Clock, "randomHex">): LogGatherer {
  let lines: SpooledLine[] = [];
  return {
    listen(event) {
      const line = logLine(event);
      if (line === null || LEVELS.indexOf(line.level) < LEVELS.indexOf(lowest()) || lines.length >= MOST_GATHERED) return;
      const { level, message } = line;
      lines.push({
        id: clock.randomHex(8).slice(1),
        time: new Date(event.at).toISOString(),
        level,
        message: message.slice(0, LONGEST),
      });
      if (lines.length === 1) gathered.ring();
    },
    async hand(to) {
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
