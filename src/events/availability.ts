/**
 * Notes in the ledger when the daemon runs and how its destinations are, as the event stream tells.
 *
 * @module
 */
import { Failure } from "../domain/failure.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import type { AvailabilityLedger } from "../ledger/availability_ledger.ts";

/** A listener of the event stream. */
export function noteAvailability(ledger: AvailabilityLedger): (event: TransferEvent) => void {
  return (event) => {
    try {
      if (event.type === "started") ledger.noteRunning(event.at);
      else if (event.type === "destination") ledger.noteState(event.job, event.name, event.now.state, event.at);
      else if (event.type === "stopped") ledger.noteStopped(event.at);
    } catch (error) {
      // Why the ledger cannot be written is told once for all who write to it.
      if (!(error instanceof Failure)) throw error;
    }
  };
}
