/** The Worker of `worker_calls_test.ts`. */
import { serveCalls } from "../../../src/system/workers/serve_calls.ts";

let release = () => {};

const calls = {
  sum: (a: number, b: number) => a + b,
  /** Not answered before {@linkcode calls.release}. */
  waits: () => new Promise<string>((resolve) => release = () => resolve("released")),
  release: () => release(),
  missing: () => Deno.readTextFile(new URL("./missing.txt", import.meta.url)),
  throwsText: () => {
    throw "no error at all";
  },
  breaks: () =>
    void setTimeout(() => {
      throw new Error("out of order");
    }),
  count: () => ++count,
};
let count = 0;

/** What it can be asked. */
export type EchoCalls = typeof calls;

serveCalls(calls);
