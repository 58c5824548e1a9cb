/**
 * The link of a running daemon to its PocketBase server: it fetches jobs, and writes heartbeats. Whatever happens to it, deliveries go
 * on; what is wrong is said once, and again only when it changes.
 */
import { anySignal } from "../async/abort.ts";
import { type Bell, bell } from "../async/bell.ts";
import { heldReasons } from "../config/read/held_jobs.ts";
import { keptJobs, type RemoteJob } from "../config/read/remote_jobs.ts";
import type { PocketbaseSettings, Settings } from "../config/settings.ts";
import { Failure, failureRecord, withHint } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { span } from "../domain/words.ts";
import type { Emit, TransferEvent } from "../domain/transfer_event.ts";
import type { DaemonControl } from "../reports/daemon_control.ts";
import { ACCEPT_REMOVED as ACCEPT } from "../reports/overview/overview.ts";
import type { FleetSums } from "../reports/fleet/fleet_sums.ts";
import type { StatusReport } from "../reports/overview/status_json.ts";
import type { System } from "../system/system.ts";
import { COMMANDS, HEARTBEATS, JOBS } from "./collections.ts";
import { BEAT_MS, beatReport, beatWriter, fleetNow, MISSED } from "./heartbeat.ts";
import { identify, type Identity } from "./accounts.ts";
import { fetchJobs, keepJobs } from "./jobs_of_server.ts";
import { keepLogs } from "./log_upload.ts";
import { type Commanded, type CommandMemory, commandMemory, takeCommands } from "./remote_commands.ts";
import { pocketbaseServer, type ServerSystem } from "./pocketbase_server.ts";
import { ServerFailure } from "./server_failure.ts";

/** What the link uses of the daemon. */
export interface LinkTools {
  readonly system:
    & ServerSystem
    & Pick<
      System,
      "hostname" | "read" | "writeText" | "makeFolder" | "names" | "remove" | "random" | "randomHex"
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
const LONGEST_PAUSE_MS = 300_000;
/** How long it waits at most for the first heartbeat before it hears changes. */
const FIRST_BEAT_MS = 10_000;
const CLOCKS_DIFFER_MS = 60_000;
const DAY_MS = 86_400_000;

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

/** One link, with the same settings until the signal is aborted. `instance` names this process, for people: others may have the same account. */
async function runLink(
  settings: PocketbaseSettings,
  { memory, instance }: { readonly memory: Promise<CommandMemory>; readonly instance: string },
  tools: LinkTools,
  signal: AbortSignal,
): Promise<void> {
  const { system, daemon, emit } = tools;
  const server = pocketbaseServer(settings, measured(system, emit));
  /** Rung when the server tells of a change, by part. */
  const changed = { jobs: bell(system), commands: bell(system) };
  /** Rung when the server answers after it did not, and when a heartbeat was written. */
  const [back, beaten] = [bell(system), bell(system)];
  /** What was last said to be wrong, by part; a part is away while all is well. */
  const said = new Map<string, string>();
  const beats = beatWriter(server);
  const oftenMs = Math.min(BEAT_MS, settings.refreshMs);
  /** The record of this computer, as it was last asked for: with the jobs, and after a failure. */
  let identity: Promise<Identity> | null = null;
  /** The daemon with the same account that it was last told of. */
  let otherTold: string | null = null;
  /** Whether the server tells of changes at this moment. */
  let isHearing = false;
  /** Why the server's jobs are not used; empty if they are. */
  let configError = "";
  /** How far this computer's clock is ahead of the server's; null before the first heartbeat. */
  let clockAheadMs: number | null = null;
  let isClockTold = false;

  const identified = () => identity ??= identify(server, settings, system, signal);

  /** Does it now, on the period, and when the server tells of a change. */
  async function repeat(part: "jobs" | "heartbeat" | "commands", work: () => Promise<void>, everyMs: () => number) {
    const told = part === "heartbeat" ? null : changed[part];
    let factor = 1;
    // Computers that were started together do not come in one moment each time.
    for (let share = system.random(); !signal.aborted; share = 0.9 + 0.2 * system.random()) {
      const isDone = await attempt(part, work);
      // Heartbeats keep their pace, and find out when the server is back; then the others go on.
      factor = isDone ? 1 : factor * 2;
      const pauseMs = Math.min(everyMs() * factor, Math.max(everyMs(), LONGEST_PAUSE_MS)) * share;
      if (told === null) await system.sleep(everyMs() * share, signal);
      else if (await told.wait(pauseMs, signal)) {
        // A thousand changes in a minute are not a thousand reloads, and a thousand computers do not come at once.
        const until = system.monotonic() + LONGEST_SETTLE_MS;
        const quietMs = SETTLE_MS * (0.5 + system.random());
        while (system.monotonic() < until && await told.wait(quietMs, signal));
      }
    }
  }

  async function refreshJobs(): Promise<void> {
    const { computer, jobs } = await jobsOfServer();
    const { hasChanged, vanished, fault } = await keepJobs(jobs, computer.name, daemon.settings(), system, tools.check);
    if (vanished.length > 0) {
      const which = vanished.length === 1 ? `job ${vanished[0]} was` : `jobs ${vanished.join(", ")} were`;
      const accept = `Nothing changes here until that is accepted: ${ACCEPT}`;
      const message = `PocketBase: ${printable(which)} removed on the server. ${accept}`;
      emit({ type: "notice", level: "warning", message });
    }
    if (hasChanged) await daemon.reload();
    configError = fault?.message.replaceAll("\n", "; ") ?? heldReasons(daemon.settings().held ?? []).join("; ");
    emit({ type: "server_jobs", rejected: configError });
    if (fault !== null) throw fault;
  }

  /** With a login that has ended, a list looks empty: only one that still holds afterwards counts. */
  async function jobsOfServer() {
    for (let isAgain = false;; isAgain = true) {
      const computer = await identified();
      const login = await server.account(signal);
      const jobs = await fetchJobs(server, computer, signal);
      if (await server.renew(signal) === login) return { computer, jobs };
      if (isAgain) throw new Failure("interrupted", `The login at ${server.url} ended`);
      identity = null;
    }
  }

  async function beat(): Promise<void> {
    const computer = await identified();
    const status = await daemon.status();
    const other = await beats.otherDaemon(instance, signal);
    if (other !== null && other !== otherTold) {
      const message = `PocketBase: another daemon uses the account of ${printable(computer.name)}: ${printable(other)}. ` +
        "Give each computer an account of its own: image-transfer pocketbase setup --add NAME";
      emit({ type: "notice", level: "warning", message });
    }
    otherTold = other;
    // Commands reach one of the two, and heartbeats are of both.
    const { level, text } = other === null ? status.headline : {
      level: status.headline.level === "bad" ? "bad" : "warning",
      text: `Another daemon uses this account: ${other}. ${status.headline.text}`,
    };
    const asked = system.now();
    const report = beatReport({ status, live: daemon.live(), sums: tools.sums(status), clockAheadMs, mayDo: settings.mayDo });
    const written = {
      version: status.version,
      level,
      // As much as the record has room for.
      headline: text.slice(0, 500),
      every_seconds: oftenMs / 1000,
      report,
      config_error: configError.slice(0, 2000),
      instance,
    };
    const at = await beats.write(written, computer, signal);
    beaten.ring();
    // The server writes the time somewhere between question and answer.
    clockAheadMs = (asked + system.now()) / 2 - at;
    tellClock(clockAheadMs);
  }

  /** Once, until the clocks agree again. */
  function tellClock(aheadMs: number): void {
    const differs = Math.abs(aheadMs) > CLOCKS_DIFFER_MS;
    if (differs && !isClockTold) {
      const by = span(Math.round(Math.abs(aheadMs) / 60_000) * 60_000);
      const message = `The clock of this computer is ${by} ${aheadMs > 0 ? "ahead of" : "behind"} that of ${server.url}`;
      emit({ type: "notice", level: "warning", message: `PocketBase: ${message}. Set both clocks by NTP.` });
    }
    isClockTold = differs;
  }

  async function commands(): Promise<void> {
    const computer = await identified();
    await takeCommands(settings, computer, { daemon, emit, instance, memory: await memory }, server, signal);
  }

  /** Rings when the server tells of changes; where it cannot, they come with the next period. */
  async function hearChanges(): Promise<void> {
    const rung = new Map([[`${JOBS}/*`, () => changed.jobs.ring()], [`${COMMANDS}/*`, () => changed.commands.ring()]]);
    const hearing = () => {
      isWell("changes");
      isHearing = true;
      // What changed while nothing was heard.
      for (const ring of rung.values()) ring();
    };
    // Its own heartbeats come back on a connection that is alive: one that is half open tells nothing.
    const topics = () => beats.id() === null ? rung : new Map([...rung, [`${HEARTBEATS}/${beats.id()}`, () => {}]]);
    const silentMs = Math.max(MISSED * oftenMs, settings.timeoutMs);
    await beaten.wait(FIRST_BEAT_MS, signal);
    for (let pauseMs = LISTEN_AGAIN_MS; !signal.aborted;) {
      const began = system.monotonic();
      await attempt("changes", () => server.listen(topics(), { hearing, silentMs }, signal));
      isHearing = false;
      if (system.monotonic() - began > LONGEST_LISTEN_AGAIN_MS) pauseMs = LISTEN_AGAIN_MS;
      // Many computers that lost the same server do not come back in one moment.
      await system.sleep(pauseMs * (0.5 + system.random()), signal);
      pauseMs = Math.min(pauseMs * 2, LONGEST_LISTEN_AGAIN_MS);
    }
  }

  /**
   * Tells of all computers when somebody looks, and only then: if each read the heartbeats of all whenever it writes its own, a thousand
   * would read a million a minute.
   */
  async function lookAround(): Promise<void> {
    const look = async () => emit({ type: "fleet", members: await fleetNow(server, signal) });
    while (!signal.aborted) {
      if (!await tools.fleetAsked.wait(DAY_MS, signal)) continue;
      while (!await attempt("fleet", look) && !signal.aborted) {
        await system.sleep(BEAT_MS * (0.5 + system.random()), signal);
      }
    }
  }

  /** Says what is wrong once, and that it is well again; true if it is. */
  async function attempt(part: string, work: () => Promise<void>): Promise<boolean> {
    try {
      await work();
    } catch (error) {
      if (signal.aborted) return false;
      identity = null;
      const failure = failureRecord(error);
      // One outage is one message, however each part meets it.
      const isAway = failure.code === "unreachable" || failure.code === "timeout";
      const news = isAway ? `Cannot reach ${server.url}` : withHint(failure);
      const isNews = ![...said.values()].includes(news);
      said.set(part, news);
      if (!isNews) return false;
      const isCutOff = error instanceof ServerFailure && (error.status === 0 || error.code === "login_refused");
      const kept = isCutOff ? await keptJobs(daemon.settings(), system) : null;
      const age = kept && ` The jobs in force were fetched ${span(Math.max(0, system.now() - kept.fetchedAt))} ago.`;
      emit({ type: "notice", level: "warning", message: `PocketBase: ${withHint(failure)}${age ?? ""}` });
      return false;
    }
    isWell(part);
    return true;
  }

  function isWell(part: string): void {
    if (!said.delete(part)) return;
    // What waited for the server goes on.
    back.ring();
    for (const other of ["jobs", "commands"] as const) if (said.has(other)) changed[other].ring();
    if (said.size === 0) emit({ type: "notice", level: "info", message: `PocketBase: connected to ${server.url}` });
  }

  await Promise.all([
    repeat("jobs", refreshJobs, () => settings.refreshMs),
    repeat("heartbeat", beat, () => oftenMs),
    // Those that come meanwhile are told of.
    repeat("commands", commands, () => isHearing ? settings.refreshMs : oftenMs),
    hearChanges(),
    lookAround(),
    settings.uploadLogs
      ? keepLogs({
        system,
        server,
        back,
        attempt,
        listen: tools.listen,
        folder: () => `${daemon.settings().stateDirectory}/pocketbase-logs`,
        lowest: () => daemon.settings().log.level,
        identify: identified,
        uploaded: (waiting, failed) => emit({ type: "log_upload", waiting, failed }),
        lastWords: async () => {
          if (tools.ending.aborted) await tools.stopped;
        },
      }, signal)
      : null,
  ]);
}

/** The same system; every request to PocketBase is told, for the metrics. */
function measured<S extends Pick<System, "askRemote" | "monotonic">>(system: S, emit: Emit): S {
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
