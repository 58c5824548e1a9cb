/**
 * Starts programs from Workers. On Windows a thread of the runtime waits at every pipe, and the runtime has four of them for
 * each processor, for its files as well: with four programs that run long on two processors, no thread is left to read a file.
 * Each Worker has its own runtime, and so its own threads.
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
  /** How many run there, or have unread output. */
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

/** The Worker keeps the program until it has ended and both its outputs are read to the end, or cancelled. */
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

/** Throws `BrokenPipe` when the program ends before it has read everything. */
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
      // It was cancelled meanwhile.
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

/** The Worker broke, and its programs have lost their pipes: there is nothing left to do for them. */
function ignored(): void {}
