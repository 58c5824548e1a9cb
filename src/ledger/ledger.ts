/**
 * The ledger: what was seen, what is queued, what is verified. It is the only queue.
 *
 * Its contract has a part for each user: {@linkcode IntakeLedger}, {@linkcode OutboxLedger} and {@linkcode History}. `sqlite/` implements
 * it; `tests/ledger/conformance/` holds an implementation to it.
 */
import type { History } from "./history.ts";
import type { OutboxLedger } from "./outbox_ledger.ts";
import type { FailureRecord } from "../domain/failure.ts";
import type { IntakeLedger } from "./intake_ledger.ts";

/**
 * A ledger that may only be read, beside a daemon that writes.
 *
 * Times are milliseconds since 1970 UTC, sizes are bytes.
 *
 * @throws {Failure} from every call: `local_disk_full`, `permission_denied`, `timeout` (locked by another program),
 * `internal` (damaged).
 */
export interface ReadLedger
  extends
    History,
    Pick<IntakeLedger, "unknown" | "admitted" | "leftAside">,
    Pick<OutboxLedger, "deviceOf" | "pausedBy" | "keptPaths" | "keptDeliveries" | "mirrorOf">,
    Disposable {
  /** Random name of this ledger, part of our staging folders' names; empty where there is no ledger yet. */
  readonly instance: string;
  /** Checks all of it; returns what is wrong, empty when it is sound. */
  integrity(): string[];
}

/** What keeps the ledger from recording anything. */
export interface LedgerTrouble {
  readonly failure: FailureRecord;
  /** Only a new start helps: it is damaged, or no longer the file that was opened. */
  readonly ends: boolean;
}

/** How the ledger itself is. */
export interface LedgerCare {
  /** Null where nothing is known to keep it from recording. */
  trouble(): LedgerTrouble | null;
  /** Looks whether its files are those that were opened, and, where something could not be recorded, whether it can be now. */
  lookAfter(): LedgerTrouble | null;
  /** Has `check` tell what is wrong with the file if it is too large for every start to check; if anything is, {@linkcode lookAfter} tells. */
  checkAll(check: (path: string) => Promise<readonly string[]>): Promise<void>;
}

/** The whole ledger, as the daemon opens it. */
export type Ledger = LedgerCare & ReadLedger & IntakeLedger & OutboxLedger;

/** Told what a person should know, as one sentence: a damaged ledger was moved aside, a ledger was missing. */
export type OnNotice = (notice: string) => void;

/** How the ledger of a state directory is opened. `main.ts` hands this to the commands, and they to the daemon. */
export interface LedgerAccess {
  /**
   * The ledger in this folder, created if there is none.
   *
   * @throws {Failure} `local_disk_full`, `read_only`, `permission_denied`, `not_a_folder` (a file is in the way), `configuration`
   * (written by a newer program), `timeout`.
   */
  readonly openLedger: (folder: string, onNotice?: OnNotice) => Ledger;
  /**
   * The ledger in this folder for a second process beside the daemon: nothing is written, created or repaired. A missing ledger
   * is an empty one.
   *
   * @throws {Failure} as `openLedger`, and `internal` (damaged).
   */
  readonly readLedger: (folder: string, onNotice?: OnNotice) => ReadLedger;
  /** Has a running daemon stop, and the next start check and repair the ledger in this folder; null, or why it cannot be marked for that. */
  readonly markDamaged: (folder: string) => FailureRecord | null;
}
