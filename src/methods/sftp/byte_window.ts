/**
 * Bounds the bytes that are under way. Who asks first is served first; what is larger than the window passes alone.
 *
 * @module
 */
import { onAbort } from "../../async/abort.ts";

/** Room for some bytes. */
export interface ByteWindow {
  /** Waits for room. @throws the signal's reason */
  take(bytes: number, signal: AbortSignal): Promise<void>;
  release(bytes: number): void;
}

/** Room for so many bytes. */
export function byteWindow(most: number): ByteWindow {
  const waiting: { readonly bytes: number; readonly enter: () => void }[] = [];
  let taken = 0;

  function letIn(): void {
    for (let next = waiting[0]; next && (taken === 0 || taken + next.bytes <= most); next = waiting[0]) {
      waiting.shift();
      taken += next.bytes;
      next.enter();
    }
  }

  return {
    async take(bytes, signal) {
      signal.throwIfAborted();
      if (waiting.length === 0 && (taken === 0 || taken + bytes <= most)) {
        taken += bytes;
        return;
      }
      const room = Promise.withResolvers<void>();
      const mine = { bytes, enter: room.resolve };
      waiting.push(mine);
      using _giveUp = onAbort(signal, () => {
        if (!waiting.includes(mine)) return;
        waiting.splice(waiting.indexOf(mine), 1);
        letIn();
        room.reject(signal.reason);
      });
      letIn();
      await room.promise;
    },
    release(bytes) {
      taken -= bytes;
      letIn();
    },
  };
}
