/**
 * Hints from the operating system that something changed. All watchers are in one Worker, which is ended and started again when they stand
 * still; a root in which something makes them stand still fails, and can be watched again when that is gone.
 *
 * @module
 */
import { join, SEPARATOR } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { onAbort } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { printable } from "../../domain/names/printable.ts";
import { clock } from "../host/clock.ts";
import { runtimeFolder } from "../host/runtime_folder.ts";
import type { WatchEvent, Watching } from "../system.ts";
import { uncarried, workerCalls } from "../workers/worker_calls.ts";
import { type Blocker, findBlocker, release } from "./blocker.ts";
import { hintsOf, LOST_TRACK } from "./hints.ts";
import type { WatchCalls, WatchNews } from "./watch_worker.ts";

/** When watchers count as standing still; times in milliseconds. */
export interface WatchLimits {
  readonly probeEveryMs: number;
  /** So many seconds of this process without an answer. */
  readonly patienceSeconds: number;
  /** The process is ended when its main thread stands still for so long. */
  readonly standstillMs: number;
}

const LIMITS: WatchLimits = { probeEveryMs: 6_000, patienceSeconds: 10, standstillMs: 180_000 };

/** One root, as long as its user wants hints of it. */
interface Watched {
  readonly root: string;
  readonly recursive: boolean;
  readonly put: (hint: WatchEvent) => void;
  readonly end: (error?: unknown) => void;
}

/** Nothing is started before it is used. */
export function createWatch(limits: WatchLimits = LIMITS): Pick<Watching, "watch" | "guardMainThread"> {
  const worker = workerCalls<WatchCalls>({ name: "watch_worker", here: import.meta.url, what: "The file watcher" });
  const all = new Map<number, Watched>();
  const blocked = new Set<string>();
  /** When the watchers stood still and nothing in the roots could be the reason. */
  let unexplainedAt = -Infinity;
  let guards = 0;
  let count = 0;
  let tending: AbortController | null = null;
  let restarting: Promise<void> | null = null;
  /** What calls to a Worker that was ended are rejected with. */
  let stopped: Error | null = null;

  /** Whether the work ends while this process runs for some seconds: the time in which it was stopped does not count. */
  async function answers(work: Promise<unknown>): Promise<boolean> {
    const over = work.then(() => true, () => true);
    for (let second = 0; second < limits.patienceSeconds; second++) if (await within(over, 1_000, clock, false)) return true;
    return false;
  }

  async function open(id: number, { root, recursive, put, end }: Watched): Promise<void> {
    const opening = worker.call("open", id, root, recursive).then(
      () => put(LOST_TRACK),
      (error) => error === stopped ? undefined : end(inWords(error, root)),
    );
    if (!await answers(opening)) await restart();
  }

  /** Passes hints on until the Worker is ended. */
  async function pump(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const news: WatchNews = await worker.call("next");
      for (const [id, hints] of news.hints) for (const hint of hints) all.get(id)?.put(hint);
      for (const [id, error] of news.ended) {
        const one = all.get(id);
        one?.end(error === null ? undefined : inWords(uncarried(error), one.root));
      }
    }
  }

  async function tend(signal: AbortSignal): Promise<void> {
    const cookie = Deno.build.os === "linux" ? await cookiePath() : null;
    while (!signal.aborted) {
      let isWell = true;
      const pumping = pump(signal).catch(() => void (isWell = false));
      while (isWell && !signal.aborted) {
        const guardMs = guards > 0 ? limits.standstillMs : null;
        isWell = await answers(worker.call("probe", cookie, guardMs)) && isWell;
        if (isWell) await clock.sleep(limits.probeEveryMs, signal, "in step");
      }
      if (!signal.aborted) await restart();
      await pumping;
    }
  }

  function restart(): Promise<void> {
    return restarting ??= startAgain().finally(() => restarting = null);
  }

  /** Ends the Worker. Roots in which something keeps a watcher waiting fail, the others are watched again. */
  async function startAgain(): Promise<void> {
    stopped = new Error("The file watcher stood still");
    worker.end(stopped);
    let isExplained = false;
    await Promise.all([...all].map(async ([id, one]) => {
      const blocker = await findBlocker(one.root, one.recursive);
      if (!all.has(id)) return;
      if (blocker === null) return void open(id, one);
      isExplained = true;
      blocked.add(one.root);
      one.end(blocker === "silent" ? silent(one.root) : blockedBy(one.root, blocker));
      if (blocker !== "silent") await release(blocker);
    }));
    if (isExplained) return;
    if (clock.monotonic() - unexplainedAt < UNEXPLAINED_AGAIN_MS) { for (const { root, end } of all.values()) end(silent(root)); }
    unexplainedAt = clock.monotonic();
  }

  function begin(): void {
    if (tending !== null) return;
    tending = new AbortController();
    void tend(tending.signal);
  }

  function endIfUnused(): void {
    if (all.size > 0 || guards > 0) return;
    tending?.abort();
    tending = null;
    worker.end();
  }

  return {
    async *watch(root, recursive, signal) {
      if (signal.aborted) return;
      if (!await isFolder(root)) throw new Deno.errors.NotFound(`Cannot watch "${root}": it does not exist or is not a folder`);
      const blocker = blocked.has(root) ? await findBlocker(root, recursive) : null;
      if (blocker !== null) throw blocker === "silent" ? silent(root) : blockedBy(root, blocker);
      blocked.delete(root);
      const named = await namedAsGiven(root);
      const hints = hintsOf();
      const state: { wake: PromiseWithResolvers<void>; over: { readonly error: unknown } | null } = {
        wake: Promise.withResolvers(),
        over: null,
      };
      const watched: Watched = {
        ...{ root, recursive },
        put({ kind, paths }) {
          hints.put({ kind, paths: paths.map(named) });
          state.wake.resolve();
        },
        end(error) {
          state.over ??= { error };
          state.wake.resolve();
        },
      };
      using _ending = onAbort(signal, () => watched.end());
      const id = ++count;
      all.set(id, watched);
      begin();
      void open(id, watched);
      try {
        while (true) {
          await state.wake.promise;
          state.wake = Promise.withResolvers();
          yield* hints.take();
          if (state.over?.error !== undefined) throw state.over.error;
          if (state.over !== null) return;
        }
      } finally {
        all.delete(id);
        if (worker.running) void worker.call("close", id).catch(() => "it was ended meanwhile");
        endIfUnused();
      }
    },
    guardMainThread(signal) {
      if (signal.aborted) return;
      guards += 1;
      begin();
      onAbort(signal, () => {
        guards -= 1;
        endIfUnused();
      });
    },
  };
}

async function cookiePath(): Promise<string | null> {
  // Without it, a watcher that stands still is noticed when a watch is made, or when a scan finds what no event told of.
  return await runtimeFolder().then((folder) => join(folder, "watch"), () => null);
}

async function isFolder(root: string): Promise<boolean> {
  try {
    return (await Deno.stat(root)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

/** The system may run out of watches when the watch is set, or later, when folders are made. */
function inWords(error: unknown, root: string): unknown {
  if (!(error instanceof Error && /os file watch limit|too many open files|no space left/i.test(error.message))) return error;
  return new Failure("configuration", `Cannot watch "${root}": the system has no file watches left (${error.message})`, {
    hint: "Raise fs.inotify.max_user_watches and fs.inotify.max_user_instances (sysctl), or set watch_mode: poll.",
    next: "later",
    cause: error,
  });
}

function blockedBy(root: string, { path, kind }: Blocker): Failure {
  return new Failure(
    "source_unreadable",
    `Cannot watch "${root}" for events: "${printable(path)}" is ${kind}, and blocks the file watcher`,
    {
      hint: "Remove it, or exchange it for a regular file.",
      next: "later",
    },
  );
}

function silent(root: string): Failure {
  return new Failure("timeout", `Cannot watch "${root}" for events: the file watcher is not responding`, {
    hint: "Check the disk or file server.",
    next: "later",
  });
}

/** Some systems (macOS) report real paths if the root leads through a symlink: hints begin with the root as it was given. */
async function namedAsGiven(root: string): Promise<(path: string) => string> {
  const real = await Deno.realPath(root).catch(() => root);
  if (real === root) return (path) => path;
  return (path) => path === real || path.startsWith(real + SEPARATOR) ? root + path.slice(real.length) : path;
}

/** Watchers that stand still again so soon, without a reason in the roots, are not started again at once. */
const UNEXPLAINED_AGAIN_MS = 10 * 60_000;
