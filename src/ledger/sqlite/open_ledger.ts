/**
 * Opens the ledger of a state directory: one SQLite file, and beside it the name of this instance, which outlives a lost
 * ledger so that our staging folders at the destinations stay ours.
 */
import { join, toFileUrl } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { integrity, LEDGER_FILE, openSound } from "./integrity.ts";
import { auditHistory, auditQueries } from "./audit_queries.ts";
import { availabilityHistory, availabilityQueries } from "./availability_queries.ts";
import { claimQueries, destinationQueries, recordQueries, removalQueries, requeueQueries } from "./outbox_queries.ts";
import { Database } from "./database.ts";
import { hookQueries } from "./hook_queries.ts";
import { historyQueries } from "./history_queries.ts";
import { intakeQueries, rereadQueries } from "./intake_queries.ts";
import type { Ledger, OnNotice, ReadLedger } from "../ledger.ts";
import { mirrorQueries } from "./mirror_queries.ts";
import { nightQueries } from "./night_schema.ts";
import { keptValue } from "./rows.ts";
import { isNew, migrate, refuseForeign } from "./schema.ts";
import { isThere, keepPrivate, makeFolder, readIfThere, refuseFolders, writeDurably } from "./state_files.ts";

/** The ledger in this folder, see {@linkcode LedgerAccess.openLedger}. */
export function openLedger(folder: string, onNotice: OnNotice = () => {}, newName = newInstance): Ledger {
  makeFolder(folder);
  const { db, care } = openSound(folder, onNotice);
  keepPrivate(folder, ["", "-wal", "-shm"].map((ending) => `${LEDGER_FILE}${ending}`));
  return opened(db, (db) => ({
    ...care,
    ...readQueries(db, instanceOf(db, folder, onNotice, newName)),
    ...intakeQueries(db),
    ...rereadQueries(db),
    ...claimQueries(db),
    ...recordQueries(db),
    ...requeueQueries(db),
    ...removalQueries(db),
    ...destinationQueries(db),
    ...hookQueries(db),
    ...mirrorQueries(db),
    ...auditQueries(db),
    ...availabilityQueries(db),
  }));
}

/** The ledger in this folder, to be read, see {@linkcode LedgerAccess.readLedger}. */
export function readLedger(folder: string, onNotice: OnNotice = () => {}): ReadLedger {
  return opened(openForReading(folder, onNotice), (db) => readQueries(db, keptValue(db, "instance") ?? ""));
}

function readQueries(db: Database, instance: string): ReadLedger {
  const { unknown, admitted, leftAside } = intakeQueries(db);
  const { deviceOf, pausedBy } = destinationQueries(db);
  const { keptPaths, keptDeliveries, mirrorOf } = mirrorQueries(db);
  return {
    instance,
    unknown,
    admitted,
    leftAside,
    deviceOf,
    pausedBy,
    keptPaths,
    keptDeliveries,
    mirrorOf,
    ...historyQueries(db),
    ...nightQueries(db),
    ...auditHistory(db),
    ...availabilityHistory(db),
    integrity: () => integrity(db),
    [Symbol.dispose]: () => db[Symbol.dispose](),
  };
}

/** Closes the database again where the rest fails. */
function opened<T>(db: Database, rest: (db: Database) => T): T {
  try {
    return rest(db);
  } catch (error) {
    db[Symbol.dispose]();
    throw error;
  }
}

function openForReading(folder: string, onNotice: OnNotice): Database {
  const path = join(folder, LEDGER_FILE);
  refuseFolders(path);
  const there = isThere(path) ? openReadOnly(path) : null;
  if (there !== null && !isNew(there)) return opened(there, (db) => (migrate(db), db));
  // A process that is killed as it makes its ledger leaves it without tables.
  there?.[Symbol.dispose]();
  onNotice(`There is no ledger in "${folder}" yet: nothing has been recorded.`);
  const db = new Database(":memory:", false);
  migrate(db);
  db.exec("PRAGMA query_only = ON");
  return db;
}

/** A ledger at rest is read where SQLite cannot make its own files beside it, too: on a read-only disk, or in another account's folder. */
function openReadOnly(path: string): Database {
  // SQLite makes its files at the first question.
  const asked = (path: string) => opened(new Database(path, true, { admit: refuseForeign }), (db) => (isNew(db), db));
  try {
    return asked(path);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "permission_denied" || isThere(`${path}-wal`)) throw error;
    return immutable(asked, path, error);
  }
}

/** @throws the first reason: it names the file as people know it. */
function immutable(asked: (path: string) => Database, path: string, reason: Failure): Database {
  try {
    return asked(`${toFileUrl(path)}?immutable=1`);
  } catch (error) {
    throw error instanceof Failure && error.code === reason.code ? reason : error;
  }
}

/** Kept in the ledger and in a file beside it; whichever is left restores the other. */
function instanceOf(db: Database, folder: string, onNotice: OnNotice, newName: () => string): string {
  const path = join(folder, "instance");
  const filed = readIfThere(path)?.trim() ?? "";
  const known = INSTANCE.test(filed) ? filed : null;
  let stored = keptValue(db, "instance");
  if (stored === null) {
    if (known !== null) {
      onNotice("The ledger is new but this installation is not: files delivered earlier are found at the destinations.");
    }
    stored = known ?? newName();
    db.run("INSERT INTO meta (key, value) VALUES ('instance', ?)", stored);
  }
  if (filed !== stored) writeDurably(path, `${stored}\n`);
  return stored;
}

const INSTANCE = /^[a-z0-9]{8,12}$/;

function newInstance(): string {
  // 32 letters, so that a byte's low five bits choose evenly.
  const letters = "abcdefghijkmnpqrstuvwxyz23456789";
  return Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => letters[byte % letters.length]).join("");
}
