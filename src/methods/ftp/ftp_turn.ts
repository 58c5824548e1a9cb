/**
 * A turn between installations that give names on a server without locks: whoever makes a certain folder has it, and shows by folders that
 * come and go in it that it is alive.
 *
 * @module
 */
import { anySignal, unlessAborted } from "../../async/abort.ts";
import { deadline } from "../../async/deadline.ts";
import type { System } from "../../system/system.ts";

/** One without a heartbeat for so long was left behind by a process that was killed, or by a connection that broke. */
const STALE_MS = 30_000;
/** Comparing large files takes minutes. */
const HEARTBEAT_MS = 2_000;

/** The folder of a server, as turns need it. Names in it are numbers. */
export interface TurnFolder {
  readonly clock: Pick<System, "monotonic" | "now" | "sleep" | "random">;
  /** Who waits is itself given up after so long, and must have found out before. */
  readonly timeoutMs: number;
  readonly retryMs: number;
  /** Makes it. Whatever makes that `impossible`, it is not another one's turn. */
  make(signal: AbortSignal): Promise<"made" | "taken" | "impossible">;
  /** What is in it. */
  names(signal: AbortSignal): Promise<readonly string[]>;
  /** Makes a folder in it, and removes others. */
  beat(name: string, former: readonly string[], signal: AbortSignal): Promise<unknown>;
  /** Removes these folders in it, then the folder itself. */
  remove(names: readonly string[], signal: AbortSignal): Promise<unknown>;
}

/** Kept until it is disposed of. */
export interface Turn extends AsyncDisposable {
  /** No more signs of life from now on; gives the names in the folder, for who removes it together with other work… */
  stop(): Promise<readonly string[]>;
  /** …and then says so. */
  removed(): void;
}

/** Waits until the folder is ours; null where it cannot be made: nobody has a turn there. */
export async function takeTurn(folder: TurnFolder, signal: AbortSignal): Promise<Turn | null> {
  const { clock, retryMs } = folder;
  const staleMs = staleAfter(folder);
  let beats: readonly string[] = [];
  let [changedAt, lookedAt] = [clock.monotonic(), clock.monotonic()];
  for (;;) {
    const made = await folder.make(signal);
    if (made !== "taken") return made === "made" ? alive(folder) : null;
    if (clock.monotonic() - lookedAt >= beatEvery(folder)) {
      const now = (await folder.names(signal)).filter((name) => /^\d+$/.test(name));
      lookedAt = clock.monotonic();
      const stale = now.join() === beats.join() && lookedAt - changedAt > staleMs;
      if (stale) await folder.remove(now, signal);
      if (stale || now.join() !== beats.join()) changedAt = lookedAt;
      beats = now;
    }
    await clock.sleep(retryMs * (0.5 + clock.random()), signal);
    signal.throwIfAborted();
  }
}

function staleAfter({ timeoutMs }: TurnFolder): number {
  return Math.min(STALE_MS, timeoutMs / 2);
}

function beatEvery(folder: TurnFolder): number {
  return Math.min(HEARTBEAT_MS, staleAfter(folder) / 4);
}

/** Shows that its owner is alive until it is disposed of. */
function alive(folder: TurnFolder): Turn {
  const { clock } = folder;
  const end = anySignal();
  let made: readonly string[] = [];
  let isRemoved = false;
  const beating = (async () => {
    for (let count = 1;; count++) {
      await clock.sleep(beatEvery(folder), end.signal);
      if (end.signal.aborted) return;
      const next = String(Math.trunc(clock.now()) + count);
      const former = made;
      made = [...former, next];
      if (await isDone(clock, (signal) => folder.beat(next, former, signal))) made = [next];
    }
  })();
  const stop = async () => {
    end.abort();
    await beating;
    return made;
  };
  return {
    stop,
    removed: () => void (isRemoved = true),
    async [Symbol.asyncDispose]() {
      const names = await stop();
      // Also where the work was stopped: others wait. What is left behind is taken for stale later.
      if (!isRemoved) await isDone(clock, (signal) => folder.remove(names, signal));
    },
  };
}

/** A connection that is lost or silent shows in the work itself. */
async function isDone(clock: TurnFolder["clock"], change: (signal: AbortSignal) => Promise<unknown>): Promise<boolean> {
  using limit = deadline(PATIENCE_MS, clock);
  return await unlessAborted(change(limit.signal).then(() => true, () => false), limit.signal, false);
}

const PATIENCE_MS = 10_000;
