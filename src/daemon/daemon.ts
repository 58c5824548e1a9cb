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
import { pipelines } from "./pipelines.ts";
import { lockState } from "../system/files/lock.ts";
import { type PidFile, pidFile, stateWatch, sweepState, type WorkFolder, workFolder } from "./state_directory.ts";
import type { Lock, System } from "../system/system.ts";
import { type ControlServer, controlServer } from "./control/control_server.ts";
import type { DaemonControl } from "../reports/daemon_control.ts";
import type { HttpApp, Origin } from "./control/http_app.ts";
import { type DaemonWeb, daemonWeb, pageSource, setupLog } from "./daemon_web.ts";
import type { CheckFinding, PageSource } from "../reports/page_source.ts";
import { fleetView, pageFleet } from "./fleet_view.ts";
import { runningControl, runningState } from "./running.ts";

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
  const { system, ledger, events, progress, hooks, work, pid, lock } = opened;
  const { readSettings, check, adopt, methodNamed: method = methodNamed } = tools;
  const { emit } = events;
  let settings = first;
  let broken = false;
  let web: DaemonWeb | null = null;
  let channel: ControlServer | null = null;
  const ending = new AbortController();
  /** Aborted when the jobs have stopped: commands are answered until then. */
  const closing = new AbortController();
  /** Runs what must not run during a reload. */
  const inTurn = mutex();
  const jobs = pipelines({
    system,
    ledger,
    emit,
    methodOf: ({ transport }) => ({ connect: async (...asked) => (await method(transport.method)).connect(...asked) }),
    once,
    progress,
    workFolder: work.path,
    diskFolder: work.onDisk,
    broken: () => breakDown("an internal error"),
  });
  const fleet = fleetView(events, () => settings.pocketbase?.url ?? null, system);
  const watch = stateWatch({
    ...opened,
    emit,
    stateDirectory: first.stateDirectory,
    once,
    end: ({ message }) => breakDown(message),
  });
  const running = {
    ...{ ...opened, jobs, fleet, inTurn, state: watch },
    settings: () => settings,
    page: () => web?.server() ?? null,
  };
  const state = runningState(running);
  const control = runningControl(running, state, {
    stop: askToEnd,
    reload: () => inTurn(reload),
    async acceptRemoved(job) {
      const { acceptRemoved } = await import("../fleet/jobs_of_server.ts");
      const names = await acceptRemoved(job, settings, system);
      if (names.length > 0) await inTurn(reload);
      return names;
    },
  });
  const source = once ? null : pageSource(state, control, askedByPage());
  /** Loaded at the first request: a daemon that nobody asks anything needs a third less memory of its own. */
  let app: Promise<HttpApp> | null = null;
  const makeApp = async () => {
    const { httpApp } = await import("./control/http_app.ts");
    return httpApp({ control, source, system, onError: tellFailed }, ending.signal);
  };
  const http: HttpApp = { fetch: async (request, origin) => await (await (app ??= makeApp())).fetch(request, origin) };
  if (source !== null) {
    const moved = (url: string | null) =>
      channel?.announce(url).catch((error) => {
        emit({ type: "notice", level: "warning", message: `Cannot write control.json: ${failureRecord(error).message}` });
      });
    web = await daemonWeb({ ...running, source, http, moved });
  }
  emit({ type: "started", version: VERSION, pid: system.pid });
  await apply(first);
  channel = await openChannel();
  const stopped = stopWhenAsked(watch.run(ending.signal));

  /** Makes these settings the current ones. */
  async function apply(next: Settings): Promise<void> {
    for (const note of next.notes) emit({ type: "notice", level: "info", message: `Configuration: ${note}` });
    settings = next;
    system.setBulkheads(localFolders(next.jobs, system));
    hooks.adopt(next);
    await Promise.all([adopt?.(next), pid.adopt(next.pidFile)]);
    if (!ending.signal.aborted) await Promise.all([jobs.adopt(next), web?.adopt(next)]);
  }

  async function reload(): Promise<{ ok: boolean; message: string }> {
    if (readSettings === null) {
      return { ok: false, message: "Cannot reload: the daemon was started without a configuration file" };
    }
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
    await apply(next);
    emit({ type: "reloaded" });
    return { ok: true, message: "Configuration reloaded" };
  }

  /** Asks for the end of a daemon that should be started again. */
  function breakDown(reason: string): void {
    broken = true;
    askToEnd(reason);
  }

  function askToEnd(reason: string): void {
    if (ending.signal.aborted) return;
    emit({ type: "stopping", reason });
    ending.abort();
  }

  /** Waits until it is asked to end, then stops the parts, those that others depend on last. */
  async function stopWhenAsked(watching: Promise<void>): Promise<void> {
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
      emit({ type: "notice", level: "warning", message: `Cannot clean up: ${failureRecord(error).message}` });
    }
    emit({ type: "stopped" });
    ledger[Symbol.dispose]();
    await lock[Symbol.asyncDispose]();
  }

  /** What the page asks besides: events, the setup, other computers, and the checks. */
  function askedByPage(): Pick<PageSource, "listen" | "setup" | "others" | "check"> {
    const log = setupLog();
    events.listen(log.listen);
    return {
      listen: events.listen,
      setup: () => ({ settings, reload: log.reload(), hookCall: log.hookCall }),
      others: pageFleet(() => settings, system, ending.signal),
      check: check === undefined ? null : () => check(settings, ending.signal),
    };
  }

  function tellFailed(error: unknown, listener: Origin["listener"]): void {
    const message = `A request from ${listener === "commands" ? "a command" : "the page"} failed`;
    emit({ type: "notice", level: "error", message, error });
  }

  /** The channel for commands; null if it cannot listen: the daemon still delivers. */
  async function openChannel(): Promise<ControlServer | null> {
    const { stateDirectory } = settings;
    const onError = (error: unknown) => tellFailed(error, "commands");
    const url = web?.server()?.url ?? null;
    try {
      return await controlServer(http, { stateDirectory, version: VERSION, url, system, onError }, closing.signal);
    } catch (error) {
      const message = `Cannot listen for commands (status, stop, …), which need control.json: ${reasonOf(error)}`;
      emit({ type: "notice", level: "warning", message });
      return null;
    }
  }

  return {
    ...control,
    ledger,
    events,
    fleetAsked: fleet.asked,
    startUrl: () => web?.server()?.startUrl ?? null,
    ending: ending.signal,
    trouble: watch.trouble,
    broken: () => broken,
    stopped,
    unsettled: () => jobs.list().map(({ job, intake }) => ({ job, files: intake.waiting() })),
    async finished() {
      const all = jobs.list();
      const results = await Promise.all(
        all.map(async (one) => ({ job: one.job.name, finish: await one.finished(ending.signal) })),
      );
      // A source may only have waited for another job.
      await Promise.all(all.map((pipeline) => pipeline.removeDelivered()));
      return results;
    },
    async [Symbol.asyncDispose]() {
      askToEnd("the program is exiting");
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
