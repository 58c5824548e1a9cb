/**
 * Starts programs from Workers. On Windows a thread of the runtime waits at every pipe, and the runtime has four of them for
 * each processor, for its files as well: four programs that run long on two processors, and no file can be read any more.
 * Each Worker has a runtime, and so threads, of its own.
 *
 * @module
 */
import { untilAborted } from "../../async/abort.ts";
import type { Start, Started } from "./start_here.ts";
import type { Output, StartCalls } from "./start_worker.ts";
import type { Command } from "../system.ts";
import { type WorkerCalls, workerCalls } from "../workers/worker_calls.ts";

/** As many programs as a Worker has threads for: two to read, one to write. */
const PROGRAMS_EACH = Math.max(1, Math.floor(4 * navigator.hardwareConcurrency / 3));
/** A Worker without a program ends after so long. */
const REST_MS = 5_000;

interface Host {
  readonly worker: WorkerCalls<StartCalls>;
  /** How many it has in hand. */
  programs: number;
}

/** Starts programs in as many Workers as they need. */
export function workerStart(programsEach: number = PROGRAMS_EACH): Start {
  const hosts: Host[] = [];
  return async (command) => {
    let host = hosts.find(({ programs }) => programs < programsEach);
    if (host === undefined) {
      const options = { name: "start_worker", here: import.meta.url, what: "Starting programs", restMs: REST_MS };
      hosts.push(host = { worker: workerCalls<StartCalls>(options), programs: 0 });
    }
    host.programs += 1;
    try {
      return await startThere(command, host);
    } catch (error) {
      host.programs -= 1;
      throw error;
    }
  };
}

type Part = Output | "status";

/** The program is in the Worker's hands until it has ended and both its outputs are read to their ends, or not wanted any more. */
async function startThere(command: Command, host: Host): Promise<Started> {
  const { worker } = host;
  const { id, pid } = await worker.call("start", command);
  worker.call("forgotten", id).catch(ignored);
  const open = new Set<Part>(["stdout", "stderr", "status"]);
  const over = (part: Part) => {
    if (!open.delete(part) || open.size > 0) return;
    worker.call("forget", id).catch(ignored);
    host.programs -= 1;
  };
  const ended = new AbortController();
  // A Worker that breaks takes its programs' pipes with it.
  const finished = worker.call("finished", id).catch(() => ({ code: 1, signal: null })).finally(() => {
    ended.abort(new Deno.errors.BrokenPipe("the program has ended"));
    over("status");
  });
  const output = (name: Output) => outputOf(worker, id, name, () => open.has(name), () => over(name));
  return {
    pid,
    stdin: {
      write: (bytes) => unlessEnded(() => worker.call("write", id, bytes), ended.signal),
      close: () => unlessEnded(() => worker.call("close", id), ended.signal),
    },
    stdout: output("stdout"),
    stderr: output("stderr"),
    finished,
    kill(name) {
      if (!ended.signal.aborted) worker.call("kill", id, name).catch(ignored);
    },
  };
}

/** What a program has not taken when it ends is not taken by anybody: throws `BrokenPipe` then. */
async function unlessEnded(give: () => Promise<void>, ended: AbortSignal): Promise<void> {
  ended.throwIfAborted();
  await untilAborted(give(), ended);
}

function outputOf(
  worker: Host["worker"],
  id: number,
  name: Output,
  isOpen: () => boolean,
  over: () => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const piece = await worker.call("read", id, name).catch(() => null);
      // Not wanted any more.
      if (!isOpen()) return;
      if (piece !== null) return controller.enqueue(piece);
      over();
      controller.close();
    },
    async cancel() {
      const cancelled = worker.call("cancel", id, name);
      over();
      await cancelled.catch(ignored);
    },
  }, { highWaterMark: 0 });
}

/** The Worker broke: what is asked of its programs has no effect any more. */
function ignored(): void {}
