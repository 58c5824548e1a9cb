/**
 * The link of a running daemon to its PocketBase server: it fetches jobs, and writes heartbeats. Whatever happens to it, deliveries go
 * on; what is wrong is said once, and again only when it changes.
 *
 * @module
 */
import { anySignal } from "../async/abort.ts";
import { type Bell, bell } from "../async/bell.ts";
import { heldReasons } from "../config/read/held_jobs.ts";
import { keptJobs } from "../config/read/kept_jobs.ts";
import type { RemoteJob } from "../config/read/remote_jobs.ts";
import type { PocketbaseSettings, Settings } from "../config/settings.ts";
import { Failure, failureRecord } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { span } from "../domain/span.ts";
import type { Emit, TransferEvent } from "../domain/transfer_event.ts";
import type { DaemonControl } from "../reports/daemon_control.ts";
import { ACCEPT_REMOVED as ACCEPT } from "../reports/overview/overview.ts";
import type { FleetSums } from "../reports/fleet/fleet_sums.ts";
import type { StatusReport } from "../reports/overview/status_json.ts";
import type { System } from "../system/system.ts";
import { COMMANDS, HEARTBEATS, JOBS } from "./collections.ts";
import { type CommandMemory, commandMemory } from "./command_memory.ts";
import { BEAT_MS, type BeatPlace, beatPlace, beatReport, MISSED, otherDaemon, writeBeat } from "./heartbeat.ts";
import { fleetNow } from "./fleet_now.ts";
import { identify, type Identity } from "./identity.ts";
import { fetchJobs, keepJobs } from "./jobs_of_server.ts";
import { keepLogs } from "./keep_logs.ts";
import { measured } from "./measured_system.ts";
import { type Commanded, takeCommands } from "./remote_commands.ts";
import { type PocketbaseServer, pocketbaseServer, type ServerSystem } from "./pocketbase_server.ts";
import { ServerFailure } from "./server_failure.ts";

/** What the link uses of the daemon. */
export interface LinkTools {
  readonly system:
    & ServerSystem
    & Pick<
      System,
      "hostname" | "read" | "writeText" | "sync" | "rename" | "makeFolder" | "names" | "remove" | "random" | "randomHex"
    >;
  readonly daemon: Pick<DaemonControl, "settings" | "status" | "live" | "reload"> & Commanded;
  /** Rung when somebody looks at the fleet: `emit` then tells of it. */
  readonly fleetAsked: Bell;
  /** What only the ledger knows of the files of this computer. */
  readonly sums: (status: StatusReport) => FleetSums;
  readonly emit: Emit;
  /** Hears the lines of the log that nobody has heard yet, and every event until the returned function is called. */
  readonly listen: (listener: (event: TransferEvent) => void) => () => void;
  /** Aborted when the daemon begins to stop. */
  readonly ending: AbortSignal;
  /** Resolves when it has said all that it says. */
  readonly stopped: Promise<void>;
  /** Reads the configuration as it would be with these jobs. @throws {ConfigError} with what is wrong with them. */
  readonly check: (jobs: readonly RemoteJob[]) => Promise<Pick<Settings, "held">>;
}

/** Changes that come faster are fetched together: when none came for this time, but not later than after the other. */
const SETTLE_MS = 1_000;
const LONGEST_SETTLE_MS = 10_000;
/** How long it waits before it hears changes again: first, and at most. */
const LISTEN_AGAIN_MS = 1_000;
const LONGEST_LISTEN_AGAIN_MS = 60_000;
/** How long it waits at most before it asks again a server that does not answer. */
const LONGEST_PAUSE_MS = 300_000;
/** How long it waits at most for the first heartbeat before it hears changes. */
const FIRST_BEAT_MS = 10_000;
/** Clocks that differ by more are told of. */
const CLOCKS_DIFFER_MS = 60_000;

/** Runs until the signal is aborted; goes on with other settings after a reload. */
export async function keepLink(tools: LinkTools, reloaded: Bell, signal: AbortSignal): Promise<void> {
  // Not waited for: the log is heard from now on.
  const memory = commandMemory(tools.daemon.settings().stateDirectory, tools.system);
  const kept = { memory, instance: `${tools.system.hostname} since ${new Date(tools.system.now()).toISOString()}` };
  while (!signal.aborted) {
    const { pocketbase } = tools.daemon.settings();
    using current = anySignal(signal);
    const running = pocketbase === null ? Promise.resolve() : runLink(pocketbase, kept, tools, current.signal);
    while (!signal.aborted && JSON.stringify(tools.daemon.settings().pocketbase) === JSON.stringify(pocketbase)) {
      await reloaded.wait(DAY_MS, signal);
    }
    current.abort();
    await running;
  }
}

const DAY_MS = 86_400_000;

/** What the parts of a link share. */
interface Link extends LinkTools {
  readonly settings: PocketbaseSettings;
  readonly server: PocketbaseServer;
  /** Rung when the server tells of a change, by part. */
  readonly changed: { readonly jobs: Bell; readonly commands: Bell };
  /** The record of this computer, as it was last asked for: with the jobs, and after a failure. */
  identity: Promise<Identity> | null;
  readonly beatPlace: BeatPlace;
  /** Rung when a heartbeat was written. */
  readonly beaten: Bell;
  /** The daemon with the same account that it was last told of. */
  otherTold: string | null;
  /** Whether the server tells of changes at this moment. */
  isHearing: boolean;
  /** Why the server's jobs are not used; empty if they are. */
  configError: string;
  /** How far this computer's clock is ahead of the server's; null before the first heartbeat. */
  clockAheadMs: number | null;
  /** Whether it was told that the clocks differ. */
  clockTold: boolean;
  /** Rung when the server answers after it did not. */
  readonly back: Bell;
  readonly memory: Promise<CommandMemory>;
  /** Which process this is, for people: others may have the same account. */
  readonly instance: string;
  /** What was last said to be wrong, by part; a part is away while all is well. */
  readonly said: Map<string, string>;
}

async function runLink(
  settings: PocketbaseSettings,
  kept: Pick<Link, "memory" | "instance">,
  tools: LinkTools,
  signal: AbortSignal,
): Promise<void> {
  const link: Link = {
    ...tools,
    settings,
    server: pocketbaseServer(settings, measured(tools.system, tools.emit)),
    changed: { jobs: bell(tools.system), commands: bell(tools.system) },
    identity: null,
    beatPlace: beatPlace(),
    beaten: bell(tools.system),
    otherTold: null,
    isHearing: false,
    configError: "",
    clockAheadMs: null,
    clockTold: false,
    back: bell(tools.system),
    said: new Map(),
    ...kept,
  };
  await Promise.all([
    repeat("jobs", refreshJobs, () => settings.refreshMs, link, signal),
    repeat("heartbeat", beat, () => oftenMs(settings), link, signal),
    // Those that come meanwhile are told of.
    repeat("commands", commands, () => link.isHearing ? settings.refreshMs : oftenMs(settings), link, signal),
    hearChanges(link, signal),
    lookAround(link, signal),
    settings.uploadLogs ? keepLogs(logTools(link, signal), signal) : null,
  ]);
}

/** How often a heartbeat is written. */
function oftenMs({ refreshMs }: PocketbaseSettings): number {
  return Math.min(BEAT_MS, refreshMs);
}

function logTools(link: Link, signal: AbortSignal): Parameters<typeof keepLogs>[0] {
  const { system, server, daemon, listen, back, ending, stopped, emit } = link;
  return {
    system,
    server,
    listen,
    back,
    folder: () => `${daemon.settings().stateDirectory}/pocketbase-logs`,
    lowest: () => daemon.settings().log.level,
    identify: (signal) => identified(link, signal),
    attempt: (part, work) => attempt(part, work, link, signal),
    uploaded: (waiting, failed) => emit({ type: "log_upload", waiting, failed }),
    lastWords: async () => {
      if (ending.aborted) await stopped;
    },
  };
}

/** Does it now, on the period, and when the server tells of a change. */
async function repeat(
  part: "jobs" | "heartbeat" | "commands",
  work: (link: Link, signal: AbortSignal) => Promise<void>,
  everyMs: () => number,
  link: Link,
  signal: AbortSignal,
): Promise<void> {
  const { system, changed } = link;
  const told = part === "heartbeat" ? null : changed[part];
  let factor = 1;
  // Computers that were started together do not come in one moment each time.
  for (let share = system.random(); !signal.aborted; share = 0.9 + 0.2 * system.random()) {
    const isDone = await attempt(part, () => work(link, signal), link, signal);
    // Heartbeats keep their pace, and find out when the server is back; then the others go on.
    factor = isDone ? 1 : factor * 2;
    const pauseMs = Math.min(everyMs() * factor, Math.max(everyMs(), LONGEST_PAUSE_MS)) * share;
    if (told === null) await system.sleep(everyMs() * share, signal);
    else if (await told.wait(pauseMs, signal)) await settled(told, system, signal);
  }
}

/** Until no change came for a while: a thousand changes in a minute are not a thousand reloads, and a thousand computers do not come at once. */
async function settled(changed: Bell, system: Pick<System, "monotonic" | "random">, signal: AbortSignal): Promise<void> {
  const until = system.monotonic() + LONGEST_SETTLE_MS;
  const pauseMs = SETTLE_MS * (0.5 + system.random());
  while (system.monotonic() < until && await changed.wait(pauseMs, signal));
}

/** The record of this computer. */
function identified(link: Link, signal: AbortSignal): Promise<Identity> {
  const { server, settings, system } = link;
  return link.identity ??= identify(server, settings, system, signal);
}

async function refreshJobs(link: Link, signal: AbortSignal): Promise<void> {
  const { system, daemon, check, emit } = link;
  const { identity, jobs } = await jobsOfServer(link, signal);
  const { hasChanged, vanished, fault } = await keepJobs(jobs, identity.name, daemon.settings(), system, check);
  if (vanished.length > 0) {
    const which = vanished.length === 1 ? `job ${vanished[0]} was` : `jobs ${vanished.join(", ")} were`;
    const message = `PocketBase: ${
      printable(which)
    } removed on the server. Nothing changes here until that is accepted: ${ACCEPT}`;
    emit({ type: "notice", level: "warning", message });
  }
  if (hasChanged) await daemon.reload();
  link.configError = fault?.message.replaceAll("\n", "; ") ?? heldReasons(daemon.settings().held ?? []).join("; ");
  emit({ type: "server_jobs", rejected: link.configError });
  if (fault !== null) throw fault;
}

/** With a login that has ended, a list looks empty: only one that still holds afterwards counts. */
async function jobsOfServer(link: Link, signal: AbortSignal) {
  const { server } = link;
  for (let isAgain = false;; isAgain = true) {
    const identity = await identified(link, signal);
    const login = await server.account(signal);
    const jobs = await fetchJobs(server, identity, signal);
    if (await server.renew(signal) === login) return { identity, jobs };
    if (isAgain) throw new Failure("interrupted", `The login at ${server.url} ended`);
    link.identity = null;
  }
}

async function beat(link: Link, signal: AbortSignal): Promise<void> {
  const { system, daemon, server, settings, beatPlace } = link;
  const identity = await identified(link, signal);
  const status = await daemon.status();
  const other = await otherDaemon(link.instance, beatPlace, server, signal);
  tellOther(other, identity, link);
  const { level, text } = other === null ? status.headline : sharedHeadline(other, status.headline);
  const asked = system.now();
  const at = await writeBeat(
    {
      version: status.version,
      level,
      // As much as the record has room for.
      headline: text.slice(0, 500),
      every_seconds: oftenMs(settings) / 1000,
      report: beatReport({
        status,
        live: daemon.live(),
        sums: link.sums(status),
        clockAheadMs: link.clockAheadMs,
        mayDo: settings.mayDo,
      }),
      config_error: link.configError.slice(0, 2000),
      instance: link.instance,
    },
    identity,
    beatPlace,
    server,
    signal,
  );
  link.beaten.ring();
  // The server writes the time somewhere between question and answer.
  link.clockAheadMs = (asked + system.now()) / 2 - at;
  tellClock(link);
}

/**
 * Tells of all computers when somebody looks, and only then: if each read the heartbeats of all whenever it writes its own, a thousand
 * would read a million a minute.
 */
async function lookAround(link: Link, signal: AbortSignal): Promise<void> {
  const { fleetAsked, server, system, emit } = link;
  const look = async () => emit({ type: "fleet", members: await fleetNow(server, signal) });
  while (!signal.aborted) {
    if (!await fleetAsked.wait(DAY_MS, signal)) continue;
    while (!await attempt("fleet", look, link, signal) && !signal.aborted) {
      await system.sleep(BEAT_MS * (0.5 + system.random()), signal);
    }
  }
}

/** What the fleet hears of a computer whose account another one has, too: commands reach one of them, and heartbeats are of both. */
function sharedHeadline(
  other: string,
  { level, text }: StatusReport["headline"],
): Pick<StatusReport["headline"], "level" | "text"> {
  return { level: level === "bad" ? "bad" : "warning", text: `Another daemon uses this account: ${other}. ${text}` };
}

/** Once for each. */
function tellOther(other: string | null, { name }: Identity, link: Link): void {
  if (other !== null && other !== link.otherTold) {
    const message = `PocketBase: another daemon uses the account of ${printable(name)}: ${printable(other)}. ` +
      "Give each computer an account of its own: image-transfer pocketbase setup --add NAME";
    link.emit({ type: "notice", level: "warning", message });
  }
  link.otherTold = other;
}

/** Once, until the clocks agree again. */
function tellClock(link: Link): void {
  const ahead = link.clockAheadMs ?? 0;
  const differs = Math.abs(ahead) > CLOCKS_DIFFER_MS;
  if (differs && !link.clockTold) {
    const side = ahead > 0 ? "ahead of" : "behind";
    const message = `The clock of this computer is ${
      span(Math.round(Math.abs(ahead) / 60_000) * 60_000)
    } ${side} that of ${link.server.url}`;
    link.emit({ type: "notice", level: "warning", message: `PocketBase: ${message}. Set both clocks by NTP.` });
  }
  link.clockTold = differs;
}

async function commands(link: Link, signal: AbortSignal): Promise<void> {
  const identity = await identified(link, signal);
  await takeCommands(link.settings, identity, { ...link, memory: await link.memory }, link.server, signal);
}

/** Rings when the server tells of changes; where it cannot, they come with the next period. */
async function hearChanges(link: Link, signal: AbortSignal): Promise<void> {
  const { server, changed, system, settings, beatPlace, beaten } = link;
  const rung = new Map([[`${JOBS}/*`, () => changed.jobs.ring()], [`${COMMANDS}/*`, () => changed.commands.ring()]]);
  const hearing = () => {
    isWell("changes", link);
    link.isHearing = true;
    // What changed while nothing was heard.
    for (const ring of rung.values()) ring();
  };
  // Its own heartbeats come back on a connection that is alive: one that is half open tells nothing.
  const topics = () => beatPlace.id === null ? rung : new Map([...rung, [`${HEARTBEATS}/${beatPlace.id}`, () => {}]]);
  const silentMs = Math.max(MISSED * oftenMs(settings), settings.timeoutMs);
  await beaten.wait(FIRST_BEAT_MS, signal);
  for (let pauseMs = LISTEN_AGAIN_MS; !signal.aborted;) {
    const began = system.monotonic();
    await attempt("changes", () => server.listen(topics(), { hearing, silentMs }, signal), link, signal);
    link.isHearing = false;
    if (system.monotonic() - began > LONGEST_LISTEN_AGAIN_MS) pauseMs = LISTEN_AGAIN_MS;
    // Many computers that lost the same server do not come back in one moment.
    await system.sleep(pauseMs * (0.5 + system.random()), signal);
    pauseMs = Math.min(pauseMs * 2, LONGEST_LISTEN_AGAIN_MS);
  }
}

/** Says what is wrong once, and that it is well again; true if it is. */
async function attempt(part: string, work: () => Promise<void>, link: Link, signal: AbortSignal): Promise<boolean> {
  const { emit, said } = link;
  try {
    await work();
  } catch (error) {
    if (signal.aborted) return false;
    link.identity = null;
    const { message, hint, code } = failureRecord(error);
    const text = hint === "" ? message : `${message}. ${hint}`;
    // One outage is one message, however each part meets it.
    const news = code === "unreachable" || code === "timeout" ? `Cannot reach ${link.server.url}` : text;
    const isNews = ![...said.values()].includes(news);
    said.set(part, news);
    if (!isNews) return false;
    const isCutOff = error instanceof ServerFailure && (error.status === 0 || error.code === "login_refused");
    const kept = isCutOff ? await ageOfJobs(link) : "";
    emit({ type: "notice", level: "warning", message: `PocketBase: ${text}${kept}` });
    return false;
  }
  isWell(part, link);
  return true;
}

function isWell(part: string, { emit, said, server, back, changed }: Link): void {
  if (!said.delete(part)) return;
  // What waited for the server goes on.
  back.ring();
  for (const other of ["jobs", "commands"] as const) if (said.has(other)) changed[other].ring();
  if (said.size === 0) emit({ type: "notice", level: "info", message: `PocketBase: connected to ${server.url}` });
}

/** What is in force while the server's jobs cannot be fetched. */
async function ageOfJobs({ daemon, system }: Link): Promise<string> {
  const kept = await keptJobs(daemon.settings(), system);
  if (kept === null) return "";
  return ` The jobs in force were fetched ${span(Math.max(0, system.now() - kept.fetchedAt))} ago.`;
}
