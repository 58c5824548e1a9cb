/** One suite that every implementation of the ledger passes: `ledgerConformance(candidate)` in one file each. */
import type { Ledger, LedgerAccess, ReadLedger } from "../../../src/ledger/ledger.ts";
import { AUDITS, HOOKS, MIRROR, REMOVAL } from "./delivered_checks.ts";
import { AVAILABILITY, HISTORY, IMAGES, NIGHTS } from "./history_checks.ts";
import { INTAKE, REREADS } from "./intake_checks.ts";
import { MODEL } from "./model_checks.ts";
import { OUTBOX, RECEIPTS, REQUEUE } from "./outbox_checks.ts";
import { PROCESSES } from "./process_checks.ts";
import { tempFolder } from "../../support/temp.ts";

/** An implementation of the ledger. */
export interface Candidate extends Omit<LedgerAccess, "markDamaged"> {
  readonly name: string;
  /** A module that exports its `openLedger`, for processes of their own. */
  readonly module: string;
  /** Keeps the ledger of a folder locked by a process of its own, for so long or until it is disposed of. */
  lock(folder: string, forMs: number): Promise<AsyncDisposable>;
}

/** What a check is handed: one folder, and the ledgers in it. */
export interface Bench {
  readonly candidate: Candidate;
  readonly folder: string;
  /** Opened when it is first used, closed after the check. */
  readonly ledger: Ledger;
  /** Opens the ledger of the folder as another process would. */
  open(): Ledger;
  read(): ReadLedger;
}

/** One promise of the contract. */
export interface Check {
  readonly name: string;
  run(bench: Bench): void | Promise<void>;
}

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
