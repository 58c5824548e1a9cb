/**
 * Opens the ledger's file for writing, sound or not at all. A damaged ledger is moved aside, never deleted, and a new one is
 * created: what was delivered is found again at the destinations by survey and digest.
 */
import { Failure, type FailureCode, type FailureRecord, failureRecord } from "../../domain/failure.ts";
import { join } from "@std/path";
import { Database, isDamage } from "./database.ts";
import type { LedgerCare, LedgerTrouble, OnNotice } from "../ledger.ts";
import { FILL_NIGHTS } from "./night_schema.ts";
import { number, text } from "./rows.ts";
import { FILL_TOTALS, migrate, refuseForeign } from "./schema.ts";
import { changedAt, identityOf, isThere, move, refuseFolders, removeIfThere, sizeOf, writeDurably } from "./state_files.ts";

/** The ledger's file in the state directory. */
export const LEDGER_FILE = "ledger.sqlite";
/** Left when damage was found: a running daemon stops, and the next start checks every page. */
const SUSPECT_FILE = "ledger-suspect";
/** Up to this size every start checks every page and index, bytes. */
const ALWAYS_CHECKED = 32 * 1024 * 1024;

/** An open ledger, and who looks after it. */
interface SoundLedger {
  readonly db: Database;
  readonly care: LedgerCare;
}

/**
 * Opens the ledger for writing, its schema current. Where only its indices or sums are damaged, they are made anew from the rows.
 *
 * @throws {Failure} `local_disk_full`, `permission_denied`, `configuration` (newer schema, or another program's), `timeout` (held by
 * another program), `exists` (a folder has its name).
 */
export function openSound(folder: string, onNotice: OnNotice): SoundLedger {
  const path = join(folder, LEDGER_FILE);
  const suspect = join(folder, SUSPECT_FILE);
  const markSuspect = () => {
    const { message } = markDamaged(folder) ?? {};
    if (message !== undefined) onNotice(`Cannot mark the ledger as damaged in "${folder}": ${message}`);
  };
  const open = (thorough: boolean): SoundLedger => {
    const db = openChecked(path, markSuspect, thorough, onNotice);
    removeIfThere(suspect);
    return { db, care: ledgerCare(db, folder, markSuspect) };
  };
  refuseFolders(path);
  keepLoneLog(folder, onNotice);
  try {
    return open(isThere(suspect));
  } catch (error) {
    if (!isDamage(error)) throw error;
    const aside = moveAside(folder);
    onNotice(
      `The ledger was damaged. It was kept as "${aside}" and a new one was created. Files already at the destinations are found there and not sent again.`,
    );
    const fresh = open(false);
    salvage(aside, fresh.db, onNotice);
    return fresh;
  }
}

/** Has the next start check all of the ledger and repair it; null, or why it cannot be marked. */
export function markDamaged(folder: string): FailureRecord | null {
  try {
    writeDurably(join(folder, SUSPECT_FILE), "Damage was found in ledger.sqlite; the next start checks all of it.\n");
    return null;
  } catch (error) {
    return failureRecord(error);
  }
}

/** `thorough` checks all of it, whatever its size. */
function openChecked(path: string, onDamage: () => void, thorough: boolean, onNotice: OnNotice): Database {
  const db = new Database(path, false, { onDamage, admit: refuseForeign });
  try {
    const isChecked = thorough || !isLarge(db);
    const damagedIndices = isChecked && problems(db, 1).length > 0;
    if (damagedIndices) db.exec("REINDEX");
    const [problem] = damagedIndices ? problems(db, 1) : [];
    if (problem !== undefined) throw damage(problem);
    migrate(db);
    // Where nothing can be written, that is told now.
    db.run(FORGET_PROBE);
    const damagedSums = isChecked && ownProblems(db).length > 0;
    if (damagedSums) db.transaction(() => db.exec(FILL_TOTALS + FILL_NIGHTS));
    const [wrong] = damagedSums ? ownProblems(db) : [];
    if (wrong !== undefined) throw damage(wrong);
    if (damagedIndices || damagedSums) onNotice("The ledger's index was damaged and has been rebuilt. No record was lost.");
    db.settle();
    return db;
  } catch (error) {
    db[Symbol.dispose]();
    // An index cannot be made of rows that contradict each other.
    const isConflict = error instanceof Error && /constraint failed/i.test(error.message);
    throw isConflict ? damage(failureRecord(error).message) : error;
  }
}

function damage(problem: string): Error {
  return new Error(`database disk image is malformed: ${problem}`);
}

/** Too large to be checked whole by every start. */
function isLarge(db: Database): boolean {
  return db.count("SELECT page_count * page_size AS n FROM pragma_page_count, pragma_page_size") > ALWAYS_CHECKED;
}

function ledgerCare(db: Database, folder: string, markSuspect: () => void): LedgerCare {
  const paths = ["", "-wal"].map((ending) => join(folder, LEDGER_FILE + ending));
  const opened = paths.map(identityOf);
  const last = (): LedgerTrouble | null => {
    const failure = db.trouble();
    return failure === null ? null : { failure, ends: failure.code === "internal" };
  };
  let reason: LedgerTrouble | null = null;
  return {
    trouble: () => db.trouble() === null ? null : reason ?? last(),
    lookAfter() {
      reason = null;
      const isMoved = paths.some((path, n) => opened[n] !== null && identityOf(path) !== opened[n]);
      if (isMoved) {
        const hint =
          "image-transfer stops, because nothing it records would be found again. Mount the right disk there, then start it.";
        return ends("device_missing", `The state directory "${folder}" was emptied, or another disk is mounted there`, hint);
      }
      if (isThere(join(folder, SUSPECT_FILE))) {
        return ends("internal", `The ledger "${db.path}" is damaged`, "image-transfer stops; its next start repairs the ledger.");
      }
      if (db.trouble() !== null) tryToWrite(db);
      const trouble = last();
      const why = trouble === null || trouble.ends ? null : whyNot(folder);
      // SQLite has one error for all that a disk refuses.
      return reason = why === null || why.code === trouble?.failure.code ? trouble : { failure: why, ends: false };
    },
    async checkAll(check) {
      if (!isLarge(db)) return;
      const found = await check(db.path);
      if (found.length > 0) markSuspect();
    },
  };
}

/** Why the state directory cannot be written, as the system says; null where it can. */
function whyNot(folder: string): FailureRecord | null {
  const probe = join(folder, ".image-transfer-probe");
  try {
    writeDurably(probe, "x".repeat(4096));
    removeIfThere(probe);
    return null;
  } catch (error) {
    const record = failureRecord(error);
    return { ...record, message: record.message.replace(/^Cannot .*": /, `Cannot write to the state directory "${folder}": `) };
  }
}

/** More than what a full disk still takes, so that one small row does not pass for recovery. */
function tryToWrite(db: Database): void {
  try {
    db.transaction(() => db.run("INSERT OR REPLACE INTO meta (key, value) VALUES ('probe', ?)", "x".repeat(PROBE_BYTES)));
    db.run(FORGET_PROBE);
    db.settle();
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
}

const PROBE_BYTES = 128 * 1024;
const FORGET_PROBE = "DELETE FROM meta WHERE key = 'probe'";

function ends(code: FailureCode, message: string, hint: string): LedgerTrouble {
  return { failure: failureRecord(new Failure(code, message, { hint })), ends: true };
}

/** SQLite's own check, and ours: the totals and the sums of the nights agree with the rows. Empty when sound. */
export function integrity(db: Database): string[] {
  return db.snapshot(() => [...problems(db, 100), ...ownProblems(db)]);
}

function ownProblems(db: Database): string[] {
  return [
    ...db.all("PRAGMA foreign_key_check").map((row) =>
      `row ${String(row["rowid"])} of ${String(row["table"])} refers to nothing`
    ),
    ...db.all(WRONG_TOTALS).map((row) =>
      `${text(row, "job")} has ${number(row, "counted")} deliveries to ${text(row, "destination")}, its total says ${
        number(row, "total")
      }`
    ),
    ...db.all(WRONG_NIGHTS).map((row) =>
      `night ${text(row, "night")} has ${number(row, "counted")} delivered to ${text(row, "destination")} of job ${
        text(row, "job")
      }, its sums say ${number(row, "total")}`
    ),
  ];
}

/** Indices are compared with their tables, which `quick_check` does not do. */
function problems(db: Database, most: number): string[] {
  return db.all(`PRAGMA integrity_check(${most})`).map((row) => text(row, "integrity_check")).filter((answer) => answer !== "ok");
}

/** SQLite removes a write-ahead log that has no database, but after a crash it may hold everything. */
function keepLoneLog(folder: string, onNotice: OnNotice): void {
  const path = join(folder, LEDGER_FILE);
  if (sizeOf(path) > 0 || sizeOf(`${path}-wal`) === 0) return;
  const aside = moveAside(folder);
  onNotice(
    `The ledger's database file was missing or empty beside its log. The log was kept as "${aside}-wal" and a new ledger was created. Files already at the destinations are found there and not sent again.`,
  );
}

/** Moves the ledger and its write-ahead log out of the way; returns the new path. */
function moveAside(folder: string): string {
  const path = join(folder, LEDGER_FILE);
  // When it was last written: that tells more than when the damage was found.
  const time = changedAt(isThere(path) ? path : `${path}-wal`).toISOString().replace(/\.\d+Z$/, "Z").replaceAll(/[:-]/g, "");
  let aside = join(folder, `ledger-damaged-${time}.sqlite`);
  for (let n = 2; isThere(aside); n++) aside = join(folder, `ledger-damaged-${time}-${n}.sqlite`);
  for (const ending of ["-wal", ""]) {
    if (isThere(path + ending)) move(path + ending, aside + ending);
  }
  removeIfThere(`${path}-shm`);
  return aside;
}

/** Takes over what cannot be found at the destinations, as far as it can be read: their devices and who paused them. */
function salvage(aside: string, db: Database, onNotice: OnNotice): void {
  try {
    using damaged = new Database(aside, true);
    const devices = damaged.all("SELECT job, name, device FROM destinations");
    const pauses = damaged.all("SELECT destination, paused_by FROM pauses");
    db.transaction(() => {
      for (const row of devices) {
        db.run("INSERT OR IGNORE INTO destinations VALUES (?, ?, ?)", text(row, "job"), text(row, "name"), text(row, "device"));
      }
      for (const row of pauses) {
        db.run("INSERT OR IGNORE INTO pauses VALUES (?, ?)", text(row, "destination"), text(row, "paused_by"));
      }
    });
  } catch (error) {
    onNotice(`Which destinations were paused could not be read from the damaged ledger: ${failureRecord(error).message}`);
  } finally {
    sweepBeside(aside);
  }
}

/** What SQLite leaves beside a ledger that was only read; a log with something in it belongs to the ledger. */
function sweepBeside(aside: string): void {
  removeIfThere(`${aside}-shm`);
  if (sizeOf(`${aside}-wal`) === 0) removeIfThere(`${aside}-wal`);
}

const WRONG_TOTALS = `
  WITH real AS (SELECT job, destination, count(*) AS n FROM deliveries GROUP BY 1, 2)
  SELECT coalesce(r.job, t.job) AS job, coalesce(r.destination, t.destination) AS destination,
    coalesce(r.n, 0) AS counted, coalesce(t.number, 0) AS total
  FROM real r FULL JOIN totals t ON t.job = r.job AND t.destination = r.destination
  WHERE coalesce(r.n, 0) <> coalesce(t.number, 0)`;

const WRONG_NIGHTS = `
  WITH real AS (SELECT night, job, destination, sum(state = 'delivered') AS n FROM deliveries GROUP BY 1, 2, 3)
  SELECT coalesce(r.night, t.night) AS night, coalesce(r.job, t.job) AS job, coalesce(r.destination, t.destination) AS destination,
    coalesce(r.n, 0) AS counted, coalesce(t.delivered, 0) AS total
  FROM real r FULL JOIN nights t ON t.night = r.night AND t.job = r.job AND t.destination = r.destination
  WHERE coalesce(r.n, 0) <> coalesce(t.delivered, 0)`;
