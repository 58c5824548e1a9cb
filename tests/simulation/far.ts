/**
 * A far machine and the line to it, below the contract of a method: what is done there is done by the method `local` on the far machine's
 * disk, and between it and the program is a line that can be cut, freeze, lose an answer, and leave a writer behind that goes on.
 */
import { Failure } from "../../src/domain/failure.ts";
import { local } from "../../src/methods/local/local.ts";
import type { Connector, Session } from "../../src/methods/method.ts";
import type { Destination } from "../../src/config/settings.ts";
import { type Delay, type Life, Waiting } from "./world.ts";

/** The state of the line. */
export interface Line {
  state: "well" | "cut" | "frozen" | "slow";
  /** The answer to the next request is lost: it is done there, and the program hears that the line was cut. */
  losesAnswer: boolean;
  /** Bumped when connections are cut: sessions of before are lost. */
  generation: number;
  /** Who waits until it answers again. */
  waiting: (() => void)[];
}

export function aLine(): Line {
  return { state: "well", losesAnswer: false, generation: 0, waiting: [] };
}

const TRAVEL: Delay = [5, 40];
const SLOW: Delay = [500, 4000];

/** The method that reaches the far machine. `life` is that of the program. */
export function farMethod(line: Line, life: Life): Connector {
  const travel = () =>
    life.answer(line.state === "slow" ? SLOW : TRAVEL, () => {
      if (line.state === "frozen") return new Waiting((again) => line.waiting.push(again));
      if (line.state === "cut") throw unreachable();
    });
  return {
    async connect(destination, context, signal) {
      await untilAborted(travel(), signal);
      const there = await local.connect(destination as Destination as Parameters<typeof local.connect>[0], context, signal);
      const { generation } = line;
      return overLine(there, {
        async ask(work, given) {
          await untilAborted(travel(), given);
          if (generation !== line.generation) throw lost();
          // What runs there goes on when we give up here.
          const done = work();
          done.catch(() => undefined);
          const result = await untilAborted(done, given);
          const isLost = line.losesAnswer || generation !== line.generation;
          line.losesAnswer = false;
          if (isLost) throw lost();
          await untilAborted(travel(), given);
          return result;
        },
      });
    },
  };
}

interface Asking {
  ask<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T>;
}

function overLine(there: Session, { ask }: Asking): Session {
  const last = (given: readonly unknown[]) => given.find((each) => each instanceof AbortSignal);
  const over = <A extends readonly unknown[], R>(act: (...given: A) => Promise<R>) => (...given: A) =>
    ask(() => act(...given), last(given));
  return {
    proof: there.proof,
    durability: there.durability,
    hashesSource: there.hashesSource,
    resumes: there.resumes,
    // Of the real ones, some take over what is there whole.
    sendsStagedAgain: false,
    method: "sftp",
    about: "a simulated far machine",
    attach: over(there.attach),
    survey: over(there.survey),
    digest: over(there.digest),
    modifiedAt: over(there.modifiedAt),
    put: over(there.put),
    publish: over(there.publish),
    flush: over(there.flush),
    remove: over(there.remove),
    emptyTrash: over(there.emptyTrash),
    leftovers: over(there.leftovers),
    sweep: over(there.sweep),
    [Symbol.asyncDispose]: () => there[Symbol.asyncDispose](),
  };
}

function unreachable(): Failure {
  return new Failure("unreachable", "Cannot reach freya: connection refused");
}

function lost(): Failure {
  return new Failure("interrupted", "The connection to freya was lost");
}

function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener("abort", abort, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
