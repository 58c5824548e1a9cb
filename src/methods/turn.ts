/**
 * A turn between installations that give names on a server without locks: whoever makes a certain folder has it, and shows by folders that
 * come and go in it that it is alive.
 */
import { anySignal, unlessAborted } from "../async/abort.ts";
import { deadline } from "../async/deadline.ts";
import type { Act, Answers, Names, Phases } from "./names.ts";
import { unsafeStaging } from "./staging.ts";

/** Lies beside the staging folders; named so, it is never watched or taken for a file. */
export const TURN = ".image-transfer-turn";
/** One without a heartbeat for so long was left behind by a process that was killed, or by a connection that broke. */
const STALE_MS = 30_000;
/** Comparing large files takes minutes. */
const HEARTBEAT_MS = 2_000;
/** A heartbeat that takes longer is given up: a lost connection shows in the work itself. */
const PATIENCE_MS = 10_000;
const RETRY_MS = 50;

/** Kept until it is disposed of. */
interface Turn extends AsyncDisposable {
  /** Of what was done together with taking it. */
  readonly answers: Answers;
  /** No more signs of life from now on; gives what gives it back, for who does that together with other work… */
  stop(): Promise<Phases>;
  /** …and then says so. */
  removed(): void;
}

type Place = Pick<Names, "act" | "list" | "lock" | "system" | "timeoutMs" | "retryMs" | "where">;

/** Waits for the turn. What is to be done `together` with it is done anew until it is ours. */
export async function takeTurn(place: Place, together: Phases, signal: AbortSignal): Promise<Turn> {
  if (place.lock) {
    const lock = await place.lock(signal);
    const answers = await place.act(together, signal);
    return { ...noTurn(answers), [Symbol.asyncDispose]: async () => await lock?.[Symbol.asyncDispose]() };
  }
  const { system: clock, timeoutMs, retryMs = RETRY_MS } = place;
  // Who waits is itself given up after `timeoutMs`, and must have found out before.
  const staleMs = Math.min(STALE_MS, timeoutMs / 2);
  const beatMs = Math.min(HEARTBEAT_MS, staleMs / 4);
  const [make, look]: Act[] = [{ do: "mkdir", path: TURN }, { do: "free", path: TURN }];
  let [beats, isFolder, refusals] = ["", false, 0];
  let [changedAt, lookedAt] = [clock.monotonic(), clock.monotonic()];
  for (;;) {
    const isAlone = together.length === 0;
    const phases = isAlone ? [[make!]] : [[make!], ...together.slice(0, -1), [...together.at(-1)!, look!]];
    const answers = await place.act(phases, signal);
    if (answers.get(make!)!.done) return alive(place, answers, beatMs);
    const looked = isAlone ? await place.act([[look!]], signal) : answers;
    if (looked.get(look!)!.done) {
      // Once more: it may have been removed between the two questions. What keeps it from being made is nobody's turn.
      if (++refusals > 1) return noTurn(answers);
      continue;
    }
    if (!isFolder) {
      const stat: Act = { do: "stat", path: TURN };
      const { kind = "folder" } = (await place.act([[stat]], signal)).get(stat)!.stat ?? {};
      if (kind !== "folder") throw unsafeStaging(place.where, TURN, "link");
      isFolder = true;
    }
    if (clock.monotonic() - lookedAt >= beatMs) {
      const [entries = []] = await place.list([TURN], signal);
      const names = entries.map(({ name }) => name).filter((name) => /^\d+$/.test(name));
      lookedAt = clock.monotonic();
      const isSame = names.join() === beats;
      const isStale = isSame && lookedAt - changedAt > staleMs;
      if (isStale) await place.act(removals(names), signal);
      if (isStale || !isSame) changedAt = lookedAt;
      beats = names.join();
    }
    await clock.sleep(retryMs * (0.5 + clock.random()), signal);
    signal.throwIfAborted();
  }
}

function noTurn(answers: Answers): Turn {
  return { answers, stop: () => Promise.resolve([]), removed: () => {}, [Symbol.asyncDispose]: () => Promise.resolve() };
}

/** What gives it back. */
function removals(names: readonly string[]): Phases {
  return [names.map((name) => ({ do: "rmdir", path: `${TURN}/${name}` })), [{ do: "rmdir", path: TURN }]];
}

/** Shows that its owner is alive until it is disposed of. */
function alive({ act, system: clock }: Place, answers: Answers, beatMs: number): Turn {
  const end = anySignal();
  let made: readonly string[] = [];
  let isRemoved = false;
  const isDone = async (phases: Phases): Promise<boolean> => {
    using limit = deadline(PATIENCE_MS, clock);
    return await unlessAborted(act(phases, limit.signal).then(() => true, () => false), limit.signal, false);
  };
  const beating = (async () => {
    for (let count = 1;; count++) {
      await clock.sleep(beatMs, end.signal);
      if (end.signal.aborted) return;
      const next = String(Math.trunc(clock.now()) + count);
      const former = removals(made)[0]!;
      made = [...made, next];
      if (await isDone([[{ do: "mkdir", path: `${TURN}/${next}` }], former])) made = [next];
    }
  })();
  const stop = async () => {
    end.abort();
    await beating;
    return removals(made);
  };
  return {
    answers,
    stop,
    removed: () => void (isRemoved = true),
    async [Symbol.asyncDispose]() {
      const ending = await stop();
      // Also where the work was stopped: others wait. What is left behind is taken for stale later.
      if (!isRemoved) await isDone(ending);
    },
  };
}
