/**
 * The Worker of {@linkcode watch}: all watchers of the process are here. Deno's watcher opens what an event names, and has one lock for all
 * watchers of a thread: at a FIFO, a device or a file of a dead server it waits for ever, and so does whoever then makes or closes another
 * one. Here that is a Worker, which can be ended.
 *
 * It also ends the process if the main thread stands still. It is bundled and embedded separately: import nothing heavy here.
 */
import type { WatchEvent } from "../system.ts";
import { carried, type CarriedError, serveCalls } from "../workers/serve_calls.ts";
import { createBurst, hintsOf } from "./hints.ts";

interface WatchNews {
  readonly hints: readonly (readonly [id: number, hints: readonly WatchEvent[]])[];
  /** Watchers that are over: with an error, or because their root was removed. */
  readonly ended: readonly (readonly [id: number, error: CarriedError | null])[];
}

interface Watching {
  readonly root: string;
  readonly recursive: boolean;
  watchers: Watchers;
  readonly hints: ReturnType<typeof hintsOf>;
  readonly burst: ReturnType<typeof createBurst>;
}

const watching = new Map<number, Watching>();
const ended: [number, CarriedError | null][] = [];
let news = Promise.withResolvers<void>();
let cookie: { readonly inode: number | null; readonly watcher: Deno.FsWatcher; heard: PromiseWithResolvers<void> } | null = null;
let guarded: ReturnType<typeof setInterval> | null = null;
let ticksSinceBeat = 0;

const calls = {
  /** Hints of this root are told under this id from now on. */
  open(id: number, root: string, recursive: boolean): void {
    const hints = hintsOf();
    const burst = createBurst(() => tell(hints.lostTrack));
    const one: Watching = { root, recursive, watchers: watchersOf(root, recursive), hints, burst };
    watching.set(id, one);
    follow(id, one);
  },
  close,
  /** Resolves when there is news; its caller calls again at once. */
  async next(): Promise<WatchNews> {
    await news.promise;
    news = Promise.withResolvers();
    const hints = [...watching].map(([id, { hints }]) => [id, hints.take()] as const).filter(([, { length }]) => length > 0);
    return { hints, ended: ended.splice(0) };
  },
  /**
   * Resolves when an event has come through the watcher. Opening a file for writing gives one on Linux, and leaves the file as it is;
   * without a file it resolves at once. The main thread is alive: where `guardMs` is given, it must say so again within that time.
   */
  async probe(path: string | null, guardMs: number | null): Promise<void> {
    ticksSinceBeat = 0;
    if (guardMs !== null) guarded ??= setInterval(endIfStill, guardMs / TICKS);
    if (path === null) return;
    using file = await Deno.open(path, { write: true, create: true });
    const { ino } = await file.stat();
    if (cookie?.inode !== ino) watchCookie(path, ino);
    const heard = Promise.withResolvers<void>();
    cookie!.heard = heard;
    (await Deno.open(path, { write: true })).close();
    await heard.promise;
  },
};

export type WatchCalls = typeof calls;

function close(id: number): void {
  const one = watching.get(id);
  watching.delete(id);
  one?.burst.end();
  one?.watchers.forEach(({ watcher }) => watcher.close());
}

/** The watchers of a root; `isFlat`: of one that sees folders without what is in them. */
type Watchers = readonly { readonly watcher: Deno.FsWatcher; readonly isFlat: boolean }[];

/**
 * One watcher, but where there are folders that may not be listed: Linux refuses to watch a tree with one of them. Then those above them are
 * watched one by one.
 */
function watchersOf(root: string, recursive: boolean): Watchers {
  try {
    return [{ watcher: Deno.watchFs(root, { recursive }), isFlat: false }];
  } catch (error) {
    const trees: string[] = [];
    const flat: string[] = [];
    if (!recursive || !(error instanceof Deno.errors.PermissionDenied) || isOpen(root, trees, flat)) throw error;
    const around = { watcher: Deno.watchFs(flat, { recursive: false }), isFlat: true };
    return trees.length === 0 ? [around] : [around, { watcher: Deno.watchFs(trees, { recursive: true }), isFlat: false }];
  }
}

/** Whether a folder may be watched with all that is in it. If not, it is among the `flat` ones, and those in it that may are `trees`. */
function isOpen(folder: string, trees: string[], flat: string[]): boolean {
  const open: string[] = [];
  let areAll = true;
  for (const { name, isDirectory, isSymlink } of Deno.readDirSync(folder)) {
    const path = `${folder === "/" ? "" : folder}/${name}`;
    try {
      // A tree is watched through its links, and they may lead to what may not be listed.
      if (isSymlink || isDirectory && !isOpen(path, trees, flat)) areAll = false;
      else if (isDirectory) open.push(path);
    } catch (error) {
      if (!(error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound)) throw error;
      areAll = false;
    }
  }
  if (areAll) return true;
  flat.push(folder);
  trees.push(...open);
  return false;
}

function follow(id: number, one: Watching): void {
  const { watchers, root } = one;
  const end = (error: CarriedError | null) => {
    if (watching.get(id) !== one || one.watchers !== watchers) return;
    close(id);
    tell(() => ended.push([id, error]));
  };
  let isAgain = false;
  const watchAgain = () => {
    if (isAgain) return;
    isAgain = true;
    setTimeout(() => {
      if (watching.get(id) !== one) return;
      try {
        one.watchers = watchersOf(root, one.recursive);
      } catch (error) {
        return end(carried(error));
      }
      watchers.forEach(({ watcher }) => watcher.close());
      follow(id, one);
      tell(one.hints.lostTrack);
    }, AGAIN_MS);
  };
  for (const { watcher, isFlat } of watchers) {
    drain(watcher, one, isFlat ? watchAgain : null).then(() => null, carried).then(end);
  }
}

/** Whether the event may be of a folder that is new, or may be listed only now. */
function isOfFolder({ kind, paths }: Deno.FsEvent): boolean {
  if (kind === "access" || kind === "remove") return false;
  return paths.some((path) => {
    try {
      return Deno.lstatSync(path).isDirectory;
    } catch {
      // It is gone again, or it cannot be looked at.
      return false;
    }
  });
}

function tell(change: () => void): void {
  change();
  news.resolve();
}

function watchCookie(path: string, inode: number | null): void {
  cookie?.watcher.close();
  const watcher = Deno.watchFs(path);
  const made = { inode, watcher, heard: Promise.withResolvers<void>() };
  cookie = made;
  void (async () => {
    for await (const _event of watcher) made.heard.resolve();
  })();
}

/** Ticks are counted: a clock would also tell of the time in which the computer slept, or this process was stopped. */
function endIfStill(): void {
  if (++ticksSinceBeat <= TICKS) return;
  Deno.stderr.writeSync(
    new TextEncoder().encode("image-transfer: the program stood still and ends itself; its service starts it again\n"),
  );
  Deno.kill(Deno.pid, "SIGKILL");
}

/** Reads one event after the other: a loop over the watcher would end at the first name that is not UTF-8. */
async function drain(watcher: Deno.FsWatcher, { root, hints, burst }: Watching, folder: (() => void) | null): Promise<void> {
  const events = watcher[Symbol.asyncIterator]();
  while (true) {
    try {
      const { value, done } = await events.next();
      if (done) return;
      const { kind, paths, flag } = value;
      burst.note(paths);
      if (folder !== null && isOfFolder(value)) folder();
      tell(() => flag === "rescan" ? hints.lostTrack() : hints.put({ kind: KINDS[kind], paths }));
      if (kind === "remove" && paths.includes(root)) return;
    } catch (error) {
      if (!(error instanceof TypeError && /utf-?8/i.test(error.message))) throw error;
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

const TICKS = 6;
/** Folders that are made together are watched together. */
const AGAIN_MS = 300;

serveCalls(calls);
