/**
 * Hints from the operating system that something changed. All watchers are in one Worker, which is ended and started again when they stand
 * still; a root in which something makes them stand still fails, and can be watched again when that is gone.
 */
import { join, SEPARATOR } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { onAbort } from "../../async/abort.ts";
import { deadline, within } from "../../async/deadline.ts";
import { printable } from "../../domain/names/printable.ts";
import { clock } from "../host/clock.ts";
import { runtimeFolder } from "../host/surroundings.ts";
import { which } from "../processes/launch.ts";
import { processes, splitAtNul } from "../processes/processes.ts";
import type { WatchEvent, Watching } from "../system.ts";
import { uncarried, workerCalls } from "../workers/worker_calls.ts";
import { hintsOf, LOST_TRACK } from "./hints.ts";
import type { WatchCalls } from "./watch_worker.ts";

/** When watchers count as standing still; times in milliseconds. */
interface WatchLimits {
  readonly probeEveryMs: number;
  /** So many seconds of this process without an answer. */
  readonly patienceSeconds: number;
  /** The process is ended when its main thread stands still for so long. */
  readonly standstillMs: number;
}

const LIMITS: WatchLimits = { probeEveryMs: 6_000, patienceSeconds: 10, standstillMs: 180_000 };

/** How long a disk is given to tell what is in a root. */
const LOOK_MS = 20_000;
/** Watchers that stand still again so soon, without a reason in the roots, are not started again at once. */
const UNEXPLAINED_AGAIN_MS = 10 * 60_000;

/** One root, as long as its user wants hints of it. */
interface Watched {
  readonly root: string;
  readonly recursive: boolean;
  readonly put: (hint: WatchEvent) => void;
  readonly end: (error?: unknown) => void;
}

export function createWatch(limits: WatchLimits = LIMITS): Pick<Watching, "watch" | "guardMainThread"> {
  const worker = workerCalls<WatchCalls>({ name: "watch_worker", here: import.meta.url, what: "The file watcher" });
  const all = new Map<number, Watched>();
  /** Roots in which something kept the watchers waiting. */
  const blocked = new Set<string>();
  let count = 0;
  /** How many want the main thread guarded. */
  let guards = 0;
  let tending: AbortController | null = null;
  let restarting: Promise<void> | null = null;
  /** What calls to a Worker that stood still are rejected with. */
  let stopped: Error | null = null;
  /** When the watchers stood still last and nothing in the roots could be the reason. */
  let unexplainedAt = -Infinity;

  async function* watch(root: string, recursive: boolean, signal: AbortSignal): AsyncGenerator<WatchEvent> {
    if (signal.aborted) return;
    if (!await isFolder(root)) throw new Deno.errors.NotFound(`Cannot watch "${root}": it does not exist or is not a folder`);
    if (blocked.has(root)) {
      const blocker = await findBlocker(root, recursive);
      if (blocker !== null) throw failureOf(root, blocker);
      blocked.delete(root);
    }
    const hints = hintsOf();
    const mailbox = { news: Promise.withResolvers<void>(), over: null as { readonly error: unknown } | null };
    const named = await namedAsGiven(root);
    const watched: Watched = {
      root,
      recursive,
      put({ kind, paths }) {
        hints.put({ kind, paths: paths.map(named) });
        mailbox.news.resolve();
      },
      end(error) {
        mailbox.over ??= { error };
        mailbox.news.resolve();
      },
    };
    using _ending = onAbort(signal, () => watched.end());
    const id = ++count;
    all.set(id, watched);
    begin();
    void open(id, watched);
    try {
      while (true) {
        await mailbox.news.promise;
        mailbox.news = Promise.withResolvers();
        yield* hints.take();
        if (mailbox.over?.error !== undefined) throw mailbox.over.error;
        if (mailbox.over !== null) return;
      }
    } finally {
      all.delete(id);
      if (worker.running) void worker.call("close", id).catch(() => "it was ended meanwhile");
      endIfUnused();
    }
  }

  /** The caller must find what happened before the watch was set: the first hint is to list everything. */
  async function open(id: number, { root, recursive, put, end }: Watched): Promise<void> {
    const opening = worker.call("open", id, root, recursive)
      .then(() => put(LOST_TRACK), (error) => error === stopped ? undefined : end(inWords(error, root)));
    if (!await answers(opening)) await restart();
  }

  /** Whether the work ends while this process runs for some seconds: the time in which it was stopped does not count. */
  async function answers(work: Promise<unknown>): Promise<boolean> {
    const over = work.then(() => true, () => true);
    for (let second = 0; second < limits.patienceSeconds; second++) if (await within(over, 1_000, clock, false)) return true;
    return false;
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

  /** Passes hints on, and starts the Worker again when it does not answer. */
  async function tend(signal: AbortSignal): Promise<void> {
    // Without the cookie, a watcher that stands still is noticed when a watch is made, or when a scan finds what no event told of.
    const folder = Deno.build.os === "linux" ? await runtimeFolder().catch(() => null) : null;
    const cookie = folder && join(folder, "watch");
    while (!signal.aborted) {
      let isWell = true;
      const pumping = pump(signal).catch(() => void (isWell = false));
      while (isWell && !signal.aborted) {
        isWell = await answers(worker.call("probe", cookie, guards > 0 ? limits.standstillMs : null)) && isWell;
        if (isWell) await clock.sleep(limits.probeEveryMs, signal, "in step");
      }
      if (!signal.aborted) await restart();
      await pumping;
    }
  }

  /** Until the Worker is ended. */
  async function pump(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const news = await worker.call("next");
      for (const [id, hints] of news.hints) for (const hint of hints) all.get(id)?.put(hint);
      for (const [id, error] of news.ended) {
        const one = all.get(id);
        one?.end(error === null ? undefined : inWords(uncarried(error), one.root));
      }
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
      one.end(failureOf(one.root, blocker));
      if (blocker !== "silent") await release(blocker);
    }));
    if (isExplained) return;
    const isRepeated = clock.monotonic() - unexplainedAt < UNEXPLAINED_AGAIN_MS;
    unexplainedAt = clock.monotonic();
    if (isRepeated) { for (const { root, end } of all.values()) end(failureOf(root, "silent")); }
  }

  return {
    watch,
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

function failureOf(root: string, blocker: Blocker | "silent"): Failure {
  const cannot = `Cannot watch "${root}" for events`;
  if (blocker === "silent") {
    const hint = "Check the disk or file server.";
    return new Failure("timeout", `${cannot}: the file watcher is not responding`, { hint, next: "later" });
  }
  const { path, kind } = blocker;
  return new Failure("source_unreadable", `${cannot}: "${printable(path)}" is ${kind}, and blocks the file watcher`, {
    hint: "Remove it, or exchange it for a regular file.",
    next: "later",
  });
}

/** Some systems (macOS) report real paths if the root leads through a symlink: hints begin with the root as it was given. */
async function namedAsGiven(root: string): Promise<(path: string) => string> {
  const real = await Deno.realPath(root).catch(() => root);
  if (real === root) return (path) => path;
  return (path) => path === real || path.startsWith(real + SEPARATOR) ? root + path.slice(real.length) : path;
}

/** What keeps a watcher waiting that opens it: a named pipe that nobody writes to, a device, or a link to one. */
interface Blocker {
  readonly path: string;
  readonly kind: "a named pipe" | "a device";
}

/** The first one in a folder; null where there is none, or nobody can tell; "silent" where its disk does not respond. */
async function findBlocker(root: string, recursive: boolean): Promise<Blocker | "silent" | null> {
  if (await which("find") === null) return null;
  using limit = deadline(LOOK_MS, clock);
  // GNU's -xtype follows links; a find without it does without links.
  for (const type of ["-xtype", "-type"]) {
    const path = await firstOf(root, [
      "-maxdepth",
      recursive ? "99" : "1",
      "(",
      type,
      "p",
      "-o",
      type,
      "b",
      "-o",
      type,
      "c",
      ")",
      "-print0",
    ], limit.signal);
    if (limit.signal.aborted) return "silent";
    if (path === undefined) continue;
    return path === null ? null : { path, kind: (await Deno.stat(path)).isFifo ? "a named pipe" : "a device" };
  }
  return null;
}

/** Undefined where this `find` does not know the arguments. */
async function firstOf(root: string, args: readonly string[], signal: AbortSignal): Promise<string | null | undefined> {
  try {
    await using find = await processes.spawn(
      { program: "find", args: [root.endsWith("/") ? root : `${root}/`, ...args] },
      signal,
    );
    await find.closeStdin();
    for await (const path of splitAtNul(find.stdout)) return new TextDecoder().decode(path);
    await find.finished;
    return /unrecognized|unknown (predicate|primary)|illegal/i.test(find.stderr()) ? undefined : null;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** Lets go whoever waits for a pipe to be opened at its other end. On Linux, opening it for both never waits. */
async function release({ path, kind }: Blocker): Promise<void> {
  if (kind !== "a named pipe" || Deno.build.os !== "linux") return;
  // It may be gone, or not ours to open: then the waiting thread is left behind.
  await Deno.open(path, { read: true, write: true }).then((file) => file.close(), () => "left behind");
}
