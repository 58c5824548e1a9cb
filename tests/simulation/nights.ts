/**
 * Nights on all processors side by side, each in a Worker: a night has the clock and the chance of its whole runtime to itself.
 */
import { night, type Verdict } from "./night.ts";
import { aNight, type Scenario } from "./scenario.ts";

const NAME = "simulated nights";

/** Lets the nights of these seeds happen; gives their verdicts in the order of the seeds. */
export async function* nightsOf(from: number, to: number, minutes: number): AsyncGenerator<Verdict & { readonly seed: number }> {
  const idle = Array.from({ length: Math.max(1, Math.min(navigator.hardwareConcurrency, to - from)) }, aWorker);
  const workers = [...idle];
  const playing: { readonly seed: number; readonly verdict: Promise<Verdict> }[] = [];
  try {
    for (let seed = from; seed < to || playing.length > 0;) {
      const worker = seed < to ? idle.pop() : undefined;
      if (worker !== undefined) {
        const verdict = playIn(worker, aNight(seed, minutes));
        verdict.finally(() => idle.push(worker)).catch(() => undefined);
        playing.push({ seed: seed++, verdict });
        continue;
      }
      const { seed: first, verdict } = playing.shift()!;
      yield { seed: first, ...await verdict };
    }
  } finally {
    for (const worker of workers) worker.terminate();
  }
}

function aWorker(): Worker {
  return new Worker(import.meta.url, { type: "module", name: NAME });
}

function playIn(worker: Worker, scenario: Scenario): Promise<Verdict> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => {
      event.preventDefault();
      reject(new Error(event.message));
    };
    worker.postMessage(scenario);
  });
}

const here = globalThis as unknown as { readonly name?: string } & Pick<Worker, "onmessage" | "postMessage">;
if (here.name === NAME) here.onmessage = async ({ data }) => here.postMessage(await night(data));
