/**
 * The daemon: one lock, one ledger, one corridor for each job, one event stream. It starts, reloads and stops
 * them, and answers the commands and the page.
 *
 * @module
 */
import { Failure, failureRecord } from "../domain/failure.ts";
import type { Job } from "../domain/job.ts";
import type { Settings } from "../domain/settings.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import { VERSION } from "../domain/version.ts";
import type { Ledger } from "../ledger/ledger.ts";
import { openLedger } from "../ledger/sqlite/open_ledger.ts";
import { forgetOrphans, oldestToSend, orphans } from "../ledger/orphans.ts";
import { localFolders } from "../methods/local/local_folders.ts";
import { methodNamed } from "../methods/methods.ts";
import { type EventStream, eventStream } from "../events/event_stream.ts";
import { followRunning } from "../events/running.ts";
import type { Waiting } from "../intake/settle/candidate.ts";
import type { Finish } from "./corridor.ts";
import { corridors } from "./corridors.ts";
import type { Outbox } from "../delivery/outbox.ts";
import { pidFile } from "./pid_file.ts";
import { lockState } from "../system/files/state_lock.ts";
import { workFolder } from "../delivery/work_folder.ts";
import type { System } from "../system/system.ts";
import { type ControlServer, controlServer } from "./control/control_server.ts";
import type { DaemonControl } from "../reports/daemon_control.ts";
import { daemonWeb } from "./daemon_web.ts";
import { givenUp } from "../reports/given_up.ts";
import { runningReport } from "./running_report.ts";

/** What a daemon is handed; `demo` and tests hand it others. */
export interface DaemonTools {
  readonly system: System;
  /** Reads the configuration again, for a reload; null where it does not come from a file. */
  readonly readSettings: (() => Promise<Settings>) | null;
  /** Hear every event from the first on. */
  readonly listeners: readonly ((event: TransferEvent) => void)[];
  /** Called with new settings before their jobs start: whoever else lives by them. */
  readonly adopt?: (settings: Settings) => Promise<void>;
}

/** How it runs. */
export interface DaemonOptions {
  /** Deliver what is there, then end: see {@linkcode Daemon.finished}. */
  readonly once?: boolean;
}

/** A daemon that runs. Disposing of it stops it as `stop` does, and waits for the end. */
export interface Daemon extends DaemonControl, AsyncDisposable {
  readonly ledger: Ledger;
  readonly events: EventStream;
  /** The address of the page with its token, for the start-up line; null without a page. Without the token where it is configured. */
  startUrl(): string | null;
  /** Aborted when somebody asked for the end. */
  readonly ending: AbortSignal;
  /** True when it ends because of an error of its own: it should be started again. */
  broken(): boolean;
  /** Resolves when everything has ended and the lock is free. */
  readonly stopped: Promise<void>;
  /** The files of each job that are not sent yet, as its intake tells them. */
  unsettled(): readonly { readonly job: Job; readonly files: readonly Waiting[] }[];
  /** With `once`: how it came out, per job, when nothing is left to do. */
  finished(): Promise<readonly { readonly job: string; readonly finish: Finish }[]>;
}

/**
 * Starts the daemon.
 *
 * @returns null when another instance holds the state directory.
 * @throws {Failure} when the state directory or the ledger cannot be used.
 */
export async function startDaemon(first: Settings, tools: DaemonTools, options: DaemonOptions = {}): Promise<Daemon | null> {
  const { system } = tools;
  let settings = first;
  const lock = await lockState(settings.stateDirectory, system);
  if (lock === null) return null;

  const events = eventStream(() => system.now());
  for (const listener of tools.listeners) events.listen(listener);
  const { emit } = events;
  const running = followRunning();
  events.listen(running.listen);
  const startedAt = system.now();
  const ending = new AbortController();
  const channel: { server: ControlServer | null; readonly end: AbortController } = { server: null, end: new AbortController() };
  let broken = false;
  await using opening = new AsyncDisposableStack();
  opening.use(lock);
  const ledger = openLedger(settings.stateDirectory, {
    onNotice: (message) => emit({ type: "notice", level: "warning", message }),
  });
  opening.use(ledger);
  const work = opening.use(await workFolder(settings.stateDirectory, ledger.instance, system));
  const pid = opening.use(pidFile(system, emit));
  await pid.adopt(settings.pidFile);
  // From here on the daemon itself closes them when it stops.
  opening.move();

  const web = options.once ? null : await daemonWeb({
    system,
    ledger,
    events,
    settings: () => settings,
    control: () => daemon,
    corridors: () => all.list(),
    startedAt,
    moved: (url) =>
      void channel.server?.announce(url).catch((error) =>
        emit({ type: "notice", level: "warning", message: `Cannot write control.json: ${failureRecord(error).message}` })
      ),
  });
  emit({ type: "started", version: VERSION, pid: system.pid });
  const all = corridors({
    system,
    ledger,
    emit,
    methodOf: ({ method }) => methodNamed(method),
    once: options.once ?? false,
    workFolder: work.path,
    spoolFolder: work.spoolPath,
    broken: () => {
      broken = true;
      end("an internal error");
    },
  });
  system.setBulkheads(localFolders(settings.jobs, system));
  await all.adopt(settings);

  let reloading: Promise<unknown> = Promise.resolve();

  async function reloadNow(): Promise<{ ok: boolean; message: string }> {
    if (tools.readSettings === null) return { ok: false, message: "There is no configuration file to reload" };
    let next: Settings;
    try {
      next = await tools.readSettings();
      if (next.stateDirectory !== settings.stateDirectory) {
        throw new Failure("configuration", "Cannot change state_directory while running: restart the daemon");
      }
    } catch (error) {
      const { message } = failureRecord(error);
      emit({ type: "reload_refused", message });
      return { ok: false, message };
    }
    settings = next;
    system.setBulkheads(localFolders(next.jobs, system));
    await Promise.all([tools.adopt?.(next), pid.adopt(next.pidFile)]);
    if (!ending.signal.aborted) await Promise.all([all.adopt(next), web?.adopt(next)]);
    emit({ type: "reloaded" });
    return { ok: true, message: "Configuration reloaded" };
  }

  function end(reason: string): void {
    if (ending.signal.aborted) return;
    emit({ type: "stopping", reason });
    ending.abort();
  }

  const stopped = (async () => {
    await new Promise<void>((resolve) => ending.signal.addEventListener("abort", () => resolve(), { once: true }));
    await reloading;
    await Promise.all([all.stop(), web?.stop()]);
    channel.end.abort();
    await channel.server?.finished;
    await tidyUp();
    emit({ type: "stopped" });
    ledger[Symbol.dispose]();
    await lock[Symbol.asyncDispose]();
  })();

  async function tidyUp(): Promise<void> {
    try {
      await pid[Symbol.asyncDispose]();
      await work[Symbol.asyncDispose]();
    } catch (error) {
      emit({ type: "notice", level: "warning", message: `Cannot clean up: ${failureRecord(error).message}` });
    }
  }

  const chosen = (name: string | null): Outbox[] => {
    const found = all.outboxes().filter(({ destination }) => name === null || destination.name === name);
    if (found.length > 0 || name === null) return found;
    throw unknownName("destination", name, all.outboxes().map(({ destination }) => destination.name));
  };
  const names = (boxes: readonly Outbox[]) => [...new Set(boxes.map(({ destination }) => destination.name))];

  const daemon: Daemon = {
    settings: () => settings,
    ledger,
    events,
    startUrl: () => web?.server()?.startUrl ?? null,
    opening: () => web?.server()?.opening() ?? null,
    ending: ending.signal,
    broken: () => broken,
    stopped,
    status: () =>
      runningReport(
        { pid: system.pid, version: VERSION, startedAt, url: web?.server()?.url ?? null, configuration: settings.file },
        all.list(),
        ledger,
      ),
    live: () => ({
      running: running.running(system.now()),
      ending: running.running(system.now()).filter(({ job }) => all.ending().includes(job)),
      oldestWaiting: oldestToSend(ledger, settings.jobs),
      givenUp: givenUp(all.list()),
      orphans: orphans(ledger, settings.jobs),
    }),
    stop: end,
    async reload() {
      const turn = reloading.then(reloadNow);
      reloading = turn.catch(() => undefined);
      return await turn;
    },
    sync(name) {
      const wanted = all.list().filter(({ job }) => name === undefined || job.name === name);
      if (wanted.length === 0 && name !== undefined) throw unknownName("job", name, all.list().map(({ job }) => job.name));
      for (const { intake, job, wake } of wanted) {
        intake.scanNow().catch((error) => {
          emit({
            type: "notice",
            level: "error",
            message: `Cannot list the folder of ${job.name}: ${failureRecord(error).message}`,
            error,
          });
        });
        wake();
      }
      return wanted.map(({ job }) => job.name);
    },
    retry(ids) {
      const count = ledger.requeue(ids, system.now());
      for (const { wake } of all.list()) wake();
      // Who says that all is to be tried again means the destinations too.
      if (ids === null) all.outboxes().forEach((box) => box.probe());
      return count;
    },
    sendAgain(ids) {
      const queued = ledger.sendAgain(ids, system.now());
      for (const { wake } of all.list()) wake();
      return queued;
    },
    pause(name, by) {
      const boxes = chosen(name);
      for (const box of boxes) box.pause(by);
      return names(boxes);
    },
    markGone: (ids, reason) => ledger.markGone(ids, reason, system.now()),
    async resume(name, former) {
      const boxes = chosen(name);
      const undecided: { destination: string; images: number }[] = [];
      for (const box of boxes) {
        const other = name === null ? null : box.otherDisk();
        if (former === "ask" && other !== null && other.images > 0) {
          undecided.push({ destination: box.destination.name, images: other.images });
        }
        const decided = former === "ask" ? other?.images === 0 ? "keep" : undefined : former;
        await box.resume(name === null ? undefined : decided);
      }
      for (const { wake } of all.list()) wake();
      return { names: names(boxes), undecided };
    },
    // Behind a reload: what it takes away is in hand until then.
    forget: (name) => reloading.then(() => forgetOrphans(ledger, settings.jobs, name, system.now())),
    unsettled: () => all.list().map(({ job, intake }) => ({ job, files: intake.waiting() })),
    finished: () =>
      Promise.all(all.list().map(async ({ job, finished }) => ({ job: job.name, finish: await finished(ending.signal) }))),
    async [Symbol.asyncDispose]() {
      end("the program is exiting");
      await stopped;
    },
  };
  await web?.adopt(settings);
  await openChannel();
  return daemon;

  /** The channel for commands. Without it the daemon delivers all the same. */
  async function openChannel(): Promise<void> {
    const onError = (error: unknown) =>
      emit({ type: "notice", level: "error", message: "A request from a command failed", error });
    const { stateDirectory } = settings;
    try {
      channel.server = await controlServer(
        daemon,
        { stateDirectory, version: VERSION, url: web?.server()?.url ?? null, system, onError },
        channel.end.signal,
      );
    } catch (error) {
      const message = `Cannot listen for commands (status, stop, …): ${failureRecord(error).message}`;
      emit({ type: "notice", level: "warning", message });
    }
  }
}

function unknownName(what: string, name: string, known: readonly string[]): Failure {
  return new Failure("configuration", `There is no ${what} "${name}"`, { hint: `There are: ${[...new Set(known)].join(", ")}.` });
}
