/**
 * Remembers what the Setup view shows of the past: how the last reload and the last call of each hook came out.
 *
 * @module
 */
import type { TransferEvent } from "../domain/transfer_event.ts";
import type { HookCall, LastReload } from "../reports/page_source.ts";

/** Since the start of the daemon. */
export interface SetupLog {
  listen(event: TransferEvent): void;
  /** Null before the first. */
  reload(): LastReload | null;
  /** `hook` is the name that events have; null before the first call. */
  hookCall(job: string, hook: string): HookCall | null;
}

/** Remembers one call for each hook. */
export function setupLog(): SetupLog {
  let reload: LastReload | null = null;
  const calls = new Map<string, HookCall>();
  const keyOf = (job: string, hook: string) => JSON.stringify([job, hook]);
  return {
    listen(event) {
      if (event.type === "reloaded") reload = { at: event.at, problem: null };
      else if (event.type === "reload_refused") reload = { at: event.at, problem: event.message };
      else if (event.type === "hook") {
        const { at, on, result, said } = event;
        calls.set(keyOf(event.job, event.hook), { at, on, result, said });
      }
    },
    reload: () => reload,
    hookCall: (job, hook) => calls.get(keyOf(job, hook)) ?? null,
  };
}
