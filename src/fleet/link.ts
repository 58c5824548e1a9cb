/**
 * The link of a running daemon to its PocketBase server: it fetches jobs, and writes heartbeats. Whatever happens to it, deliveries go
 * on; what is wrong is said once, and again only when it changes.
 *
 * @module
 */
import { anySignal } from "../async/abort.ts";
import { type Bell, bell } from "../async/bell.ts";
import { ConfigError } from "../config/read/config_error.ts";
import type { RemoteJob } from "../config/read/remote_jobs.ts";
import type { PocketbaseSettings, Settings } from "../config/settings.ts";
import { failureRecord } from "../domain/failure.ts";
import type { Emit, TransferEvent } from "../domain/transfer_event.ts";
import type { DaemonControl } from "../reports/daemon_control.ts";
import type { System } from "../system/system.ts";
import { daemons } from "./accounts.ts";
import { COMMANDS, JOBS } from "./collections.ts";
import { BEAT_MS, beatReport, readFleet, writeBeat } from "./heartbeat.ts";
import { identify } from "./identity.ts";
import { fetchJobs, keepJobs } from "./jobs_of_server.ts";
import { type LogSpool, logSpool } from "./log_spool.ts";
import { logGatherer, uploadLogs } from "./log_upload.ts";
import { type OrderAnswer, type Ordered, takeOrders } from "./orders.ts";
import { type PocketbaseServer, pocketbaseServer, type ServerSystem } from "./pocketbase_server.ts";

/** What the link uses of the daemon. */
export interface LinkTools {
  readonly system:
    & ServerSystem
    & Pick<System, "hostname" | "read" | "writeText" | "sync" | "rename" | "makeFolder" | "names" | "remove" | "monotonic">;
  readonly daemon: Pick<DaemonControl, "settings" | "status" | "live" | "reload"> & Ordered;
  readonly emit: Emit;
  /** Hears every event until the returned function is called. */
  readonly listen: (listener: (event: TransferEvent) => void) => () => void;
  /** Aborted when the daemon begins to stop. */
  readonly ending: AbortSignal;
  /** Resolves when it has said all that it says. */
  readonly stopped: Promise<void>;
  /** Reads the configuration as it would be with these jobs. @throws {ConfigError} with what is wrong with them. */
  readonly check: (jobs: readonly RemoteJob[]) => Promise<unknown>;
}

/** Changes that come faster are fetched together. */
const SETTLE_MS = 1_000;
/** How often it tries to hear changes at once, while it cannot. */
const LISTEN_AGAIN_MS = 60_000;

/** Runs until the signal is aborted; goes on with other settings after a reload. */
export async function keepLink(tools: LinkTools, reloaded: Bell, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { pocketbase } = tools.daemon.settings();
    using current = anySignal(signal);
    const running = pocketbase === null ? Promise.resolve() : runLink(pocketbase, tools, current.signal);
    while (!signal.aborted && JSON.stringify(tools.daemon.settings().pocketbase) === JSON.stringify(pocketbase)) {
      await reloaded.wait(DAY_MS, signal);
    }
    current.abort();
    await running;
  }
}

const DAY_MS = 86_400_000;

/** Lines that come within this time are put on the disk together. */
const GATHER_MS = 2_000;
/** How often what waits is offered again to a server that did not take it. */
const OFFER_MS = 30_000;

/** What the parts of a link share. */
interface Link extends LinkTools {
  readonly settings: PocketbaseSettings;
  readonly server: PocketbaseServer;
  /** Rung when the server tells of a change, by part. */
  readonly changed: Readonly<Record<string, Bell>>;
  /** Why the server's jobs are not used; empty if they are. */
  configError: string;
  /** How far this computer's clock is ahead of the server's; null before the first heartbeat. */
  clockAheadMs: number | null;
  /** What became of orders, until the server knows it. */
  readonly answered: Map<string, OrderAnswer>;
  /** What was last said to be wrong, by part; a part is away while all is well. */
  readonly said: Map<string, string>;
}

async function runLink(settings: PocketbaseSettings, tools: LinkTools, signal: AbortSignal): Promise<void> {
  const link: Link = {
    ...tools,
    settings,
    server: pocketbaseServer(settings, measured(tools)),
    changed: { jobs: bell(tools.system), orders: bell(tools.system) },
    configError: "",
    clockAheadMs: null,
    said: new Map(),
    answered: new Map(),
  };
  await Promise.all([
    repeat("jobs", refreshJobs, settings.refreshMs, link, signal),
    repeat("heartbeat", beat, Math.min(BEAT_MS, settings.refreshMs), link, signal),
    repeat("orders", orders, Math.min(BEAT_MS, settings.refreshMs), link, signal),
    hearChanges(JOBS, link, signal),
    hearChanges(COMMANDS, link, signal),
    settings.uploadLogs ? keepLogs(link, signal) : null,
  ]);
}

/** The system whose requests are counted. */
function measured({ system, emit }: LinkTools): ServerSystem {
  return {
    ...system,
    async askRemote(url, question, signal) {
      const began = system.monotonic();
      const collection = /\/api\/collections\/([^/?]+)/.exec(url)?.[1] ?? /\/api\/([^/?]+)/.exec(url)?.[1] ?? "";
      const told = (result: "ok" | "error" | "unreachable") =>
        emit({ type: "pocketbase", collection, result, milliseconds: system.monotonic() - began });
      try {
        const answer = await system.askRemote(url, question, signal);
        told(answer.status < 400 ? "ok" : "error");
        return answer;
      } catch (error) {
        told("unreachable");
        throw error;
      }
    },
  };
}

/** Puts what the daemon says on the disk, and sends it from there. */
async function keepLogs(link: Link, signal: AbortSignal): Promise<void> {
  const { system, daemon, listen, ending, stopped } = link;
  const [gathered, written] = [bell(system), bell(system)];
  const gatherer = logGatherer(() => daemon.settings().log.level, gathered);
  const stopListening = listen(gatherer.listen);
  let opening: Promise<LogSpool> | null = null;
  let spool: LogSpool | null = null;
  const write = async () => {
    // It is asked for from two sides: both must have the same.
    opening ??= logSpool(`${daemon.settings().stateDirectory}/pocketbase-logs`, system).catch((error) => {
      opening = null;
      throw error;
    });
    spool = await opening;
    await spool.write(gatherer.take());
    written.ring();
  };
  const gather = async () => {
    while (!signal.aborted) {
      if (await gathered.wait(DAY_MS, signal)) await system.sleep(GATHER_MS, signal);
      if (!signal.aborted) await attempt("log", write, link, signal);
    }
  };
  const send = async () => {
    await attempt("log", write, link, signal);
    while (!signal.aborted) {
      let failed = true;
      await attempt(
        "upload",
        async () => {
          if (spool === null) return;
          const identity = await identify(link.server, link.settings, system.hostname, signal);
          await uploadLogs(spool, identity, link.server, signal);
          failed = false;
        },
        link,
        signal,
      );
      link.emit({ type: "log_upload", waiting: spool?.counts().waiting ?? 0, failed });
      if (failed) await system.sleep(OFFER_MS, signal);
      else await written.wait(DAY_MS, signal);
    }
  };
  try {
    await Promise.all([gather(), send()]);
    // What is said while the daemon ends is sent at the next start.
    if (ending.aborted) await stopped;
    await write();
  } finally {
    stopListening();
  }
}

/** Does it now, on the period, and when the server tells of a change. */
async function repeat(
  part: string,
  work: (link: Link, signal: AbortSignal) => Promise<void>,
  everyMs: number,
  link: Link,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await attempt(part, () => work(link, signal), link, signal);
    const changed = link.changed[part];
    if (changed === undefined) await link.system.sleep(everyMs, signal);
    else if (await changed.wait(everyMs, signal)) await link.system.sleep(SETTLE_MS, signal);
  }
}

async function refreshJobs(link: Link, signal: AbortSignal): Promise<void> {
  const { system, daemon, server, check } = link;
  const settings: Settings = daemon.settings();
  const identity = await identify(server, link.settings, system.hostname, signal);
  const jobs = await fetchJobs(server, identity, signal);
  try {
    const hasChanged = await keepJobs(jobs, identity.name, settings, system, check);
    link.configError = "";
    if (hasChanged) await daemon.reload();
  } catch (error) {
    if (error instanceof ConfigError) link.configError = error.message;
    throw error;
  }
}

async function beat(link: Link, signal: AbortSignal): Promise<void> {
  const { system, daemon, server, settings } = link;
  const identity = await identify(server, settings, system.hostname, signal);
  const status = await daemon.status();
  const { level, text } = status.headline;
  const asked = system.now();
  const at = await writeBeat(
    {
      version: status.version,
      level,
      headline: text,
      every_seconds: Math.min(BEAT_MS, settings.refreshMs) / 1000,
      report: beatReport(status, daemon.live(), link.clockAheadMs),
      config_error: link.configError.slice(0, 2000),
    },
    identity,
    server,
    signal,
  );
  // The server writes the time somewhere between question and answer.
  link.clockAheadMs = (asked + system.now()) / 2 - at;
  // The server's clock is known now.
  const members = await readFleet(await daemons(server, signal), at, server, signal);
  link.emit({ type: "fleet", members });
}

async function orders({ system, settings, server, daemon, emit, answered }: Link, signal: AbortSignal): Promise<void> {
  const identity = await identify(server, settings, system.hostname, signal);
  await takeOrders(settings, identity, { daemon, answered, emit, now: system.now }, server, signal);
}

/** Rings when the server tells of changes; where it cannot, they come with the next period. */
async function hearChanges(collection: typeof JOBS | typeof COMMANDS, link: Link, signal: AbortSignal): Promise<void> {
  const { server, changed, system } = link;
  const rung = collection === JOBS ? changed["jobs"] : changed["orders"];
  let isHearing = false;
  while (!isHearing && !signal.aborted) {
    await attempt(
      "changes",
      async () => {
        await server.listen(collection, () => rung?.ring(), signal);
        isHearing = true;
      },
      link,
      signal,
    );
    if (!isHearing) await system.sleep(LISTEN_AGAIN_MS, signal);
  }
}

/** Says what is wrong once, and that it is well again. */
async function attempt(
  part: string,
  work: () => Promise<void>,
  { emit, said, server }: Link,
  signal: AbortSignal,
): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (signal.aborted) return;
    const { message, hint } = failureRecord(error);
    const text = hint === "" ? message : `${message}. ${hint}`;
    if (![...said.values()].includes(text)) emit({ type: "notice", level: "warning", message: `PocketBase: ${text}` });
    said.set(part, text);
    return;
  }
  if (said.delete(part) && said.size === 0) {
    emit({ type: "notice", level: "info", message: `PocketBase: connected to ${server.url}` });
  }
}
