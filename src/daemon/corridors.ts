/**
 * The corridors of all jobs: started, exchanged when the configuration changes, and stopped together. Destinations
 * on one host share a breaker; where `max_concurrent_syncs` is set, all destinations share that many places to send.
 *
 * @module
 */
import { counted } from "../domain/names/counted.ts";
import { join } from "@std/path";
import { type Destination, type Job, loginOf, serverOf, type Settings } from "../config/settings.ts";
import type { Pace } from "../async/pace.ts";
import { bandwidth } from "../methods/bandwidth.ts";
import type { Method } from "../methods/method.ts";
import { type Corridor, corridor, type CorridorTools } from "./corridor.ts";
import { dryCorridor } from "./dry_corridor.ts";
import { type Breaker, circuitBreaker } from "../delivery/breaker.ts";
import type { OutboxOptions } from "../delivery/destination_context.ts";
import { mayShare } from "./other_jobs.ts";
import { type LoopGuard, loopGuard } from "./loop_guard.ts";
import type { Outbox } from "../delivery/outbox.ts";
import type { Progress } from "../events/progress.ts";
import { within } from "../async/deadline.ts";
import { groupSemaphore, type Semaphore } from "../async/semaphore.ts";

/** What all corridors share. */
export interface CorridorsTools extends Pick<CorridorTools, "system" | "ledger" | "emit" | "once"> {
  readonly methodOf: (destination: Destination) => Pick<Method, "connect">;
  /** A folder on this side, for links. */
  readonly workFolder: string;
  /** The same on a disk, for what is large. */
  readonly diskFolder: string;
  readonly progress: Pick<Progress, "transfers">;
  /** Called when a corridor ended because of an internal error. */
  readonly broken: () => void;
}

/** The corridors that run now. */
export interface Corridors {
  list(): Corridor[];
  outboxes(): Outbox[];
  /** The jobs that were asked to end and have not yet. */
  ending(): readonly string[];
  /** Makes these settings' jobs the running ones. Unchanged jobs are not interrupted. */
  adopt(settings: Settings): Promise<void>;
  /** Stops all; one whose disk does not respond is abandoned 30 s after the shutdown time-out, with a warning. */
  stop(): Promise<void>;
}

/** None runs before {@linkcode Corridors.adopt}. */
export function corridors(tools: CorridorsTools): Corridors {
  const running = new Map<string, Running>();
  const state: State = {
    ...tools,
    running,
    loops: loopGuard(() => state.settings?.jobs ?? [], tools.system),
    breakers: new Map(),
    paceFor: bandwidth(() => state.settings?.jobs ?? [], tools.system),
    concurrentSyncsOf: groupSemaphore(Infinity),
    settings: null,
  };
  return {
    list: () => [...running.values()].map(({ corridor }) => corridor),
    outboxes: () => [...running.values()].flatMap(({ corridor }) => [...corridor.outboxes]),
    ending: () => [...running].filter(([, { stop }]) => stop.signal.aborted).map(([name]) => name),
    adopt: (settings) => adopt(settings, state),
    async stop() {
      await Promise.all([...running.keys()].map((name) => stop(name, null, state)));
    },
  };
}

interface Running {
  readonly corridor: Corridor;
  readonly stop: AbortController;
  readonly over: Promise<void>;
  /** How long its transfers may take to finish: as it was configured when it was started. */
  readonly shutdownTimeoutMs: number;
}

interface State extends CorridorsTools {
  /** By job, in the order of the configuration. */
  readonly running: Map<string, Running>;
  readonly loops: LoopGuard;
  /** One for each account on a host, so that a login refused to one does not stop the others; a local destination has its own. */
  readonly breakers: Map<string, Breaker>;
  /** One for each destination of a job: all of them keep the limits together. */
  readonly paceFor: (destination: Destination) => Pace;
  concurrentSyncsOf: () => Semaphore;
  settings: Settings | null;
}

async function adopt(next: Settings, state: State): Promise<void> {
  const { running, settings: before } = state;
  const common = before !== null && COMMON.every((key) => before[key] === next[key]);
  if (!common) state.concurrentSyncsOf = groupSemaphore(next.maxConcurrentSyncs ?? Infinity);
  state.settings = next;
  const kept = next.jobs.filter((job) => common && same(job, running.get(job.name)?.corridor.job)).map(({ name }) => name);
  const exchanged = [...running.keys()].filter((name) => !kept.includes(name));
  tellWaiting(exchanged, state);
  await Promise.all(exchanged.map(async (name) => {
    const former = running.get(name)?.corridor;
    await stop(name, next, state);
    // At once: a job whose transfers take long to finish must not delay the others.
    const job = next.jobs.find((job) => job.name === name);
    if (job === undefined) return;
    start(job, next, state);
    const corridor = running.get(name)?.corridor;
    if (former !== undefined && corridor !== undefined) passOn(former, corridor);
  }));
  // An account that is configured again later must not find its old breaker.
  const used = new Set(next.jobs.flatMap(({ destinations }) => destinations.map(accountKey)));
  for (const key of state.breakers.keys()) if (!used.has(key)) state.breakers.delete(key);
  for (const job of next.jobs) if (!running.has(job.name)) start(job, next, state);
  if (before !== null && watchedFolders(before) !== watchedFolders(next)) attachAgain(kept, state);
  // A map keeps the order of insertion.
  const ordered = next.jobs.flatMap(({ name }) => running.get(name) ?? []);
  running.clear();
  for (const one of ordered) running.set(one.corridor.job.name, one);
}

/** What a person has asked the former one for is not forgotten. */
function passOn(former: Corridor, next: Corridor): void {
  // Another schedule says itself when it sends.
  const isSame = JSON.stringify(former.job.schedule) === JSON.stringify(next.job.schedule);
  if (isSame && former.owesRun()) next.sendNow();
  const owing = new Set(former.outboxes.filter((box) => box.owesAudit()).map(({ destination }) => destination.name));
  for (const box of next.outboxes) if (owing.has(box.destination.name)) box.audit();
}

function start(job: Job, settings: Settings, state: State): void {
  const { running, loops, emit } = state;
  const stop = new AbortController();
  loops.forget(job.name);
  const made = (job.dryRun ? dryCorridor : corridor)(job, {
    ...state,
    outboxOptions: (destination) => outboxOptions(job, destination, settings, state),
    jobs: () => state.settings?.jobs ?? [],
    delivered: (job) => removeShared(job, state),
  });
  const over = made.run(stop.signal).catch((error) => {
    emit({ type: "notice", level: "error", message: `Job ${job.name} stopped after an internal error`, error });
    state.broken();
  });
  running.set(job.name, { corridor: made, stop, over, shutdownTimeoutMs: settings.shutdownTimeoutMs });
}

/** Sources that only waited for this job may be removed by others now. */
function removeShared(job: Job, { running, system }: State): void {
  for (const { corridor } of running.values()) if (mayShare(job, corridor.job, system)) void corridor.removeDelivered();
}

/** `next`: the settings that follow; null when the program ends. */
async function stop(name: string, next: Settings | null, { running, system, emit }: State): Promise<void> {
  const job = running.get(name);
  if (!job) return;
  const stay = next === null ? null : new Set(next.jobs.flatMap(({ destinations }) => destinations.map(placeKey)));
  for (const box of job.corridor.outboxes) if (stay?.has(placeKey(box.destination)) === false) box.abandonParts();
  job.stop.abort();
  const late = "late";
  if (await within(job.over, job.shutdownTimeoutMs + TIDYING_MS, system, late) === late) {
    // A call to a dead network disk never returns and cannot be cancelled: the next start picks up its deliveries.
    const message = `Job ${name} did not stop: a disk is not responding. Abandoning it`;
    emit({ type: "notice", level: "warning", message });
  }
  running.delete(name);
}

/** A reload may take as long as running transfers get to finish: that must not look like a daemon that hangs. */
function tellWaiting(names: readonly string[], { progress, running, emit }: State): void {
  const transfers = progress.transfers().filter(({ delivery }) => names.includes(delivery.source.job));
  if (transfers.length === 0) return;
  const files = counted(transfers.length, "file");
  const most = Math.round(Math.max(...names.map((name) => running.get(name)?.shutdownTimeoutMs ?? 0)) / 1000);
  const jobs = names.join(", ");
  const message = `Reloading: finishing ${files} of ${jobs}, which may take up to ${most} s; the rest resumes afterwards`;
  emit({ type: "notice", level: "info", message });
}

/** A destination that led to no watched folder may lead to one now. */
function attachAgain(names: readonly string[], { running, loops }: State): void {
  for (const name of names) {
    loops.forget(name);
    for (const box of running.get(name)?.corridor.outboxes ?? []) box.attachAgain();
  }
}

/** What the outbox of a destination is handed. */
function outboxOptions(job: Job, destination: Destination, settings: Settings, state: State): OutboxOptions {
  const { system, ledger, emit, breakers } = state;
  const account = accountKey(destination);
  const hostBreaker = breakers.get(account) ?? circuitBreaker(system);
  breakers.set(account, hostBreaker);
  const key = shortHash(`${destination.job}\0${destination.name}`);
  return {
    job,
    destination,
    system,
    ledger,
    emit,
    once: state.once,
    loops: state.loops,
    hostBreaker,
    concurrentSyncs: state.concurrentSyncsOf(),
    method: state.methodOf(destination),
    methodContext: {
      system,
      // Of its own for each destination: two that share a folder must not sweep each other's files.
      stagingRoot: `.image-transfer-${ledger.instance}-${key}`,
      workFolder: join(state.workFolder, key),
      diskFolder: join(state.diskFolder, key),
      log: (level, message) => emit({ type: "notice", level, message: `${destination.name}: ${message}` }),
      logIn: hostBreaker.enter,
      pace: state.paceFor(destination),
    },
    shutdownTimeoutMs: settings.shutdownTimeoutMs,
    fileOperations: settings.maxFileOperations,
    batchFiles: Math.min(settings.syncQueueSize, MOST_BATCH_FILES),
  };
}

const MOST_BATCH_FILES = 1000;

/** Time for sweeping and closing, in addition to the time for what is in flight. */
const TIDYING_MS = 30_000;

/** Settings that all jobs use: a change restarts all. */
const COMMON = ["maxConcurrentSyncs", "maxFileOperations", "syncQueueSize", "shutdownTimeoutMs"] as const;

function watchedFolders({ jobs }: Settings): string {
  return JSON.stringify(jobs.map(({ name, watchPath }) => [name, watchPath]));
}

function same(a: Job, b: Job | undefined): boolean {
  return b !== undefined && JSON.stringify(a) === JSON.stringify(b);
}

/** FNV-1a, 32 bits, in base 36: only to give each destination a name of its own. */
function shortHash(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193) >>> 0;
  return hash.toString(36);
}

/** The same for a destination where only the way of sending changed: its partial files are resumed. */
function placeKey({ job, name, transport, basePath }: Destination): string {
  const { user, port } = loginOf(transport) ?? { user: null, port: null };
  return JSON.stringify([job, name, serverOf(transport), user, port, basePath]);
}

function accountKey({ job, name, transport }: Destination): string {
  const login = loginOf(transport);
  return login === null ? `local ${job}/${name}` : `${login.user ?? ""}@${login.host.toLowerCase()}:${login.port ?? ""}`;
}
