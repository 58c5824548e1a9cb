/**
 * Every regular file under a folder, in batches, from a Worker that lives as long as the walk (it costs some 13 MB).
 *
 * @module
 */
import { anySignal, onAbort } from "../../async/abort.ts";
import { findBadNames } from "./bad_names.ts";
import type { WalkBatch, WalkOptions } from "../system.ts";
import { workerCalls } from "../workers/worker_calls.ts";
import type { WalkCalls } from "./walk_worker.ts";

/** Batches asked for in advance: the Worker continues while one is processed, and memory stays bounded. */
const AHEAD = 3;

/** See `Files.walk`. */
export async function* walk(root: string, options: WalkOptions, signal: AbortSignal): AsyncGenerator<WalkBatch> {
  signal.throwIfAborted();
  using end = anySignal(signal);
  const badNames = options.foldersNamed === undefined ? findBadNames(root, options, end.signal) : Promise.resolve([]);
  // Awaited below; until then a rejection must not count as unhandled.
  badNames.catch(() => undefined);
  using tree = workerCalls<WalkCalls>({ name: "walk_worker", here: import.meta.url, what: `The walk of "${root}"` });
  using _listening = onAbort(signal, () => tree.end(signal.reason));
  const ahead: Promise<WalkBatch | null>[] = [];
  const askForMore = () => {
    const batch = tree.call("next");
    // Likewise.
    batch.catch(() => undefined);
    ahead.push(batch);
  };
  try {
    await tree.call("begin", root, options);
    while (ahead.length < AHEAD) askForMore();
    for (let batch = await ahead.shift(); batch; batch = await ahead.shift()) {
      askForMore();
      yield batch;
      signal.throwIfAborted();
    }
    const unreadable = await badNames;
    if (unreadable.length > 0) yield { files: [], unreadable };
  } finally {
    end.abort();
    await Promise.allSettled([badNames]);
  }
}
