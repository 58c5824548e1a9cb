/** What the suite of the ledger is made of. */
import type { Ledger, LedgerAccess, ReadLedger } from "../../../src/ledger/ledger.ts";

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
  readonly run: (bench: Bench) => void | Promise<void>;
}

export const check = (name: string, run: Check["run"]): Check => ({ name, run });
