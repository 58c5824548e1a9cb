/**
 * Every regular file under a folder, in batches, from a Worker that lives as long as the walk (it costs some 13 MB).
 *
 * @module
 */
import { findBadNames } from "./bad_names.ts";
import { queue } from "../../async/queue.ts";
import type { WalkBatch, WalkOptions } from "../system.ts";
import { thrownThere, workerUrl } from "../workers/worker_parts.ts";
import type { WalkAnswer, WalkRequest } from "./walk_worker.ts";

/** Batches on their way at a time: the Worker works on while one is digested, and memory stays bounded. */
const AHEAD = 3;

/** See `Files.walk`. */
export async function* walk(root: string, options: WalkOptions, signal: AbortSignal): AsyncGenerator<WalkBatch> {
  signal.throwIfAborted();
  const answers = queue<WalkAnswer>();
  const stop = new AbortController();
  const abort = () => {
    answers.end(signal.reason);
    stop.abort(signal.reason);
  };
  signal.addEventListener("abort", abort, { once: true });
  const badNames = options.foldersNamed === undefined ? findBadNames(root, options, stop.signal) : Promise.resolve([]);
  // Awaited below: until then, its rejection is not unseen.
  badNames.catch(() => undefined);
  const worker = new Worker(workerUrl("walk_worker", import.meta.url), { type: "module", name: "walk" });
  const ask = (request: WalkRequest) => worker.postMessage(request);
  try {
    worker.onmessage = ({ data }: MessageEvent<WalkAnswer>) => answers.push(data);
    worker.onerror = (event) => {
      event.preventDefault();
      answers.end(new Error(`The walk of "${root}" broke off: ${event.message}`));
    };
    ask({ root, options });
    for (let more = 1; more < AHEAD; more++) ask("more");
    for await (const answer of answers) {
      if (answer.kind === "failed") throw thrownThere(answer);
      if (answer.kind === "end") break;
      ask("more");
      yield answer.batch;
      signal.throwIfAborted();
    }
    const unreadable = await badNames;
    if (unreadable.length > 0) yield { files: [], unreadable };
  } finally {
    worker.terminate();
    signal.removeEventListener("abort", abort);
    stop.abort();
    await Promise.allSettled([badNames]);
  }
}
