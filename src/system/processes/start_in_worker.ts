/**
 * Starts programs from Workers. On Windows a thread of the runtime waits at every pipe, and the runtime has four of them for
 * each processor, for its files as well: four programs that run long on two processors, and no file can be read any more.
 * Each Worker has a runtime, and so threads, of its own.
 *
 * @module
 */
import { clock } from "../host/clock.ts";
import type { Start, Started } from "./start_here.ts";
import type { Output, StartAnswer, StartOrder } from "./start_worker.ts";
import type { Command } from "../system.ts";
import { type ThrownThere, thrownThere, workerUrl } from "../workers/worker_parts.ts";

/** As many programs as a Worker has threads for: two to read, one to write. */
const PROGRAMS_EACH = Math.max(1, Math.floor(4 * navigator.hardwareConcurrency / 3));
/** A Worker without a program ends after so long. */
const REST_MS = 5_000;

/** What one program's answers go to. */
interface Listener {
  started(pid: number): void;
  notStarted(thrown: ThrownThere): void;
  taken(to: number, thrown: ThrownThere | null): void;
  piece(output: Output, piece: Uint8Array | null): void;
  finished(end: { readonly code: number; readonly signal: string | null }): void;
}

/** A way to start programs in Workers of its own; they end by themselves. */
export function workerStart(programsEach: number = PROGRAMS_EACH): Start {
  const hosts: Host[] = [];
  return async (command) => {
    let host = hosts.find((host) => host.programs() < programsEach);
    if (host === undefined) {
      const mine: Host = startHost(() => hosts.splice(hosts.indexOf(mine), 1));
      hosts.push(host = mine);
    }
    return await host.start(command);
  };
}

interface Host {
  readonly start: Start;
  /** How many it has in hand. */
  programs(): number;
}

function startHost(ended: () => void): Host {
  const worker = new Worker(workerUrl("start_worker", import.meta.url), { type: "module", name: "programs" });
  const listeners = new Map<number, Listener>();
  let count = 0;
  let broken: string | null = null;

  worker.onmessage = ({ data }: MessageEvent<StartAnswer>) => {
    const listener = listeners.get(data.id);
    if (listener === undefined) return;
    switch (data.is) {
      case "started":
        return listener.started(data.pid);
      case "not_started":
        return listener.notStarted(data.thrown);
      case "taken":
        return listener.taken(data.to, data.thrown);
      case "piece":
        return listener.piece(data.output, data.piece);
      case "finished":
        return listener.finished(data);
      default:
        return data satisfies never;
    }
  };
  worker.onerror = (event) => {
    event.preventDefault();
    broken = event.message;
    end();
    // Its programs find their pipes closed.
    for (const listener of listeners.values()) {
      listener.notStarted({ name: "Error", message: event.message, code: "" });
      listener.piece("stdout", null);
      listener.piece("stderr", null);
      listener.finished({ code: 1, signal: null });
    }
    listeners.clear();
  };

  function end(): void {
    worker.terminate();
    ended();
  }

  async function rest(): Promise<void> {
    const before = count;
    await clock.sleep(REST_MS);
    if (broken === null && listeners.size === 0 && count === before) end();
  }

  return {
    programs: () => listeners.size,
    start: (command) => {
      if (broken !== null) throw new Error(`Cannot start "${command.program}": ${broken}`);
      const id = ++count;
      const ask = (order: StartOrder) => worker.postMessage(order);
      const forget = () => {
        ask({ do: "forget", id });
        if (listeners.delete(id) && listeners.size === 0) void rest();
      };
      return startThere(command, id, ask, (listener) => listeners.set(id, listener), forget);
    },
  };
}

function startThere(
  command: Command,
  id: number,
  ask: (order: StartOrder) => void,
  listen: (listener: Listener) => void,
  forget: () => void,
): Promise<Started> {
  const outputs = { stdout: output("stdout"), stderr: output("stderr") };
  const taking = new Map<number, PromiseWithResolvers<void>>();
  const finished = Promise.withResolvers<{ readonly code: number; readonly signal: string | null }>();
  const started = Promise.withResolvers<Started>();
  let pieces = 0;
  let open = 3;
  let ended = false;

  /** Its end, and the ends of its outputs: then nothing more is heard of it. */
  function over(): void {
    if (--open === 0) forget();
  }

  function output(name: Output) {
    let more = Promise.withResolvers<void>();
    let controller: ReadableStreamDefaultController<Uint8Array>;
    let closed = false;
    const close = () => {
      if (closed) return;
      closed = true;
      over();
    };
    const stream = new ReadableStream<Uint8Array>({
      start: (given) => void (controller = given),
      pull: () => {
        more = Promise.withResolvers();
        ask({ do: "more", id, output: name });
        return more.promise;
      },
      cancel: () => {
        ask({ do: "cancel", id, output: name });
        close();
      },
    }, { highWaterMark: 0 });
    const take = (piece: Uint8Array | null) => {
      if (closed) return;
      if (piece === null) {
        close();
        controller.close();
      } else controller.enqueue(piece);
      more.resolve();
    };
    return { stream, take };
  }

  async function give(order: (to: number) => StartOrder): Promise<void> {
    if (ended) throw nobodyTakes();
    const to = ++pieces;
    const taken = Promise.withResolvers<void>();
    taking.set(to, taken);
    ask(order(to));
    await taken.promise;
  }

  listen({
    started: (pid) =>
      started.resolve({
        pid,
        stdin: {
          write: (bytes) => give((to) => ({ do: "write", id, to, bytes })),
          close: () => give((to) => ({ do: "close", id, to })),
        },
        stdout: outputs.stdout.stream,
        stderr: outputs.stderr.stream,
        finished: finished.promise,
        kill: (name) => ask({ do: "kill", id, name }),
      }),
    notStarted: (thrown) => {
      started.reject(thrownThere(thrown));
      forget();
    },
    taken: (to, thrown) => {
      if (thrown === null) taking.get(to)?.resolve();
      else taking.get(to)?.reject(thrownThere(thrown));
      taking.delete(to);
    },
    piece: (name, piece) => outputs[name].take(piece),
    finished: ({ code, signal }) => {
      ended = true;
      finished.resolve({ code, signal });
      for (const { reject } of taking.values()) reject(nobodyTakes());
      taking.clear();
      over();
    },
  });
  ask({ do: "start", id, command });
  return started.promise;
}

function nobodyTakes(): Error {
  return new Deno.errors.BrokenPipe("the program has ended");
}
