/**
 * Opens the ledger's file for writing, sound or not at all. A damaged ledger is moved aside, never deleted, and a new one is
 * created: what was delivered is found again at the destinations by survey and digest.
 *
 * @module
 */
import { failureRecord } from "../../domain/failure.ts";
import { join } from "@std/path";
import { Database, isDamage, type Row } from "./database.ts";
import type { OnNotice } from "../ledger.ts";
import { number, text } from "./rows.ts";
import { migrate } from "./schema.ts";
import { changedAt, isThere, move, removeIfThere, writeDurably } from "./state_files.ts";

/** The ledger's file in the state directory. */
export const LEDGER_FILE = "ledger.sqlite";
/** Left when SQLite found damage while running: the next start checks every page. */
const SUSPECT_FILE = "ledger-suspect";
/** Up to this size every start checks every page, bytes; it takes about 0.1 s. */
const ALWAYS_CHECKED = 32 * 1024 * 1024;

/**
 * Opens the ledger for writing, its schema current.
 *
 * @throws {Failure} `local_disk_full`, `permission_denied`, `configuration` (newer schema), `timeout` (held by another program).
 */
export function openSound(folder: string, onNotice: OnNotice): Database {
  const path = join(folder, LEDGER_FILE);
  const suspect = join(folder, SUSPECT_FILE);
  const markSuspect = () => {
    try {
      writeDurably(suspect, "SQLite found damage in ledger.sqlite; the next start checks all of it.\n");
    } catch (error) {
      onNotice(`Cannot mark the ledger as damaged in "${folder}": ${failureRecord(error).message}`);
    }
  };
  try {
    const db = openChecked(path, markSuspect, isThere(suspect));
    removeIfThere(suspect);
    return db;
  } catch (error) {
    if (!isDamage(error)) throw error;
    const aside = moveAside(folder);
    onNotice(
      `The ledger was damaged. It was kept as "${aside}" and a new one was created. Files already at the destinations are found there and not sent again.`,
    );
    const db = openChecked(path, markSuspect, false);
    salvage(aside, db, onNotice);
    removeIfThere(suspect);
    return db;
  }
}

function openChecked(path: string, onDamage: () => void, thorough: boolean): Database {
  const db = new Database(path, false, onDamage);
  try {
    const { page_count } = db.get("PRAGMA page_count") as Row;
    const { page_size } = db.get("PRAGMA page_size") as Row;
    if (thorough || Number(page_count) * Number(page_size) <= ALWAYS_CHECKED) {
      const [problem] = problems(db, thorough ? "integrity_check" : "quick_check", 1);
      if (problem !== undefined) throw new Error(`database disk image is malformed: ${problem}`);
    }
    migrate(db);
    return db;
  } catch (error) {
    db[Symbol.dispose]();
    throw error;
  }
}

/** SQLite's own check, and ours: the totals and the sums of the nights agree with the rows. Empty when sound. */
export function integrity(db: Database): string[] {
  return db.snapshot(() => [
    ...problems(db, "integrity_check", 100),
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
  ]);
}

function problems(db: Database, check: "quick_check" | "integrity_check", most: number): string[] {
  return db.all(`PRAGMA ${check}(${most})`).map((row) => text(row, check)).filter((answer) => answer !== "ok");
}

/** Moves the ledger and its write-ahead log out of the way; returns the new path. */
function moveAside(folder: string): string {
  const path = join(folder, LEDGER_FILE);
  // When it was last written: that tells more than when the damage was found.
  const time = changedAt(path).toISOString().replace(/\.\d+Z$/, "Z").replaceAll(/[:-]/g, "");
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
  }
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
