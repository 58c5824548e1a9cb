/**
 * Watches the folder of one job: by events where they come, by polling elsewhere, and again when the folder was away, unmounted or
 * replaced. Events are hints only; what is true is found by listing.
 */
import { anySignal } from "../../async/abort.ts";
import { Failure, type FailureRecord, failureRecord } from "../../domain/failure.ts";
import type { Job } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import { faultOf } from "../../system/fault.ts";
import type { System, WatchEvent } from "../../system/system.ts";
import { type SourceRoot, sourceRoot } from "../../system/watching/source_root.ts";
import { isDeep } from "../patterns.ts";
import { cannotWatch, noRoot } from "../source_faults.ts";
import { isRemoteFolder } from "./remote_folder.ts";

/** The part of the system that watching needs. */
export type WatchSystem = Pick<
  System,
  "watch" | "followedFacts" | "realPath" | "run" | "platform" | "sleep" | "monotonic"
>;

interface WatchListener {
  /** Something may have changed at these absolute paths. */
  event(kind: WatchEvent["kind"], paths: readonly string[]): void;
  /** The watch was just set, or lost track: everything must be listed. `replaced`: another folder is there now. */
  lost(replaced: boolean): void;
}

/** The watch over one folder. */
export interface JobWatch {
  /** Watches until the signal is aborted. */
  run(signal: AbortSignal): Promise<void>;
  /** How it watches now; null while the folder cannot be watched. */
  how(): "events" | "poll" | null;
  /** Why the folder cannot be watched; null while it is. */
  failure(): FailureRecord | null;
  /** Why the folder is polled although it should give events; null where it is not. */
  eventsMissing(): string | null;
  /** Something came, this path for example, that no event told of: where `watch_mode` is `auto`, the folder is polled from now on. */
  distrust(path: string): void;
  /** Whether events are known not to tell of all that happens here. */
  silent(): boolean;
}

type WatchState =
  | { readonly is: "watched"; readonly how: "events" | "poll" }
  /** `failure` is null before the first try, and just after a watch has ended. */
  | { readonly is: "not watched"; readonly failure: FailureRecord | null };

/** What a watch keeps. */
interface Watch {
  readonly job: Job;
  readonly system: WatchSystem;
  readonly emit: Emit;
  readonly listener: WatchListener;
  readonly root: SourceRoot;
  state: WatchState;
  /** Identity of the root that was watched last. */
  watched: string | null;
  /** Identity of the root whose events are not trusted. */
  distrusted: string | null;
  /** Why events do not come, as it was said last; null while they do, and where none are wanted. */
  polledFor: string | null;
  stopFollowing: () => void;
}

/** Nothing is watched before `run`; then `listener` is called, by events or not at all while the folder is polled. */
export function watchJob(job: Job, { system, emit }: { system: WatchSystem; emit: Emit }, listener: WatchListener): JobWatch {
  const watch: Watch = {
    ...{ job, system, emit, listener },
    root: sourceRoot(job.watchPath, system),
    state: { is: "not watched", failure: null },
    watched: null,
    distrusted: null,
    polledFor: null,
    stopFollowing: () => {},
  };
  return {
    run: (signal) => run(watch, signal),
    how: () => howOf(watch),
    failure: () => watch.state.is === "watched" ? null : watch.state.failure,
    eventsMissing: () => howOf(watch) === "poll" ? watch.polledFor : null,
    distrust: (path) => distrust(watch, path),
    silent: () => watch.distrusted !== null && watch.distrusted === watch.watched,
  };
}

async function run(watch: Watch, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const identity = await rootIdentity(watch, signal);
    if (signal.aborted) return;
    if (identity instanceof Failure) {
      setNotWatched(watch, failureRecord(identity));
      await watch.system.sleep(ROOT_AGAIN_MS, signal);
    } else if (await mustPoll(watch, identity)) {
      await poll(watch, identity, Infinity, signal);
    } else {
      await followEvents(watch, identity, signal);
    }
  }
}

async function mustPoll({ job, system, distrusted }: Watch, identity: string): Promise<boolean> {
  if (job.watchMode === "poll" || distrusted === identity) return true;
  return job.watchMode === "auto" && await isRemoteFolder(job.watchPath, system);
}

async function followEvents(watch: Watch, identity: string, signal: AbortSignal): Promise<void> {
  const { job, system, listener } = watch;
  const begun = system.monotonic();
  using following = anySignal(signal);
  watch.stopFollowing = following.abort;
  void whileFollowed(watch, identity, following.signal).then(() => following.abort());
  try {
    for await (const { kind, paths } of system.watch(job.watchPath, isDeep(job), following.signal)) {
      if (howOf(watch) !== "events") setWatched(watch, "events", identity);
      else if (paths.length === 0) listener.lost(false);
      if (paths.length > 0) listener.event(kind, paths);
    }
  } catch (error) {
    if (signal.aborted) return;
    if (faultOf(error) !== "not_found") return await pollInstead(watch, identity, error, signal);
  }
  if (watch.distrusted === identity) return;
  watch.state = { is: "not watched", failure: null };
  // A watch that ends as soon as it is set must not become a busy loop.
  if (system.monotonic() - begun < ROOT_AGAIN_MS) await system.sleep(ROOT_AGAIN_MS, signal);
}

async function pollInstead(watch: Watch, identity: string, error: unknown, signal: AbortSignal): Promise<void> {
  const { message, hint } = failureRecord(error instanceof Failure ? error : cannotWatch(watch.job.watchPath, error));
  const text = `${message}. The folder is polled instead. ${hint}`.trim();
  // Events are tried again every now and then: said once while the reason stays.
  if (howOf(watch) !== "poll" || text !== watch.polledFor) watch.emit({ type: "notice", level: "warning", message: text });
  watch.polledFor = text;
  await poll(watch, identity, EVENTS_AGAIN_MS, signal);
}

/** Polls until the root is another folder, or for so long. The listing itself is done by whoever listens. */
async function poll(watch: Watch, identity: string, forMs: number, signal: AbortSignal): Promise<void> {
  setWatched(watch, "poll", identity);
  const { root, system } = watch;
  const begun = system.monotonic();
  while (!signal.aborted && system.monotonic() - begun < forMs) {
    await system.sleep(ROOT_CHECK_MS, signal, "in step");
    if (signal.aborted || await root.isStill(identity, signal) !== true) return;
  }
}

/**
 * Resolves when the root is no longer this folder, or when the signal is aborted. A disk that is slow to answer keeps its watch; one that
 * does not respond for long is said not to be watched until it does.
 */
async function whileFollowed(watch: Watch, identity: string, signal: AbortSignal): Promise<void> {
  const { job, root, system } = watch;
  let heardAt = system.monotonic();
  let isTold = false;
  while (!signal.aborted) {
    await system.sleep(ROOT_CHECK_MS, signal, "in step");
    const isStill = await root.isStill(identity, signal);
    if (signal.aborted || !isStill) return;
    if (isStill !== "silent") {
      heardAt = system.monotonic();
      if (isTold && howOf(watch) === null) setWatched(watch, "events", identity);
      isTold = false;
    } else if (system.monotonic() - heardAt >= SILENT_MS) {
      isTold = true;
      setNotWatched(watch, failureRecord(noRoot(job.watchPath, "silent", system.platform)));
    }
  }
}

/** Which folder it is, or why it cannot be watched. */
async function rootIdentity({ job: { watchPath }, root, system }: Watch, signal: AbortSignal): Promise<string | Failure> {
  const found = await root.look(signal).catch((error) => cannotWatch(watchPath, error));
  if (found instanceof Failure) return found;
  return found.is === "folder" ? found.identity : noRoot(watchPath, found.is, system.platform);
}

function setWatched(watch: Watch, how: "events" | "poll", identity: string): void {
  const { job, state, watched } = watch;
  const isNews = state.is === "not watched" || state.how !== how;
  if (isNews) watch.emit({ type: "watching", job: job.name, folder: job.watchPath, how });
  watch.state = { is: "watched", how };
  if (how === "events") watch.polledFor = null;
  watch.watched = identity;
  watch.listener.lost(watched !== null && watched !== identity);
}

function setNotWatched(watch: Watch, failure: FailureRecord): void {
  const { job, state } = watch;
  const isNews = state.is === "watched" || state.failure?.message !== failure.message;
  if (isNews) watch.emit({ type: "not_watching", job: job.name, folder: job.watchPath, failure });
  watch.state = { is: "not watched", failure };
}

function distrust(watch: Watch, path: string): void {
  const { job, watched } = watch;
  if (job.watchMode !== "auto" || howOf(watch) !== "events" || watched === null) return;
  watch.distrusted = watched;
  watch.polledFor = silentFolder(job.watchPath, path);
  watch.emit({ type: "notice", level: "warning", message: watch.polledFor });
  watch.stopFollowing();
}

function howOf({ state }: Watch): "events" | "poll" | null {
  return state.is === "watched" ? state.how : null;
}

function silentFolder(folder: string, path: string): string {
  return `"${
    printable(path)
  }" came into "${folder}" without an event: the file system does not report what others write there. ` +
    "The folder is polled instead; set watch_mode: poll to do so from the start.";
}

const ROOT_AGAIN_MS = 1_000;
const ROOT_CHECK_MS = 2_000;
const EVENTS_AGAIN_MS = 60_000;
const SILENT_MS = 60_000;
