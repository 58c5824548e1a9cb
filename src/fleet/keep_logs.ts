/**
 * Keeps the log on its way to the server while a daemon runs: what the daemon says is put on this disk, and sent from there.
 *
 * @module
 */
import { type Bell, bell } from "../async/bell.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import type { LogLevel } from "../events/log_line.ts";
import type { System } from "../system/system.ts";
import type { Identity } from "./identity.ts";
import { type LogSpool, logSpool } from "./log_spool.ts";
import { type LogGatherer, logGatherer, uploadLogs } from "./log_upload.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";

/** What it takes. */
export interface LogTools {
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

/** Lines that come within this time are put on the disk together. */
const GATHER_MS = 2_000;
/** How often what waits is offered again to a server that did not take it: first, and at most. */
const OFFER_MS = 30_000;
const LONGEST_OFFER_MS = 300_000;
const DAY_MS = 86_400_000;

/** What both sides share: those who put lines on the disk, and those who send them. */
interface Keeping extends LogTools {
  readonly gatherer: LogGatherer;
  readonly gathered: Bell;
  readonly written: Bell;
  spool: LogSpool | null;
  opening: Promise<LogSpool> | null;
}

/** Runs until the signal is aborted. */
export async function keepLogs(tools: LogTools, signal: AbortSignal): Promise<void> {
  const { system, lowest, listen, lastWords, attempt } = tools;
  const [gathered, written] = [bell(system), bell(system)];
  const keeping: Keeping = {
    ...tools,
    gathered,
    written,
    gatherer: logGatherer(lowest, gathered, system),
    spool: null,
    opening: null,
  };
  const stopListening = listen(keeping.gatherer.listen);
  try {
    await Promise.all([gather(keeping, signal), send(keeping, signal)]);
    // What is said while the daemon ends is sent at the next start.
    await lastWords();
    await attempt("log", () => write(keeping));
  } finally {
    stopListening();
  }
}

async function gather(keeping: Keeping, signal: AbortSignal): Promise<void> {
  const { gathered, system, attempt } = keeping;
  while (!signal.aborted) {
    if (await gathered.wait(DAY_MS, signal)) await system.sleep(GATHER_MS, signal);
    // Nothing rings the bell again for lines that could not be written, so they are tried again here.
    while (!signal.aborted && !await attempt("log", () => write(keeping))) await system.sleep(OFFER_MS, signal);
  }
}

async function write(keeping: Keeping): Promise<void> {
  // It is asked for from two sides: both must have the same.
  keeping.opening ??= logSpool(keeping.folder(), keeping.system).catch((error) => {
    keeping.opening = null;
    throw error;
  });
  const spool = keeping.spool = await keeping.opening;
  await keeping.gatherer.hand((lines) => spool.write(lines));
  keeping.written.ring();
}

async function send(keeping: Keeping, signal: AbortSignal): Promise<void> {
  const { server, written, back, attempt, identify, uploaded } = keeping;
  await attempt("log", () => write(keeping));
  for (let pauseMs = OFFER_MS; !signal.aborted;) {
    const { spool } = keeping;
    const isSent = spool !== null &&
      await attempt("upload", async () => await uploadLogs(spool, await identify(signal), server, signal));
    uploaded(spool?.counts().waiting ?? 0, !isSent);
    if (isSent) {
      pauseMs = OFFER_MS;
      await written.wait(DAY_MS, signal);
    } else if (await back.wait(pauseMs, signal)) {
      pauseMs = OFFER_MS;
    } else {
      pauseMs = Math.min(pauseMs * 2, LONGEST_OFFER_MS);
    }
  }
}
