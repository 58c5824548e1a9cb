/**
 * Keeps an eye on one watched folder: by events where they come, by polling elsewhere, and over again when the
 * folder was away, unmounted or made anew. Hints only; what is true is found by listing.
 *
 * @module
 */
import { anySignal } from "../../async/abort.ts";
import { Failure, type FailureRecord, failureRecord } from "../../domain/failure.ts";
import type { Job } from "../../domain/job.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import { faultOf } from "../../system/fault.ts";
import type { Platform, System, WatchHint } from "../../system/system.ts";
import { isDeep } from "../patterns.ts";
import { isRemoteFolder } from "./remote_folder.ts";

/** The part of the system that watching needs. */
export type WatchSystem = Pick<
  System,
  "watch" | "followedFacts" | "realPath" | "run" | "platform" | "sleep" | "monotonic"
>;

/** Who listens. */
export interface WatchListener {
  /** Something may have changed at these absolute paths. */
  hint(kind: WatchHint["kind"], paths: readonly string[]): void;
  /** The watch was just set, or lost track: everything must be listed. `anew`: another folder stands there now. */
  lost(anew: boolean): void;
}

/** The watch over one folder. */
export interface JobWatch {
  /** Watches until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** How it watches now; null while the folder cannot be watched. */
  how(): "events" | "poll" | null;
  /** Why the folder cannot be watched; null while it is. */
  failure(): FailureRecord | null;
  /** Something came, this path for example, that no event told of: where `watch_mode` is `auto`, the folder is polled from now on. */
  distrust(path: string): void;
  /** Whether events are known not to tell of all that happens here. */
  silent(): boolean;
}

/** Nothing is watched before `run`; then `listener` is called, by events or not at all while the folder is polled. */
export function watchJob(job: Job, tools: { system: WatchSystem; emit: Emit }, listener: WatchListener): JobWatch {
  const { system, emit } = tools;
  const folder = job.watchPath;
  let how: "events" | "poll" | null = null;
  let failure: FailureRecord | null = null;
  let watched: string | null = null;
  let asked: { readonly looking: ReturnType<WatchSystem["followedFacts"]>; readonly at: number } | null = null;
  let patienceMs = PATIENCE_MS;
  /** The folder whose events are not trusted. */
  let distrusted: string | null = null;
  let following = new AbortController();
  let polledFor = "";

  const watching = (by: "events" | "poll", identity: string) => {
    if (how !== by || failure !== null) emit({ type: "watching", job: job.name, folder, how: by });
    how = by;
    failure = null;
    const anew = watched !== null && watched !== identity;
    watched = identity;
    listener.lost(anew);
  };
  const notWatching = (why: FailureRecord) => {
    if (failure?.message !== why.message) emit({ type: "not_watching", job: job.name, folder, failure: why });
    how = null;
    failure = why;
  };

  async function run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      let identity: string;
      try {
        identity = await rootIdentity(signal);
      } catch (error) {
        if (signal.aborted) return;
        notWatching(failureRecord(error));
        await system.sleep(ROOT_AGAIN_MS, signal);
        continue;
      }
      if (
        job.watchMode === "poll" || distrusted === identity || (job.watchMode === "auto" && await isRemoteFolder(folder, system))
      ) {
        await poll(identity, Infinity, signal);
      } else {
        await followEvents(identity, signal);
      }
    }
  }

  async function followEvents(identity: string, signal: AbortSignal): Promise<void> {
    const begun = system.monotonic();
    following = new AbortController();
    using end = anySignal(signal, following.signal);
    try {
      for await (const { kind, paths } of system.watch(folder, isDeep(job), end.signal)) {
        if (how !== "events") watching("events", identity);
        else if (paths.length === 0) listener.lost(false);
        if (paths.length > 0) listener.hint(kind, paths);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (faultOf(error) !== "not_found") return await pollInstead(identity, error, signal);
    }
    if (distrusted === identity) return;
    how = null;
    // A watch that ends as soon as it is set must not become a busy loop.
    if (system.monotonic() - begun < ROOT_AGAIN_MS) await system.sleep(ROOT_AGAIN_MS, signal);
  }

  async function pollInstead(identity: string, error: unknown, signal: AbortSignal): Promise<void> {
    const { message, hint } = failureRecord(error instanceof Failure ? error : cannotWatch(folder, error));
    const text = `${message}. The folder is polled instead. ${hint}`.trim();
    // Events are tried again every now and then: said once while the reason stays.
    if (how !== "poll" || text !== polledFor) emit({ type: "notice", level: "warning", message: text });
    polledFor = text;
    await poll(identity, EVENTS_AGAIN_MS, signal);
  }

  /** Polls until the folder is another one, or for so long. The listing itself is done by whoever listens. */
  async function poll(identity: string, forMs: number, signal: AbortSignal): Promise<void> {
    const begun = system.monotonic();
    watching("poll", identity);
    while (!signal.aborted && system.monotonic() - begun < forMs) {
      await system.sleep(ROOT_CHECK_MS, signal);
      if (await rootIdentity(signal).catch(() => null) !== identity) return;
    }
  }

  function distrust(path: string): void {
    if (job.watchMode !== "auto" || how !== "events" || watched === null) return;
    distrusted = watched;
    emit({ type: "notice", level: "warning", message: silentFolder(folder, path) });
    following.abort();
  }

  /** Each look that is not answered holds a thread, some for ever: asks anew after twice as long each time. */
  function look(): ReturnType<WatchSystem["followedFacts"]> {
    const now = system.monotonic();
    if (asked !== null && now - asked.at < patienceMs) return asked.looking;
    if (asked !== null) patienceMs *= 2;
    const looking = system.followedFacts(folder).finally(() => {
      asked = null;
      patienceMs = PATIENCE_MS;
    });
    asked = { looking, at: now };
    return looking;
  }

  /**
   * Which folder it is.
   * @throws {Failure} where it is missing, no folder, or does not answer.
   */
  async function rootIdentity(signal: AbortSignal): Promise<string> {
    using end = anySignal(signal);
    const patience = system.sleep(PATIENCE_MS, end.signal).then(() => "silent" as const);
    const looking = look();
    looking.catch(() => undefined); // It may lose the race unheard.
    try {
      const facts = await Promise.race([looking, patience]);
      if (facts === "silent") throw silent(folder);
      if (facts === null) throw missing(folder, system.platform);
      if (facts.kind !== "folder") throw notAFolder(folder);
      return facts.identity;
    } catch (error) {
      throw error instanceof Failure ? error : cannotWatch(folder, error);
    } finally {
      end.abort();
    }
  }

  return { run, how: () => how, failure: () => failure, distrust, silent: () => distrusted !== null && distrusted === watched };
}

function silentFolder(folder: string, path: string): string {
  return `"${
    printable(path)
  }" came into "${folder}" without an event: the file system does not report what others write there. ` +
    "The folder is polled instead; set watch_mode: poll to do so from the start.";
}

function missing(folder: string, platform: Platform): Failure {
  if (platform !== "windows" && /^[A-Za-z]:[\\/]/.test(folder)) {
    return new Failure("source_gone", `Cannot watch "${folder}": it is a Windows path, and this computer does not run Windows`, {
      next: "later",
      hint: "Correct watch_path.",
    });
  }
  return new Failure("source_gone", `Cannot watch "${folder}": the folder does not exist`, {
    next: "later",
    hint: "Create the folder, mount its disk, or correct watch_path. Watching then starts automatically.",
  });
}

function notAFolder(folder: string): Failure {
  return new Failure("not_a_folder", `Cannot watch "${folder}": it is not a folder`, {
    hint: "Set watch_path to the folder of the images.",
  });
}

function silent(folder: string): Failure {
  return new Failure("timeout", `Cannot watch "${folder}": its file system is not responding`, {
    hint: "Check its file server or disk. Watching resumes automatically as soon as it responds.",
  });
}

function cannotWatch(folder: string, error: unknown): Failure {
  const reason = reasonOf(error);
  const hint = faultOf(error) === "permission"
    ? "Give the account that runs image-transfer permission to read the folder."
    : "It is retried automatically. If the error persists, check the disk.";
  return new Failure("source_unreadable", `Cannot watch "${folder}": ${reason}`, { hint, cause: error });
}

const ROOT_AGAIN_MS = 1_000;
const ROOT_CHECK_MS = 2_000;
const PATIENCE_MS = 10_000;
const EVENTS_AGAIN_MS = 60_000;
