/**
 * Time, chance and order of the simulated world. A clock that jumps to the next thing that happens, and one source of chance: the same seed,
 * the same night, moment by moment. Nothing here waits for real time, and nothing in the world happens but through here.
 */
import type { Clock } from "../../src/system/system.ts";
import { untilStep } from "../../src/system/host/clock.ts";
import { type Dice, dice } from "../support/seeded.ts";

/** When something happens: a delay from now, milliseconds, between these. */
export type Delay = readonly [from: number, to: number];

interface Happening {
  readonly at: number;
  readonly nth: number;
  readonly act: () => void;
}

/** The world's time and chance. Everything that happens is a step: between two steps all promises that can go on do so. */
export interface World {
  readonly chance: Dice;
  /** Milliseconds since 1970 UTC, as a wall clock that people can set says. */
  now(): number;
  /** Milliseconds since the night began. */
  passed(): number;
  /** Sets the wall clock forwards or back. */
  setClock(byMs: number): void;
  /** Has something happen later. */
  after(ms: number, act: () => void): void;
  sleep(ms: number): Promise<void>;
  /** One line of the trace. */
  note(line: string): void;
  /** A line of the trace that people read as well. */
  tell(line: string): void;
  /** What people are told, each line with the time of the night. */
  readonly told: readonly string[];
  /** A digest of all lines so far, and the last of them. */
  readonly trace: { digest(): string; readonly last: readonly string[] };
  /** Steps so far. */
  readonly steps: number;
  /** Lets the world happen until this is true. @throws {Error} when nothing will ever happen again: then somebody waits for the real world. */
  run(until: () => boolean): void;
}

/** The runtime's own way to let all promises that can go on do so, outside of any of them. */
const runMicrotasks: () => void = (Deno as unknown as Record<symbol, { readonly core: { runMicrotasks(): void } }>)[
  (Deno as unknown as { readonly internal: symbol }).internal
]!.core.runMicrotasks;

const LINES_KEPT = 2_000;

export function createWorld(seed: number, startMs: number): World {
  const chance = dice(seed).of("world");
  const happenings = heap();
  let passedMs = 0;
  let wall = startMs;
  let nth = 0;
  let steps = 0;
  let [a, b] = [0x811c9dc5, 0];
  let last: string[] = [];
  const told: string[] = [];

  const after = (ms: number, act: () => void) => happenings.push({ at: passedMs + Math.max(0, ms), nth: nth++, act });
  const note = (line: string) => {
    const text = `${passedMs.toFixed(3)} ${line}`;
    for (let at = 0; at < text.length; at++) a = Math.imul(a ^ text.charCodeAt(at), 0x01000193);
    b = Math.imul(b ^ a, 0x85ebca6b) ^ (a >>> 13);
    last.push(text);
    if (last.length > 2 * LINES_KEPT) last = last.slice(-LINES_KEPT);
  };
  return {
    chance,
    now: () => Math.floor(wall + passedMs),
    passed: () => passedMs,
    setClock: (byMs) => wall += byMs,
    after,
    sleep: (ms) => new Promise((resolve) => after(ms, resolve)),
    note,
    told,
    tell(line) {
      note(line);
      told.push(`${new Date(startMs + passedMs).toISOString().slice(11, 23)} ${line}`);
    },
    trace: {
      digest: () => `${(a >>> 0).toString(16)}-${(b >>> 0).toString(16)}`,
      get last() {
        return last.slice(-LINES_KEPT);
      },
    },
    get steps() {
      return steps;
    },
    run(until) {
      for (runMicrotasks(); !until(); runMicrotasks()) {
        const next = happenings.pop();
        if (next === undefined) {
          throw new Error("Nothing will ever happen again: the program waits for something outside of the world");
        }
        passedMs = next.at;
        steps += 1;
        next.act();
      }
    },
  };
}

/** The next to happen first; of those at one time, in the order in which they were planned. */
function heap(): { push(one: Happening): void; pop(): Happening | undefined } {
  const all: Happening[] = [];
  const isSooner = (one: Happening, other: Happening) => one.at < other.at || (one.at === other.at && one.nth < other.nth);
  return {
    push(one) {
      let at = all.length;
      all.push(one);
      while (at > 0) {
        const up = (at - 1) >> 1;
        if (isSooner(all[up]!, one)) break;
        all[at] = all[up]!;
        at = up;
      }
      all[at] = one;
    },
    pop() {
      const [first] = all;
      const one = all.pop();
      if (one === undefined || all.length === 0) return first;
      let at = 0;
      for (;;) {
        let down = 2 * at + 1;
        if (down >= all.length) break;
        if (down + 1 < all.length && isSooner(all[down + 1]!, all[down]!)) down += 1;
        if (!isSooner(all[down]!, one)) break;
        all[at] = all[down]!;
        at = down;
      }
      all[at] = one;
      return first;
    },
  };
}

/**
 * One life of a program, from its start to its end, however it ends. What it asked of the world is answered only while it lives: after
 * its end none of its promises settles, so nothing of it goes on.
 */
export interface Life extends Clock {
  readonly world: World;
  readonly alive: boolean;
  /**
   * Does something of the world for the program, some time from now, and answers a little later. Where the program has ended meanwhile, what it
   * asked for may be done all the same, if `lingers`.
   */
  answer<T>(delay: Delay, act: () => T | Waiting, lingers?: "lingers"): Promise<T>;
  /** The program ends here and now. */
  end(): void;
}

/** What an act gives that cannot be done yet: it is tried again when that calls back. */
export class Waiting {
  constructor(readonly until: (again: () => void) => void) {}
}

export function createLife(world: World): Life {
  const { chance } = world;
  let alive = true;

  function attempt<T>(
    act: () => T | Waiting,
    lingers: boolean,
    settle: { resolve(value: T): void; reject(error: unknown): void },
  ): void {
    if (!alive && !(lingers && chance.chance(0.5))) return;
    let done: () => void;
    try {
      const result = act();
      if (result instanceof Waiting) return result.until(() => attempt(act, lingers, settle));
      done = () => settle.resolve(result);
    } catch (error) {
      done = () => settle.reject(error);
    }
    const answer = () => alive && done();
    // Most answers come at once; for some the world goes on between the deed and its answer.
    if (chance.chance(0.1)) world.after(chance.int(0, 20) / 10, answer);
    else answer();
  }

  return {
    world,
    get alive() {
      return alive;
    },
    answer: ([from, to], act, lingers) =>
      new Promise((resolve, reject) => {
        if (!alive) return;
        world.after(chance.int(Math.round(from * 1000), Math.round(to * 1000)) / 1000, () =>
          attempt(act, lingers === "lingers", { resolve, reject }));
      }),
    end: () => void (alive = false),
    now: () => world.now(),
    monotonic: () => world.passed(),
    random: () => chance.int(0, 0xffff_fffe) / 0xffff_ffff,
    randomHex: (bytes) => Array.from({ length: 2 * bytes }, () => chance.int(0, 15).toString(16)).join(""),
    sleep: (ms, signal, inStep) =>
      new Promise((resolve) => {
        if (ms <= 0 || signal?.aborted) return resolve();
        let isOver = false;
        const wake = () => {
          if (isOver || !alive) return;
          isOver = true;
          signal?.removeEventListener("abort", wake);
          resolve();
        };
        signal?.addEventListener("abort", wake, { once: true });
        // A timer fires on time or late, never early.
        world.after((inStep ? untilStep(ms, world.passed()) : ms) + chance.int(0, 8) / 8, wake);
      }),
  };
}
