/** What hooks ask of the ledger: events that must reach them even if this process ends or their receiver is away. */
import type { KeptEventName } from "../domain/hook.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { Delivery } from "../domain/delivery.ts";

/** An event that was kept for the hooks; ids grow with time. */
export type HookNote =
  & { readonly id: number; readonly at: number }
  & (
    | { readonly event: "delivered"; readonly delivery: Delivery }
    /** Of a delivery that may have been delivered since. */
    | {
      readonly event: "failed";
      readonly delivery: Delivery;
      readonly failure: Pick<FailureRecord, "code" | "message" | "hint">;
    }
    | { readonly event: "report"; readonly text: string }
  );

/** Every change is one transaction, durable on return. Times are milliseconds since 1970 UTC. */
export interface HookLedger {
  /**
   * From now on exactly these events are kept: a delivery that becomes delivered or failed (and `isTrouble`) is noted in the
   * transaction that records it.
   */
  keepForHooks(events: readonly KeptEventName[]): void;
  /** Keeps a report; nothing where reports are not kept. */
  noteReport(text: string, now: number): void;
  /** Notes after this id, oldest first. */
  hookNotes(after: number, limit: number): HookNote[];
  /** The note up to which a hook has been called. A new hook begins with what comes now. */
  hookPosition(hook: string): number;
  /** Moves it on; notes that every hook has been called for are forgotten. */
  advanceHook(hook: string, note: number): void;
  /** Forgets the positions of all other hooks. */
  keepHooks(hooks: readonly string[]): void;
  /** How many notes a hook has not been called for. */
  hookBacklog(hook: string): number;
  /** Forgets the oldest notes beyond so many; returns how many of them some hook has not been called for. */
  boundHookNotes(most: number): number;
}
