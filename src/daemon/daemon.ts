/**
 * The daemon: one lock, one ledger, one pipeline for each job, one event stream. It starts, reloads and stops
 * them, and answers the commands and the page.
 */
import { reasonOf } from "../domain/names/reason.ts";
import { Failure, type FailureRecord, failureRecord } from "../domain/failure.ts";
import type { Job, MethodName, Settings } from "../config/settings.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import { VERSION } from "../domain/version.ts";
import type { Ledger, LedgerAccess } from "../ledger/ledger.ts";
import { localFolders } from "../methods/local/local_base.ts";
import type { Connector } from "../methods/method.ts";
import { methodNamed } from "../methods/methods.ts";
import { type Cadences, cadences } from "../events/cadence.ts";
import { type EventStream, eventStream } from "../events/event_stream.ts";
import { type Hooks, hooks } from "../events/hooks/hooks.ts";
import { type Progress, trackProgress } from "../events/progress.ts";
import type { Waiting } from "../intake/settle/candidate.ts";
import { aborted } from "../async/abort.ts";
import type { Bell } from "../async/bell.ts";
import { mutex } from "../async/mutex.ts";
import type { Finish } from "./pipeline.ts";
import { type Pipelines, pipelines } from "./pipelines.ts";
import { lockState } from "../system/files/lock.ts";
import { type WorkFolder, workFolder } from "./work_folder.ts";
import type { Lock, System } from "../system/system.ts";
import { type ControlServer, controlServer } from "./control/control_server.ts";
import type { DaemonControl } from "../reports/daemon_control.ts";
import type { HttpApp, Origin } from "./control/http_app.ts";
import { type DaemonWeb, daemonWeb, pageSource, setupLog } from "./daemon_web.ts";
import type { CheckFinding, PageSource } from "../reports/page_source.ts";
import { type FleetView, fleetView, pageFleet } from "./fleet_view.ts";
import { runningControl, runningState } from "./running.ts";
import { type PidFile, pidFile, type StateWatch, stateWatch, sweepState } from "./state_directory.ts";

interface DaemonTools extends Pick<LedgerAccess, "openLedger"> {
  readonly system: System;
  /** Reads the configuration again, for a reload; null where it does not come from a file. */
  readonly readSettings: (() => Promise<Settings>) | null;
  readonly listeners: readonly ((event: TransferEvent) => void)[];
  /** The checks of `doctor`, for the page; without it, the page has no button for them. */
  readonly check?: (settings: Settings, signal: AbortSignal) => Promise<readonly CheckFinding[]>;
  /** Where the methods of transfer come from; the list of all unless given. */
  readonly methodNamed?: (name: MethodName) => Promise<Connector>;
  /** Called with new settings before their jobs start: for whatever else depends on them. */
  readonly adopt?: (settings: Settings) => Promise<void>;
}

/** A running daemon. Disposing of it stops it, like `stop`, and waits until it has stopped. */
export interface Daemon extends DaemonControl, AsyncDisposable {
  readonly ledger: Ledger;
  readonly events: EventStream;
  /** Rung when somebody looks at the fleet; an event `fleet` is the answer. */
  readonly fleetAsked: Bell;
  /** The address of the page with its token, for the start-up line; null without a page. Without the token where it is configured. */
  startUrl(): string | null;
  /** Aborted when somebody asked for the end. */
  readonly ending: AbortSignal;
  /** What keeps the daemon itself from delivering; null where nothing does. */
  trouble(): FailureRecord | null;
  /** True if it stops because of an internal error or the loss of its state: it should be started again. */
  broken(): boolean;
  /** Resolves when everything has ended and the lock is free. */
  readonly stopped: Promise<void>;
  /** The files of each job that are not sent yet, as its intake reports them. */
  unsettled(): readonly { readonly job: Job; readonly files: readonly Waiting[] }[];
  /** With `once`: the result of each job, when nothing is left to do. */
  finished(): Promise<readonly { readonly job: string; readonly finish: Finish }[]>;
}

/**
 * Starts the daemon; null when another instance holds the state directory. `once`: it delivers what is there, then ends, see
 * {@linkcode Daemon.finished}.
 *
 * @throws {Failure} when the state directory or the ledger cannot be used.
 */
export async function startDaemon(first: Settings, tools: DaemonTools, { once = false } = {}): Promise<Daemon | null> {
  const opened = await open(first, tools, once);
  if (opened === null) return null;
  const { system, ledger, events } = opened;
  const { emit } = events;
  const method = tools.methodNamed ?? methodNamed;
  const jobs = pipelines({
    system,
    ledger,
    emit,
    methodOf: ({ transport }) => ({ connect: async (...asked) => (await method(transport.method)).connect(...asked) }),
    once,
    progress: opened.progress,
    workFolder: opened.work.path,
    diskFolder: opened.work.onDisk,
    broken: () => breakDown(parts, "an internal error"),
  });
  const parts: Parts = {
    ...opened,
    ...tools,
    jobs,
    ending: new AbortController(),
    closing: new AbortController(),
    inTurn: mutex(),
    fleet: fleetView(events, () => parts.settings.pocketbase?.url ?? null, system),
    state: stateWatch({
      ...opened,
      emit,
      stateDirectory: first.stateDirectory,
      once,
      end: ({ message }) => breakDown(parts, message),
    }),
    settings: first,
    broken: false,
    web: null,
    channel: null,
  };
  const running = { ...parts, settings: () => parts.settings, page: () => parts.web?.server() ?? null };
  const state = runningState(running);
  const control = runningControl(running, state, {
    stop: (reason) => askToEnd(parts, reason),
    reload: () => parts.inTurn(() => reload(parts)),
    async acceptRemoved(job) {
      const { acceptRemoved } = await import("../fleet/jobs_of_server.ts");
      const names = await acceptRemoved(job, parts.settings, system);
      if (names.length > 0) await parts.inTurn(() => reload(parts));
      return names;
    },
  });
  const source = once ? null : pageSource(state, control, askedByPage(parts, tools.check));
  const http = appWhenAsked(control, source, parts);
  if (source !== null) {
    const moved = (url: string | null) =>
      parts.channel?.announce(url).catch((error) => {
        emit({ type: "notice", level: "warning", message: `Cannot write control.json: ${failureRecord(error).message}` });
      });
    parts.web = await daemonWeb({ ...running, source, http, moved });
  }
  emit({ type: "started", version: VERSION, pid: system.pid });
  await apply(first, parts);
  parts.channel = await openChannel(parts, http);
  const stopped = stopWhenAsked(parts, parts.state.run(parts.ending.signal));

  return {
    ...control,
    ledger,
    events,
    fleetAsked: parts.fleet.asked,
    startUrl: () => parts.web?.server()?.startUrl ?? null,
    ending: parts.ending.signal,
    trouble: parts.state.trouble,
    broken: () => parts.broken,
    stopped,
    unsettled: () => jobs.list().map(({ job, intake }) => ({ job, files: intake.waiting() })),
    async finished() {
      const { signal } = parts.ending;
      const all = jobs.list();
      const results = await Promise.all(all.map(async (one) => ({ job: one.job.name, finish: await one.finished(signal) })));
      // A source may only have waited for another job.
      await Promise.all(all.map((pipeline) => pipeline.removeDelivered()));
      return results;
    },
    async [Symbol.asyncDispose]() {
      askToEnd(parts, "the program is exiting");
      await stopped;
    },
  };
}

/** What is opened before anything runs, and closed last. */
interface Opened {
  readonly system: System;
  readonly lock: Lock;
  readonly events: EventStream;
  readonly progress: Progress;
  readonly cadence: Cadences;
  readonly ledger: Ledger;
  readonly hooks: Hooks;
  readonly work: WorkFolder;
  readonly pid: PidFile;
  readonly startedAt: number;
}

/** Null where another instance has the state directory. If it throws, whatever was opened is closed again. */
async function open({ stateDirectory, pidFile: path }: Settings, tools: DaemonTools, once: boolean): Promise<Opened | null> {
  const { system, listeners } = tools;
  const startedAt = system.now();
  const lock = await lockState(stateDirectory, system);
  if (lock === null) return null;
  const events = eventStream(() => system.now());
  const progress = trackProgress();
  for (const listener of [...listeners, progress.listen]) events.listen(listener);
  await using opening = new AsyncDisposableStack();
  opening.use(lock);
  const ledger = opening.use(tools.openLedger(
    stateDirectory,
    (message) => events.emit({ type: "notice", level: "warning", message }),
  ));
  if (!once) events.listen(noteAvailability(ledger));
  const cadence = cadences(ledger);
  events.listen(cadence.listen);
  const called = hooks({ system, ledger, emit: events.emit });
  events.listen(called.listen);
  await sweepState(stateDirectory, system, events.emit);
  const work = opening.use(await workFolder(stateDirectory, ledger.instance, system));
  const pid = opening.use(pidFile(system, events.emit));
  await pid.adopt(path);
  // From here on the daemon itself closes them when it stops.
  opening.move();
  return { system, lock, events, progress, cadence, ledger, hooks: called, work, pid, startedAt };
}

/** A listener that notes in the ledger when the daemon runs and how its destinations are. */
function noteAvailability(ledger: Ledger): (event: TransferEvent) => void {
  return (event) => {
    try {
      if (event.type === "started") ledger.noteRunning(event.at);
      else if (event.type === "destination") ledger.noteState(event.job, event.name, event.now.state, event.at);
      else if (event.type === "stopped") ledger.noteStopped(event.at);
    } catch (error) {
      // Why the ledger cannot be written is told once for all who write to it.
      if (!(error instanceof Failure)) throw error;
    }
  };
}

/** What one daemon consists of while it runs. */
interface Parts extends Opened, Pick<DaemonTools, "readSettings" | "adopt"> {
  readonly jobs: Pipelines;
  /** Aborted to ask for the end. */
  readonly ending: AbortController;
  /** Aborted when the jobs have stopped: commands are answered until then. */
  readonly closing: AbortController;
  /** Runs what must not run during a reload. */
  readonly inTurn: <T>(work: () => Promise<T>) => Promise<T>;
  readonly fleet: FleetView;
  readonly state: StateWatch;
  settings: Settings;
  broken: boolean;
  web: DaemonWeb | null;
  channel: ControlServer | null;
}

/** Makes these settings the current ones. */
async function apply(next: Settings, parts: Parts): Promise<void> {
  const { system, hooks, jobs, pid, ending } = parts;
  for (const note of next.notes) parts.events.emit({ type: "notice", level: "info", message: `Configuration: ${note}` });
  parts.settings = next;
  system.setBulkheads(localFolders(next.jobs, system));
  hooks.adopt(next);
  await Promise.all([parts.adopt?.(next), pid.adopt(next.pidFile)]);
  if (!ending.signal.aborted) await Promise.all([jobs.adopt(next), parts.web?.adopt(next)]);
}

async function reload(parts: Parts): Promise<{ ok: boolean; message: string }> {
  const { readSettings, settings, events: { emit } } = parts;
  if (readSettings === null) return { ok: false, message: "Cannot reload: the daemon was started without a configuration file" };
  let next: Settings;
  try {
    next = await readSettings();
    if (next.stateDirectory !== settings.stateDirectory) {
      throw new Failure("configuration", "Cannot change state_directory while running: restart the daemon");
    }
  } catch (error) {
    const { message } = failureRecord(error);
    emit({ type: "reload_refused", message });
    return { ok: false, message };
  }
  await apply(next, parts);
  emit({ type: "reloaded" });
  return { ok: true, message: "Configuration reloaded" };
}

/** Asks for the end of a daemon that should be started again. */
function breakDown(parts: Parts, reason: string): void {
  parts.broken = true;
  askToEnd(parts, reason);
}

function askToEnd({ ending, events }: Parts, reason: string): void {
  if (ending.signal.aborted) return;
  events.emit({ type: "stopping", reason });
  ending.abort();
}

/** Waits until it is asked to end, then stops the parts, those that others depend on last. */
async function stopWhenAsked(parts: Parts, watching: Promise<void>): Promise<void> {
  const { ending, closing, inTurn, jobs, web, hooks, channel, pid, work, events, ledger, lock } = parts;
  await aborted(ending.signal);
  // A reload under way ends first: it may be exchanging jobs.
  await inTurn(() => Promise.resolve());
  await Promise.all([jobs.stop(), web?.stop()]);
  await hooks.stop();
  closing.abort();
  await Promise.all([watching, channel?.finished]);
  try {
    await pid[Symbol.asyncDispose]();
    await work[Symbol.asyncDispose]();
  } catch (error) {
    events.emit({ type: "notice", level: "warning", message: `Cannot clean up: ${failureRecord(error).message}` });
  }
  events.emit({ type: "stopped" });
  ledger[Symbol.dispose]();
  await lock[Symbol.asyncDispose]();
}

/** What the page asks besides: events, the setup, other computers, and the checks. */
function askedByPage(parts: Parts, check: DaemonTools["check"]): Pick<PageSource, "listen" | "setup" | "others" | "check"> {
  const { events, ending } = parts;
  const log = setupLog();
  events.listen(log.listen);
  return {
    listen: events.listen,
    setup: () => ({ settings: parts.settings, reload: log.reload(), hookCall: log.hookCall }),
    others: pageFleet(() => parts.settings, parts.system, ending.signal),
    check: check === undefined ? null : () => check(parts.settings, ending.signal),
  };
}

/** Loaded at the first request: a daemon that nobody asks anything needs a third less memory of its own. */
function appWhenAsked(control: DaemonControl, source: PageSource | null, parts: Parts): HttpApp {
  const { system, ending } = parts;
  const onError = (error: unknown, listener: Origin["listener"]) => tellFailed(error, listener, parts);
  const make = async () => {
    const { httpApp } = await import("./control/http_app.ts");
    return httpApp({ control, source, system, onError }, ending.signal);
  };
  let app: Promise<HttpApp> | null = null;
  return { fetch: async (request, origin) => await (await (app ??= make())).fetch(request, origin) };
}

function tellFailed(error: unknown, listener: Origin["listener"], { events }: Parts): void {
  const message = `A request from ${listener === "commands" ? "a command" : "the page"} failed`;
  events.emit({ type: "notice", level: "error", message, error });
}

/** The channel for commands; null if it cannot listen: the daemon still delivers. */
async function openChannel(parts: Parts, http: HttpApp): Promise<ControlServer | null> {
  const { system, settings: { stateDirectory }, events: { emit }, closing } = parts;
  const onError = (error: unknown) => tellFailed(error, "commands", parts);
  const url = parts.web?.server()?.url ?? null;
  try {
    return await controlServer(http, { stateDirectory, version: VERSION, url, system, onError }, closing.signal);
  } catch (error) {
    const message = `Cannot listen for commands (status, stop, …), which need control.json: ${reasonOf(error)}`;
    emit({ type: "notice", level: "warning", message });
    return null;
  }
}
