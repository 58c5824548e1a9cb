/**
 * One protocol for all Workers, our side: their functions are called as if they were here. `serve_calls.ts` is the other side.
 */
import type { Call, CallAnswer, Calls, CarriedError, HandedOver } from "./serve_calls.ts";

/** A Worker that starts with the first call, and again with the first one after it ended. Disposing of it ends it. */
export interface WorkerCalls<C extends Calls> extends Disposable {
  /** What the function there returns or throws. Also rejected when the Worker breaks or is ended. */
  call<N extends keyof C & string>(name: N, ...args: Parameters<C[N]>): Promise<Given<ReturnType<C[N]>>>;
  /** Ends it; what has not been answered is rejected with this reason. */
  end(reason?: unknown): void;
  readonly running: boolean;
}

type Given<R> = Awaited<R> extends HandedOver<infer T> ? T : Awaited<R>;

interface WorkerOptions {
  /** Its module, see {@linkcode workerUrl}. */
  readonly name: string;
  readonly here: string;
  /** For the message when it breaks: `The walk of "/data"`. */
  readonly what: string;
  /** It is ended when it had nothing to do for so long; unless given, never. Milliseconds, counted in the Worker. */
  readonly restMs?: number | null;
  /** Whether it must not be ended though it has nothing to do. */
  readonly isNeeded?: () => boolean;
}

/** Starts nothing yet. `C` is the type of the Worker's calls. */
export function workerCalls<C extends Calls>({ name, here, what, restMs = null, isNeeded }: WorkerOptions): WorkerCalls<C> {
  const pending = new Map<number, PromiseWithResolvers<unknown>>();
  let worker: Worker | null = null;
  let count = 0;

  function start(): Worker {
    const mine = new Worker(workerUrl(name, here), { type: "module", name });
    mine.onmessage = ({ data }: MessageEvent<CallAnswer>) => {
      if (worker === mine) take(data);
    };
    mine.onerror = (event) => {
      event.preventDefault();
      if (worker === mine) end(new Error(`${what} broke off: ${event.message}`));
    };
    return mine;
  }

  function take(answer: CallAnswer): void {
    if (answer === "idle") {
      // It may have been called since it said so.
      if (pending.size === 0 && !isNeeded?.()) end();
      return;
    }
    const call = pending.get(answer.id);
    pending.delete(answer.id);
    if ("failed" in answer) call?.reject(uncarried(answer.failed));
    else call?.resolve(answer.value);
  }

  function end(reason: unknown = new Error(`${what} was ended`)): void {
    worker?.terminate();
    worker = null;
    for (const { reject } of pending.values()) reject(reason);
    pending.clear();
  }

  return {
    call<N extends keyof C & string>(name: N, ...args: Parameters<C[N]>) {
      const answer = Promise.withResolvers<unknown>();
      const id = ++count;
      pending.set(id, answer);
      worker ??= start();
      worker.postMessage({ id, name, args, restMs } satisfies Call);
      return answer.promise as Promise<Given<ReturnType<C[N]>>>;
    },
    end,
    get running() {
      return worker !== null;
    },
    [Symbol.dispose]: () => end(),
  };
}

/**
 * Where a Worker's module is: from source, beside the module that starts it (`here` is its URL); when bundled, beside the bundle, as `<name>.js`
 * (the build bundles each Worker separately and embeds it).
 */
export function workerUrl(name: string, here: string): string {
  return new URL(`./${name}${here.endsWith(".ts") ? ".ts" : ".js"}`, here).href;
}

export function uncarried({ name, message, code }: CarriedError): Error {
  const classes: Readonly<Record<string, new (message: string) => Error>> = { ...Deno.errors };
  const error = new (classes[name] ?? Error)(message);
  return code === "" ? error : Object.assign(error, { code });
}
