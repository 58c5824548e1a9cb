/**
 * Sends the log to the server: what the daemon says is gathered, put on this disk, and sent from there in order. A line has its ID before it is
 * first sent, so that one whose answer was lost is not written twice.
 *
 * @module
 */
import type { Bell } from "../async/bell.ts";
import { type LogLevel, logLine } from "../events/log_line.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import { LOGS } from "./collections.ts";
import type { Identity } from "./identity.ts";
import type { LogSpool, SpooledLine } from "./log_spool.ts";
import { type PocketbaseServer, ServerFailure } from "./pocketbase_server.ts";

/** Lines sent together: the server does all of them or none. */
const BATCH = 50;
/** What the collection takes. */
const LONGEST = 4_900;
const LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warning", "error"];
/** What waits in memory for the disk. */
const MOST_GATHERED = 10_000;

/** Gathers lines until they are put on the disk. */
export interface LogGatherer {
  readonly listen: (event: TransferEvent) => void;
  /** What was gathered since the last call. */
  take(): readonly SpooledLine[];
}

/** Rings when there is something to take. */
export function logGatherer(lowest: () => LogLevel, gathered: Bell): LogGatherer {
  let lines: SpooledLine[] = [];
  return {
    listen(event) {
      const line = logLine(event);
      if (line === null || LEVELS.indexOf(line.level) < LEVELS.indexOf(lowest()) || lines.length >= MOST_GATHERED) return;
      const { level, message } = line;
      lines.push({ id: newId(), time: new Date(event.at).toISOString(), level, message: message.slice(0, LONGEST) });
      if (lines.length === 1) gathered.ring();
    },
    take() {
      const taken = lines;
      lines = [];
      return taken;
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
    // They may have been sent by a process that did not hear the answer.
    let left = await withoutThoseThere(segment.lines, server, signal);
    while (left.length > 0) {
      const batch = left.slice(0, BATCH);
      left = left.slice(BATCH);
      if (!await sendTogether(batch, daemon, server, signal)) await sendOneByOne(batch, daemon, server, signal);
    }
    await spool.remove(segment);
  }
}

async function withoutThoseThere(
  lines: readonly SpooledLine[],
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<readonly SpooledLine[]> {
  const there = new Set<string>();
  for (let start = 0; start < lines.length; start += BATCH) {
    const filter = lines.slice(start, start + BATCH).map(({ id }) => `id = "${id}"`).join(" || ");
    for (const { id } of await server.all<{ id: string }>(LOGS, { filter, fields: "id" }, signal)) there.add(id);
  }
  return lines.filter(({ id }) => !there.has(id));
}

/** False where the server does not take requests together, or refuses one of them: then each is sent alone. */
async function sendTogether(
  lines: readonly SpooledLine[],
  daemon: string,
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<boolean> {
  const requests = lines.map((line) => ({ method: "POST", url: `/api/collections/${LOGS}/records`, body: { ...line, daemon } }));
  try {
    await server.ask("/api/batch", { method: "POST", body: { requests } }, signal);
    return true;
  } catch (error) {
    if (error instanceof ServerFailure && [400, 403, 404].includes(error.status)) return false;
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
      await server.ask(`/api/collections/${LOGS}/records`, { method: "POST", body: { ...line, daemon } }, signal);
    } catch (error) {
      // There already, or a line that no server would take: the others must not wait for it.
      if (!(error instanceof ServerFailure) || error.status !== 400) throw error;
    }
  }
}

function newId(): string {
  return [...crypto.getRandomValues(new Uint8Array(15))].map((byte) => (byte % 36).toString(36)).join("");
}
