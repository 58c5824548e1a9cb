/**
 * The pipelines of all jobs: started, exchanged when the configuration changes, and stopped together. Destinations
 * on one host share a breaker; where `max_concurrent_syncs` is set, all destinations share that many places to send.
 */
import { counted } from "../domain/words.ts";
import { join } from "@std/path";
import { type Destination, type Job, loginOf, serverOf, type Settings } from "../config/settings.ts";
import { bandwidth } from "../methods/bandwidth.ts";
import type { Method } from "../methods/method.ts";
import { dryPipeline, mayShare, type Pipeline, pipeline, type PipelineTools } from "./pipeline.ts";
import { type Breaker, circuitBreaker } from "../delivery/breaker.ts";
import type { OutboxOptions } from "../delivery/destination_context.ts";
import { loopGuard } from "./loop_guard.ts";
import type { Outbox } from "../delivery/outbox.ts";
import type { Progress } from "../events/progress.ts";
import { within } from "../async/deadline.ts";
import { groupSemaphore } from "../async/semaphore.ts";

const MOST_BATCH_FILES = 1000;

/** Time for sweeping and closing, in addition to the time for what is in flight. */
const TIDYING_MS = 30_000;

/** Settings that all jobs use: a change restarts all. */
const COMMON = ["maxConcurrentSyncs", "maxFileOperations", "syncQueueSize", "shutdownTimeoutMs"] as const;

export interface PipelinesTools extends Pick<PipelineTools, "system" | "ledger" | "emit" | "once"> {
  readonly methodOf: (destination: Destination) => Pick<Method, "connect">;
  /** A folder on this side, for links. */
  readonly workFolder: string;
  /** The same on a disk, for what is large. */
  readonly diskFolder: string;
  readonly progress: Pick<Progress, "transfers">;
  readonly broken: () => void;
}

interface Running {
  readonly pipeline: Pipeline;
  readonly stop: AbortController;
  readonly over: Promise<void>;
  /** How long its transfers may take to finish: as it was configured when it was started. */
  readonly shutdownTimeoutMs: number;
}

export type Pipelines = ReturnType<typeof pipelines>;

/** The pipelines that run now; none before `adopt`. */
export function pipelines(tools: PipelinesTools) {
  const { system, ledger, emit } = tools;
  const running = new Map<string, Running>();
  let settings: Settings | null = null;
  const jobsNow = () => settings?.jobs ?? [];
  const loops = loopGuard(jobsNow, system);
  /** One for each account on a host, so that a login refused to one does not stop the others; a local destination has its own. */
  const breakers = new Map<string, Breaker>();
  /** One for each destination of a job: all of them keep the limits together. */
  const paceFor = bandwidth(jobsNow, system);
  let concurrentSyncsOf = groupSemaphore(Infinity);

  async function adopt(next: Settings): Promise<void> {
    const before = settings;
    const isCommon = before !== null && COMMON.every((key) => before[key] === next[key]);
    if (!isCommon) concurrentSyncsOf = groupSemaphore(next.maxConcurrentSyncs ?? Infinity);
    settings = next;
    const isKept = (job: Job) => isCommon && JSON.stringify(job) === JSON.stringify(running.get(job.name)?.pipeline.job);
    const kept = next.jobs.filter(isKept).map(({ name }) => name);
    const exchanged = [...running.keys()].filter((name) => !kept.includes(name));
    tellWaiting(exchanged);
    await Promise.all(exchanged.map(async (name) => {
      const former = running.get(name)?.pipeline;
      await stop(name, next);
      // At once: a job whose transfers take long to finish must not delay the others.
      const job = next.jobs.find((job) => job.name === name);
      if (job === undefined) return;
      const pipeline = start(job, next);
      if (former === undefined) return;
      // What a person has asked the former one for is not forgotten; another schedule says itself when it sends.
      const isSame = JSON.stringify(former.job.schedule) === JSON.stringify(job.schedule);
      if (isSame && former.owesRun()) pipeline.sendNow();
      const owing = new Set(former.outboxes.filter((box) => box.owesAudit()).map(({ destination }) => destination.name));
      for (const box of pipeline.outboxes) if (owing.has(box.destination.name)) box.audit();
    }));
    // An account that is configured again later must not find its old breaker.
    const used = new Set(next.jobs.flatMap(({ destinations }) => destinations.map(accountKey)));
    for (const key of breakers.keys()) if (!used.has(key)) breakers.delete(key);
    for (const job of next.jobs) if (!running.has(job.name)) start(job, next);
    if (before !== null && watchedFolders(before) !== watchedFolders(next)) {
      // A destination that led to no watched folder may lead to one now.
      for (const name of kept) {
        loops.forget(name);
        for (const box of running.get(name)?.pipeline.outboxes ?? []) box.attachAgain();
      }
    }
    // A map keeps the order of insertion.
    const ordered = next.jobs.flatMap(({ name }) => running.get(name) ?? []);
    running.clear();
    for (const one of ordered) running.set(one.pipeline.job.name, one);
  }

  /** A reload may take as long as running transfers get to finish: that must not look like a daemon that hangs. */
  function tellWaiting(names: readonly string[]): void {
    const transfers = tools.progress.transfers().filter(({ delivery }) => names.includes(delivery.source.job));
    if (transfers.length === 0) return;
    const files = counted(transfers.length, "file");
    const most = Math.round(Math.max(...names.map((name) => running.get(name)?.shutdownTimeoutMs ?? 0)) / 1000);
    const jobs = names.join(", ");
    const message = `Reloading: finishing ${files} of ${jobs}, which may take up to ${most} s; the rest resumes afterwards`;
    emit({ type: "notice", level: "info", message });
  }

  function start(job: Job, settings: Settings): Pipeline {
    const stop = new AbortController();
    loops.forget(job.name);
    const pipelineOf = job.dryRun ? dryPipeline : pipeline;
    const made = pipelineOf(job, {
      ...tools,
      outboxOptions: (destination) => outboxOptions(job, destination, settings),
      jobs: jobsNow,
      // Sources that only waited for this job may be removed by others now.
      delivered(job) {
        for (const { pipeline } of running.values()) if (mayShare(job, pipeline.job, system)) void pipeline.removeDelivered();
      },
    });
    const over = made.run(stop.signal).catch((error) => {
      emit({ type: "notice", level: "error", message: `Job ${job.name} stopped after an internal error`, error });
      tools.broken();
    });
    running.set(job.name, { pipeline: made, stop, over, shutdownTimeoutMs: settings.shutdownTimeoutMs });
    return made;
  }

  /** `next`: the settings that follow; null when the program ends. */
  async function stop(name: string, next: Settings | null): Promise<void> {
    const job = running.get(name);
    if (!job) return;
    const stay = next === null ? null : new Set(next.jobs.flatMap(({ destinations }) => destinations.map(placeKey)));
    for (const box of job.pipeline.outboxes) if (stay?.has(placeKey(box.destination)) === false) box.abandonParts();
    job.stop.abort();
    const late = "late";
    if (await within(job.over, job.shutdownTimeoutMs + TIDYING_MS, system, late) === late) {
      // A call to a dead network disk never returns and cannot be cancelled: the next start picks up its deliveries.
      const message = `Job ${name} did not stop: a disk is not responding. Abandoning it`;
      emit({ type: "notice", level: "warning", message });
    }
    running.delete(name);
  }

  function outboxOptions(job: Job, destination: Destination, settings: Settings): OutboxOptions {
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
      once: tools.once,
      loops,
      hostBreaker,
      concurrentSyncs: concurrentSyncsOf(),
      method: tools.methodOf(destination),
      methodContext: {
        system,
        // Of its own for each destination: two that share a folder must not sweep each other's files.
        stagingRoot: `.image-transfer-${ledger.instance}-${key}`,
        workFolder: join(tools.workFolder, key),
        diskFolder: join(tools.diskFolder, key),
        log: (level, message) => emit({ type: "notice", level, message: `${destination.name}: ${message}` }),
        logIn: hostBreaker.enter,
        pace: paceFor(destination),
      },
      shutdownTimeoutMs: settings.shutdownTimeoutMs,
      fileOperations: settings.maxFileOperations,
      batchFiles: Math.min(settings.syncQueueSize, MOST_BATCH_FILES),
    };
  }

  return {
    list: (): Pipeline[] => [...running.values()].map(({ pipeline }) => pipeline),
    outboxes: (): Outbox[] => [...running.values()].flatMap(({ pipeline }) => [...pipeline.outboxes]),
    /** The jobs that were asked to end and have not yet. */
    ending: (): readonly string[] => [...running].filter(([, { stop }]) => stop.signal.aborted).map(([name]) => name),
    /** Makes these settings' jobs the running ones. Unchanged jobs are not interrupted. */
    adopt,
    /** Stops all; one whose disk does not respond is abandoned 30 s after the shutdown time-out, with a warning. */
    async stop(): Promise<void> {
      await Promise.all([...running.keys()].map((name) => stop(name, null)));
    },
  };
}

function watchedFolders({ jobs }: Settings): string {
  return JSON.stringify(jobs.map(({ name, watchPath }) => [name, watchPath]));
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
