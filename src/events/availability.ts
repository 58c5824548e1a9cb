/**
 * Notes in the ledger when the daemon runs and how its destinations are, as the event stream tells.
 *
 * @module
 */
import type { TransferEvent } from "../domain/transfer_event.ts";
import type { AvailabilityLedger } from "../ledger/availability_ledger.ts";

/** A listener of the event stream. */
export function noteAvailability(ledger: AvailabilityLedger): (event: TransferEvent) => void {
  return (event) => {
    if (event.type === "started") ledger.noteRunning(event.at);
    else if (event.type === "destination") ledger.noteState(event.job, event.name, event.now.state, event.at);
    else if (event.type === "stopped") ledger.noteStopped(event.at);
  };
}
