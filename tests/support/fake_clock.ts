/**
 * A clock that a test moves by hand. `sleep` resolves when `advance` has passed its end, in the order of the ends;
 * nothing ever waits for real time.
 */
import type { Clock } from "../../src/system/system.ts";

/** A {@linkcode Clock} with the handles of a test. */
export interface FakeClock extends Clock {
  /** Lets time pass: wakes every sleeper whose time has come, one after the other, and lets what they start run on. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock forwards or back without time passing: `monotonic` stays. */
  jump(ms: number): void;
  /** How many sleeps wait now. */
  readonly sleeping: number;
  /** Resolves once at least `count` sleeps wait, so that a test can be sure its loop has come to rest. */
  resting(count?: number): Promise<void>;
}

/** Options of {@linkcode createFakeClock}: the wall clock at the start (2026-01-15T20:00:00Z) and the numbers `random` gives in turn. */
interface FakeClockOptions {
  readonly startMs?: number;
  readonly random?: readonly number[];
  /** Real files are read and written meanwhile: gives them some real time at each step. */
  readonly realFiles?: boolean;
}

/** Makes a clock at rest. `monotonic` begins at 0, `random` gives 0.5 unless told otherwise, `randomHex` counts. */
export function createFakeClock(options: FakeClockOptions = {}): FakeClock {
  const turns = () => takeTurns(options.realFiles ?? false);
  let wall = options.startMs ?? Date.UTC(2026, 0, 15, 20);
  let passed = 0;
  let drawn = 0;
  let named = 1;
  const numbers = options.random ?? [0.5];
  const sleepers: { readonly end: number; readonly wake: () => void }[] = [];

  const pass = (ms: number) => {
    wall += ms;
    passed += ms;
  };

  return {
    now: () => wall,
    monotonic: () => passed,
    random: () => numbers[drawn++ % numbers.length] ?? 0.5,
    randomHex: (bytes) => (named++).toString(16).padStart(2 * bytes, "0"),
    get sleeping() {
      return sleepers.length;
    },
    jump(ms) {
      wall += ms;
    },
    sleep(ms, signal) {
      if (signal?.aborted) return Promise.resolve();
      return new Promise((resolve) => {
        const sleeper = {
          end: passed + Math.max(0, ms),
          wake: () => {
            sleepers.splice(sleepers.indexOf(sleeper), 1);
            signal?.removeEventListener("abort", sleeper.wake);
            resolve();
          },
        };
        signal?.addEventListener("abort", sleeper.wake, { once: true });
        sleepers.push(sleeper);
      });
    },
    async advance(ms) {
      const end = passed + ms;
      await turns();
      while (true) {
        const next = sleepers.filter((sleeper) => sleeper.end <= end).sort((a, b) => a.end - b.end)[0];
        if (next === undefined) break;
        pass(Math.max(0, next.end - passed));
        next.wake();
        await turns();
      }
      pass(end - passed);
      await turns();
    },
    async resting(count = 1) {
      while (sleepers.length < count) await turns();
    },
  };
}

/** Lets everything that is ready run on: a few turns of the event loop. A timer takes two milliseconds, and a turn alone none. */
async function takeTurns(realFiles: boolean): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise<void>((done) => realFiles ? setTimeout(done, 0) : setImmediate(done));
}
