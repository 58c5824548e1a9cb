/**
 * Lines of the log that no link to a PocketBase server hears yet: those of the start, and those while a link is made anew. Whoever
 * listens is handed them first.
 *
 * @module
 */
import type { Settings } from "../../config/settings.ts";
import type { TransferEvent } from "../../domain/transfer_event.ts";
import { logLine } from "../../events/log_line.ts";

type Listener = (event: TransferEvent) => void;

export interface UnheardLines {
  /** Told of every event. */
  readonly hear: Listener;
  /** Hears what nobody has heard so far, and every event until the returned function is called. */
  listen(listener: Listener): () => void;
  /** With these settings, lines are uploaded or not. */
  adopt(settings: Pick<Settings, "pocketbase">): void;
}

/** A start has some dozens; more are the disk's to keep, which the link does. */
const MOST = 1_000;

export function unheardLines(): UnheardLines {
  const listeners = new Set<Listener>();
  let isWanted = true;
  let unheard: TransferEvent[] = [];
  return {
    hear(event) {
      for (const listener of listeners) listener(event);
      if (!isWanted || listeners.size > 0 || unheard.length >= MOST) return;
      if (logLine(event) !== null) unheard.push(event);
    },
    listen(listener) {
      for (const event of unheard.splice(0)) listener(event);
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    adopt({ pocketbase }) {
      isWanted = pocketbase?.uploadLogs ?? false;
      if (!isWanted) unheard = [];
    },
  };
}
