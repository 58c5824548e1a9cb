/** How far files are while a program that tells nothing sends them: looked at where they arrive. */
import { anySignal } from "../async/abort.ts";
import type { Sleeper } from "../async/deadline.ts";
import type { Session, Upload } from "./method.ts";

/** Looks until it is disposed of; then no look is under way any more. */
interface Growth extends AsyncDisposable {
  /** True where a file has grown since this was last asked. */
  moving(): boolean;
  /** These are there. */
  done(uploads: readonly Upload[]): void;
}

/** How it is looked. */
interface Looks {
  readonly survey: Session["survey"];
  readonly periodMs: number;
  /** So many of those that are not done are looked at each time: the first, as files are sent in order. */
  readonly files: number;
}

/** Tells `onBytes` again and again; a look that fails is left to the transfer itself to report. */
export function watchGrowth(
  uploads: readonly Upload[],
  { survey, periodMs, files }: Looks,
  onBytes: (upload: Upload, bytes: number) => void,
  clock: Sleeper,
  signal: AbortSignal,
): Growth {
  const open = new Set(uploads);
  const end = anySignal(signal);
  // Files that are done count with all they have, so that the sum only ever grows.
  let [doneBytes, seenBytes, askedBytes] = [0, 0, 0];

  async function look(): Promise<void> {
    const some = [...open].slice(0, files);
    const found = await survey(some.map(({ staged }) => staged), end.signal);
    let bytes = 0;
    for (const [index, upload] of some.entries()) {
      const size = found[index]?.bytes ?? 0;
      if (!open.has(upload)) continue;
      bytes += size;
      if (size > 0) onBytes(upload, Math.min(size, upload.source.size));
    }
    seenBytes = doneBytes + bytes;
  }

  async function lookUntilEnd(): Promise<void> {
    for (;;) {
      await clock.sleep(periodMs, end.signal);
      if (end.signal.aborted) return;
      await look().catch(() => undefined);
    }
  }

  const looking = lookUntilEnd();
  return {
    moving: () => {
      const grown = seenBytes > askedBytes;
      askedBytes = seenBytes;
      return grown;
    },
    done: (some) => {
      for (const upload of some) {
        if (!open.delete(upload)) continue;
        doneBytes += upload.source.size;
        onBytes(upload, upload.source.size);
      }
    },
    [Symbol.asyncDispose]: async () => {
      end[Symbol.dispose]();
      await looking;
    },
  };
}
