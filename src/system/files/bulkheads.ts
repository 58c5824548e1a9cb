/**
 * Keeps a disk that does not respond from blocking the work on others. A call to a dead network drive does not return, and
 * occupies a thread of the runtime all that time; there are 32 (on Windows four for each processor). So each named folder gets only a
 * share of them, and further calls wait for that folder alone. Not the semaphore of `async/`: a reload changes the number of places.
 */
import { SEPARATOR } from "@std/path";

export type Bulkheads = ReturnType<typeof createBulkheads>;

interface Share {
  running: number;
  readonly waiting: (() => void)[];
}

/** The runtime's threads for calls that block (`max_blocking_threads` in Deno's `tokio_util.rs`). */
const THREADS = Deno.build.os === "windows" ? 4 * navigator.hardwareConcurrency : 32;

/** `threads` is how many calls may block at once before the runtime stops; three quarters of them are divided. */
export function createBulkheads(threads: number = THREADS) {
  let folders: readonly string[] = [];
  let places = threads;
  const shares = new Map<string, Share>();

  function shareOf(path: string): Share | null {
    const folder = folders.find((folder) =>
      path === folder || path.startsWith(folder.endsWith(SEPARATOR) ? folder : folder + SEPARATOR)
    );
    if (folder === undefined) return null;
    const share = shares.get(folder) ?? { running: 0, waiting: [] };
    shares.set(folder, share);
    return share;
  }

  function fill(share: Share): void {
    while (share.running < places && share.waiting.length > 0) {
      share.running += 1;
      share.waiting.shift()!();
    }
  }

  return {
    /** Divides the threads among these folders and all the rest. Running calls continue. */
    setBulkheads(named: readonly string[]): void {
      // The longest first: a folder may be inside another.
      folders = [...new Set(named)].sort((a, b) => b.length - a.length);
      // A quarter is for everything else: the state folder, programs, the page.
      places = Math.max(2, Math.floor(threads * 3 / 4 / Math.max(1, folders.length)));
      for (const share of shares.values()) fill(share);
    },
    /** Runs the work as soon as the folder of this path has a free place. */
    async run<T>(path: string, work: () => Promise<T>): Promise<T> {
      const share = shareOf(path);
      if (share === null) return await work();
      if (share.running < places) share.running += 1;
      else await new Promise<void>((resolve) => share.waiting.push(resolve));
      try {
        return await work();
      } finally {
        share.running -= 1;
        fill(share);
      }
    },
  };
}
