/**
 * Hints from the operating system that something changed. Deno's watcher is drained at once into a bounded queue; a hint without
 * paths means that something may have been lost and everything should be listed again.
 *
 * @module
 */
import { SEPARATOR } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { type Burst, createBurst } from "./burst.ts";
import { anySignal, onAbort } from "../../async/abort.ts";
import { queue } from "../../async/queue.ts";
import type { WatchEvent } from "../system.ts";

/** Hints that may wait; with more, all of them become one "list everything again". */
const MOST_WAITING = 8_192;

const LOST_TRACK: WatchEvent = { kind: "other", paths: [] };

/** See `Watching.watch`. */
export async function* watch(root: string, recursive: boolean, signal: AbortSignal): AsyncGenerator<WatchEvent> {
  if (signal.aborted) return;
  if (!await isFolder(root)) throw new Deno.errors.NotFound(`Cannot watch "${root}": it does not exist or is not a folder`);
  const named = await namedAsGiven(root);
  const watcher = open(root, recursive);
  const hints = queue<WatchEvent>();
  using end = anySignal(signal);
  using _closing = onAbort(end.signal, () => {
    watcher.close();
    hints.end();
  });

  const put = (hint: WatchEvent) => {
    if (hints.length >= MOST_WAITING) {
      hints.clear();
      hints.push(LOST_TRACK);
    }
    hints.push(hint);
  };
  const burst = createBurst(() => put(LOST_TRACK));
  // The caller must find what happened before the watch was set.
  put(LOST_TRACK);
  const draining = drain(watcher, root, named, put, burst).finally(() => end.abort());
  try {
    yield* hints;
    await draining;
  } finally {
    end.abort();
    burst.end();
    await Promise.allSettled([draining]);
  }
}

async function isFolder(root: string): Promise<boolean> {
  try {
    return (await Deno.stat(root)).isDirectory;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}

function open(root: string, recursive: boolean): Deno.FsWatcher {
  try {
    return Deno.watchFs(root, { recursive });
  } catch (error) {
    throw inWords(error, root);
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

/** Reads one event after the other: a loop over the watcher would end at the first name that is not UTF-8. */
async function drain(
  watcher: Deno.FsWatcher,
  root: string,
  named: (path: string) => string,
  put: (hint: WatchEvent) => void,
  burst: Burst,
): Promise<void> {
  const events = watcher[Symbol.asyncIterator]();
  while (true) {
    try {
      const { value, done } = await events.next();
      if (done) return;
      const paths = value.paths.map(named);
      burst.note(paths);
      put(value.flag === "rescan" ? LOST_TRACK : { kind: KINDS[value.kind], paths });
      if (value.kind === "remove" && paths.includes(root)) return;
    } catch (error) {
      if (!(error instanceof TypeError && /utf-?8/i.test(error.message))) throw inWords(error, root);
      // The error does not say which file it was; a walk finds it.
      burst.suspect();
    }
  }
}

/** `access` comes when a writer closes its file (Linux); merely reading gives no event. */
const KINDS: Readonly<Record<Deno.FsEvent["kind"], WatchEvent["kind"]>> = {
  access: "close",
  create: "create",
  modify: "write",
  remove: "remove",
  rename: "rename",
  any: "other",
  other: "other",
};

/** Some systems (macOS) report real paths if the root leads through a symlink: hints begin with the root as it was given. */
async function namedAsGiven(root: string): Promise<(path: string) => string> {
  const real = await Deno.realPath(root).catch(() => root);
  if (real === root) return (path) => path;
  return (path) => path === real || path.startsWith(real + SEPARATOR) ? root + path.slice(real.length) : path;
}
