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
import { sourceRoot } from "../../system/watching/source_root.ts";
import { isDeep } from "../patterns.ts";
import { cannotWatch, noRoot } from "../source_faults.ts";
import { isRemoteFolder } from "../settle/writers.ts";

export type WatchSystem = Pick<
  System,
  "watch" | "followedFacts" | "realPath" | "run" | "platform" | "sleep" | "monotonic"
>;

type WatchState =
  | { readonly is: "watched"; readonly how: "events" | "poll" }
  /** `failure` is null before the first try, and just after a watch has ended. */
  | { readonly is: "not watched"; readonly failure: FailureRecord | null };

/** Nothing is watched before `run`; then `listener` is called, by events or not at all while the folder is polled. */
export function watchJob(
  job: Job,
  { system, emit }: { readonly system: WatchSystem; readonly emit: Emit },
  listener: {
    /** Something may have changed at these absolute paths. */
    event(kind: WatchEvent["kind"], paths: readonly string[]): void;
    /** The watch was just set, or lost track: everything must be listed. `replaced`: another folder is there now. */
    lost(replaced: boolean): void;
  },
) {
  const { name, watchPath, watchMode } = job;
  const root = sourceRoot(watchPath, system);
  let state: WatchState = { is: "not watched", failure: null };
  /** Identity of the root that was watched last. */
  let watched: string | null = null;
  /** Identity of the root whose events are not trusted. */
  let distrusted: string | null = null;
  /** Why events do not come, as it was said last; null while they do, and where none are wanted. */
  let polledFor: string | null = null;
  let stopFollowing = () => {};

  function how(): "events" | "poll" | null {
    return state.is === "watched" ? state.how : null;
  }

  /** Which folder it is, or why it cannot be watched. */
  async function rootIdentity(signal: AbortSignal): Promise<string | Failure> {
    const found = await root.look(signal).catch((error) => cannotWatch(watchPath, error));
    if (found instanceof Failure) return found;
    return found.is === "folder" ? found.identity : noRoot(watchPath, found.is, system.platform);
  }

  async function mustPoll(identity: string): Promise<boolean> {
    if (watchMode === "poll" || distrusted === identity) return true;
    return watchMode === "auto" && await isRemoteFolder(watchPath, system);
  }

  async function followEvents(identity: string, signal: AbortSignal): Promise<void> {
    const begun = system.monotonic();
    using following = anySignal(signal);
    stopFollowing = following.abort;
    void whileFollowed(identity, following.signal).then(() => following.abort());
    try {
      for await (const { kind, paths } of system.watch(watchPath, isDeep(job), following.signal)) {
        if (how() !== "events") setWatched("events", identity);
        else if (paths.length === 0) listener.lost(false);
        if (paths.length > 0) listener.event(kind, paths);
      }
    } catch (error) {
      if (signal.aborted) return;
      if (faultOf(error) !== "not_found") return await pollInstead(identity, error, signal);
    }
    if (distrusted === identity) return;
    state = { is: "not watched", failure: null };
    // A watch that ends as soon as it is set must not become a busy loop.
    if (system.monotonic() - begun < ROOT_AGAIN_MS) await system.sleep(ROOT_AGAIN_MS, signal);
  }

  /**
   * Resolves when the root is no longer this folder, or when the signal is aborted. A disk that is slow to answer keeps its watch; one that
   * does not respond for long is said not to be watched until it does.
   */
  async function whileFollowed(identity: string, signal: AbortSignal): Promise<void> {
    let heardAt = system.monotonic();
    let isTold = false;
    while (!signal.aborted) {
      await system.sleep(ROOT_CHECK_MS, signal, "in step");
      const isStill = await root.isStill(identity, signal);
      if (signal.aborted || !isStill) return;
      if (isStill !== "silent") {
        heardAt = system.monotonic();
        if (isTold && how() === null) setWatched("events", identity);
        isTold = false;
      } else if (system.monotonic() - heardAt >= SILENT_MS) {
        isTold = true;
        setNotWatched(failureRecord(noRoot(watchPath, "silent", system.platform)));
      }
    }
  }

  async function pollInstead(identity: string, error: unknown, signal: AbortSignal): Promise<void> {
    const { message, hint } = failureRecord(error instanceof Failure ? error : cannotWatch(watchPath, error));
    const text = `${message}. The folder is polled instead. ${hint}`.trim();
    // Events are tried again every now and then: said once while the reason stays.
    if (how() !== "poll" || text !== polledFor) emit({ type: "notice", level: "warning", message: text });
    polledFor = text;
    await poll(identity, EVENTS_AGAIN_MS, signal);
  }

  /** Polls until the root is another folder, or for so long. The listing itself is done by whoever listens. */
  async function poll(identity: string, forMs: number, signal: AbortSignal): Promise<void> {
    setWatched("poll", identity);
    const begun = system.monotonic();
    while (!signal.aborted && system.monotonic() - begun < forMs) {
      await system.sleep(ROOT_CHECK_MS, signal, "in step");
      if (signal.aborted || await root.isStill(identity, signal) !== true) return;
    }
  }

  function setWatched(now: "events" | "poll", identity: string): void {
    if (how() !== now) emit({ type: "watching", job: name, folder: watchPath, how: now });
    state = { is: "watched", how: now };
    if (now === "events") polledFor = null;
    const former = watched;
    watched = identity;
    listener.lost(former !== null && former !== identity);
  }

  function setNotWatched(failure: FailureRecord): void {
    const isNews = state.is === "watched" || state.failure?.message !== failure.message;
    if (isNews) emit({ type: "not_watching", job: name, folder: watchPath, failure });
    state = { is: "not watched", failure };
  }

  return {
    /** Watches until the signal is aborted. */
    async run(signal: AbortSignal): Promise<void> {
      while (!signal.aborted) {
        const identity = await rootIdentity(signal);
        if (signal.aborted) return;
        if (identity instanceof Failure) {
          setNotWatched(failureRecord(identity));
          await system.sleep(ROOT_AGAIN_MS, signal);
        } else if (await mustPoll(identity)) {
          await poll(identity, Infinity, signal);
        } else {
          await followEvents(identity, signal);
        }
      }
    },
    /** How it watches now; null while the folder cannot be watched. */
    how,
    /** Why the folder cannot be watched; null while it is. */
    failure: () => state.is === "watched" ? null : state.failure,
    /** Why the folder is polled although it should give events; null where it is not. */
    eventsMissing: () => how() === "poll" ? polledFor : null,
    /** Something came, this path for example, that no event told of: where `watch_mode` is `auto`, the folder is polled from now on. */
    distrust(path: string): void {
      if (watchMode !== "auto" || how() !== "events" || watched === null) return;
      distrusted = watched;
      polledFor = silentFolder(watchPath, path);
      emit({ type: "notice", level: "warning", message: polledFor });
      stopFollowing();
    },
    /** Whether events are known not to tell of all that happens here. */
    silent: () => distrusted !== null && distrusted === watched,
  };
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
