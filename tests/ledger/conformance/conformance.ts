/** One suite that every implementation of the ledger passes: `ledgerConformance(candidate)` in one file each. */
import type { Ledger } from "../../../src/ledger/ledger.ts";
import type { Candidate, Check } from "./check.ts";
import { AUDITS, HOOKS, MIRROR, REMOVAL } from "./delivered_checks.ts";
import { AVAILABILITY, HISTORY, IMAGES, NIGHTS } from "./history_checks.ts";
import { INTAKE, REREADS } from "./intake_checks.ts";
import { MODEL } from "./model_checks.ts";
import { OUTBOX, RECEIPTS, REQUEUE } from "./outbox_checks.ts";
import { PROCESSES } from "./process_checks.ts";
import { tempFolder } from "../../support/temp.ts";

const CHECKS: readonly Check[] = [
  ...INTAKE,
  ...REREADS,
  ...OUTBOX,
  ...RECEIPTS,
  ...REQUEUE,
  ...REMOVAL,
  ...MIRROR,
  ...AUDITS,
  ...HISTORY,
  ...IMAGES,
  ...NIGHTS,
  ...HOOKS,
  ...AVAILABILITY,
  ...MODEL,
  ...PROCESSES,
];

/** Registers a test for each promise. */
export function ledgerConformance(candidate: Candidate): void {
  for (const check of CHECKS) {
    Deno.test(`${candidate.name}: ${check.name}`, async () => {
      await using dir = await tempFolder();
      const folder = dir.at("state");
      using opened = new DisposableStack();
      let ledger: Ledger | undefined;
      await check.run({
        candidate,
        folder,
        get ledger() {
          return ledger ??= opened.use(candidate.openLedger(folder));
        },
        open: () => candidate.openLedger(folder),
        read: () => candidate.readLedger(folder),
      });
    });
  }
}
