/**
 * Every regular file under a folder, in batches: a small tree is read here, a larger one in a Worker that lives as long as the walk (it
 * costs some memory, and a tenth of a second to start).
 */
import { anySignal, onAbort, untilAborted } from "../../async/abort.ts";
import { BEFORE_DENO_2_9 } from "../host/deno_version.ts";
import { processes, splitAtNul } from "../processes/processes.ts";
import { which } from "../processes/launch.ts";
import type { Files, WalkBatch, WalkOptions } from "../system.ts";
import { workerCalls } from "../workers/worker_calls.ts";
import type { Bulkheads } from "./bulkheads.ts";
import type { FileCalls } from "./file_worker.ts";
import { type Disk, NOT_UTF8, walkTree } from "./walk_tree.ts";

/** A tree with more names is read in a Worker. */
const FEW = 200;
/** How long the names that cannot be used may be those found by a former walk. */
const BAD_NAMES_AGAIN_MS = 3_600_000;
/** Batches on their way at a time: the Worker works on while one is digested, and memory stays bounded. */
const AHEAD = 3;
/** True where the runtime's listings leave out names that are not UTF-8; elsewhere, the walk reports them itself. */
const BAD_NAMES_LEFT_OUT = Deno.build.os !== "windows" && BEFORE_DENO_2_9;

/** `at` gives each folder its share of the runtime's threads. */
export function createWalk(at: Bulkheads["run"]): Files["walk"] {
  /** Roots that had many names: whoever reads a folder of a million here blocks everybody for long. */
  const large = new Set<string>();
  const lastBadNames = new Map<string, { readonly names: WalkBatch["unreadable"]; readonly at: number }>();

  /** A walk that leaves folders out must not have `find` read all of them each time: events tell of such names, too. */
  async function badNamesOf(root: string, options: WalkOptions, signal: AbortSignal): Promise<WalkBatch["unreadable"]> {
    if (!BAD_NAMES_LEFT_OUT || options.foldersNamed !== undefined) return [];
    const known = lastBadNames.get(root);
    const isRecent = known !== undefined && performance.now() - known.at < BAD_NAMES_AGAIN_MS;
    if (isRecent && (options.known?.folders?.size ?? 0) > 0) return known.names;
    const names = await findBadNames(root, options, signal);
    lastBadNames.set(root, { names, at: performance.now() });
    return names;
  }

  return async function* walk(root, options, signal) {
    signal.throwIfAborted();
    using end = anySignal(signal);
    const badNames = badNamesOf(root, options, end.signal);
    // Awaited below: until then, its rejection is not unseen.
    badNames.catch(() => undefined);
    try {
      const small = large.has(root) ? null : await untilAborted(smallTree(root, options, at), signal);
      if (small === null) large.add(root);
      for await (const batch of small ?? walkThere(root, options, signal)) {
        yield batch;
        signal.throwIfAborted();
      }
      const unreadable = await badNames;
      if (unreadable.length > 0) yield { files: [], unreadable };
    } finally {
      end.abort();
      await Promise.allSettled([badNames]);
    }
  };
}

/** Null where there are more than a few names. */
async function smallTree(root: string, options: WalkOptions, at: Bulkheads["run"]): Promise<WalkBatch[] | null> {
  let names = 0;
  const disk: Disk = {
    entries: (folder) =>
      at(folder, async () => {
        const entries = names > FEW ? [] : await Array.fromAsync(Deno.readDir(folder));
        names += entries.length;
        return names > FEW ? [] : entries;
      }),
    look: (path) => at(path, () => Deno.lstat(path)),
    now: () => Date.now(),
  };
  const batches = await Array.fromAsync(walkTree(root, options, disk));
  return names > FEW ? null : batches;
}

async function* walkThere(root: string, options: WalkOptions, signal: AbortSignal): AsyncGenerator<WalkBatch> {
  using tree = workerCalls<FileCalls>({ name: "file_worker", here: import.meta.url, what: `The walk of "${root}"` });
  using _listening = onAbort(signal, () => tree.end(signal.reason));
  const ahead: Promise<WalkBatch | null>[] = [];
  const askForMore = () => {
    const batch = tree.call("nextOfWalk");
    // Awaited later: until then, its rejection is not unseen.
    batch.catch(() => undefined);
    ahead.push(batch);
  };
  await tree.call("beginWalk", root, options);
  while (ahead.length < AHEAD) askForMore();
  for (let batch = await ahead.shift(); batch; batch = await ahead.shift()) {
    askForMore();
    yield batch;
  }
}

/** What lies under `root` with a name that is not UTF-8, as the walk reports it. */
async function findBadNames(root: string, options: WalkOptions, signal: AbortSignal): Promise<WalkBatch["unreadable"]> {
  if (await which("find") === null) return [];
  // With the slash, a root that is a symlink is entered.
  const folder = root.endsWith("/") ? root : `${root}/`;
  const args = [
    ...[folder, "-mindepth", "1"],
    ...(options.recursive ? [] : ["-maxdepth", "1"]),
    ...(options.skipHidden ? ["-name", ".*", "-prune", "-o"] : []),
    // In the C locale every byte is a character: names with any other than printable ASCII.
    ...["(", "-type", "f", "-o", "-type", "d", ")", "-name", "*[! -~]*", "-print0"],
  ];
  await using child = await processes.spawn({ program: "find", args, env: { LC_ALL: "C" } }, signal);
  await child.closeStdin();
  const found: { path: string; reason: string }[] = [];
  for await (const name of splitAtNul(child.stdout)) {
    try {
      strict.decode(name);
    } catch {
      found.push({ path: lossy.decode(name).slice(folder.length), reason: NOT_UTF8 });
    }
  }
  signal.throwIfAborted();
  return found;
}

const strict = new TextDecoder("utf-8", { fatal: true });
const lossy = new TextDecoder();
