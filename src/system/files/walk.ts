/**
 * Every regular file under a folder, in batches: a small tree is read here, a larger one in a Worker that lives as long as the walk (it
 * costs some 13 MB, and a tenth of a second to start).
 *
 * @module
 */
import { anySignal, onAbort, untilAborted } from "../../async/abort.ts";
import { findBadNames } from "./bad_names.ts";
import type { Bulkheads } from "./bulkheads.ts";
import type { Files, WalkBatch, WalkOptions } from "../system.ts";
import { workerCalls } from "../workers/worker_calls.ts";
import { type Disk, walkTree } from "./walk_tree.ts";
import type { WalkCalls } from "./walk_worker.ts";

/** A tree with more names is read in a Worker. */
const FEW = 200;
/** How long the names that cannot be used may be those found by a former walk. */
const BAD_NAMES_AGAIN_MS = 3_600_000;
/** Batches on their way at a time: the Worker works on while one is digested, and memory stays bounded. */
const AHEAD = 3;

/** `at` gives each folder its share of the runtime's threads. */
export function createWalk(at: Bulkheads["run"]): Files["walk"] {
  /** Roots that had many names: whoever reads a folder of a million here blocks everybody for long. */
  const large = new Set<string>();
  const badNamesOf = badNamesFound();
  return async function* walk(root, options, signal) {
    signal.throwIfAborted();
    using end = anySignal(signal);
    const badNames = options.foldersNamed === undefined ? badNamesOf(root, options, end.signal) : Promise.resolve([]);
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

/** A walk that leaves folders out must not have `find` read all of them each time: events tell of such names, too. */
function badNamesFound(): typeof findBadNames {
  const last = new Map<string, { readonly names: WalkBatch["unreadable"]; readonly at: number }>();
  return async (root, options, signal) => {
    const known = last.get(root);
    if ((options.known?.folders?.size ?? 0) > 0 && known !== undefined && performance.now() - known.at < BAD_NAMES_AGAIN_MS) {
      return known.names;
    }
    const names = await findBadNames(root, options, signal);
    last.set(root, { names, at: performance.now() });
    return names;
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
  using tree = workerCalls<WalkCalls>({ name: "walk_worker", here: import.meta.url, what: `The walk of "${root}"` });
  using _listening = onAbort(signal, () => tree.end(signal.reason));
  const ahead: Promise<WalkBatch | null>[] = [];
  const askForMore = () => {
    const batch = tree.call("next");
    // Awaited later: until then, its rejection is not unseen.
    batch.catch(() => undefined);
    ahead.push(batch);
  };
  await tree.call("begin", root, options);
  while (ahead.length < AHEAD) askForMore();
  for (let batch = await ahead.shift(); batch; batch = await ahead.shift()) {
    askForMore();
    yield batch;
  }
}
