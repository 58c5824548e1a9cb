/**
 * Opens the ledger of a state directory: one SQLite file, and beside it the name of this instance, which outlives a lost
 * ledger so that our staging folders at the destinations stay ours.
 *
 * @module
 */
import { join, toFileUrl } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { careQueries, LEDGER_FILE, type OnNotice, openSound } from "./care.ts";
import { Database } from "./database.ts";
import { giveUpQueries } from "./give_up_queries.ts";
import { historyQueries } from "./history_queries.ts";
import { intakeQueries } from "./intake_queries.ts";
import type { Ledger } from "../ledger.ts";
import { nightQueries } from "./night_queries.ts";
import { outboxQueries } from "./outbox_queries.ts";
import { destinationQueries, removalQueries } from "./removal_queries.ts";
import { rereadQueries } from "./reread_queries.ts";
import { text } from "./rows.ts";
import { migrate } from "./schema.ts";
import { sendAgainQueries } from "./send_again_queries.ts";
import { isThere, makeFolder, readIfThere, writeDurably } from "../state_files.ts";

/** Who opens the ledger, and who hears of its troubles. */
export interface LedgerOptions {
  /** For a second process beside the daemon: nothing is written, made or repaired. */
  readonly readOnly?: boolean;
  /** Told what a person should know: a damaged ledger moved aside, a ledger that was missing. */
  readonly onNotice?: OnNotice;
}

/**
 * The ledger in this folder, made if there is none; read-only, a missing ledger is an empty one.
 *
 * @throws {Failure} `local_disk_full`, `read_only`, `permission_denied`, `not_a_folder` (a file is in the way), `configuration`
 * (written by a newer program), `timeout`, and, when read-only, `internal` (damaged).
 */
export function openLedger(folder: string, options: LedgerOptions = {}): Ledger {
  const onNotice = options.onNotice ?? (() => {});
  const db = options.readOnly ? openForReading(folder, onNotice) : openForWriting(folder, onNotice);
  try {
    const instance = options.readOnly ? storedInstance(db) ?? "" : instanceOf(db, folder, onNotice);
    return {
      instance,
      ...intakeQueries(db),
      ...rereadQueries(db),
      ...outboxQueries(db),
      ...giveUpQueries(db),
      ...sendAgainQueries(db),
      ...removalQueries(db),
      ...destinationQueries(db),
      ...historyQueries(db),
      ...nightQueries(db),
      ...careQueries(db),
      [Symbol.dispose]: () => db[Symbol.dispose](),
    };
  } catch (error) {
    db[Symbol.dispose]();
    throw error;
  }
}

function openForWriting(folder: string, onNotice: OnNotice): Database {
  makeFolder(folder);
  return openSound(folder, onNotice);
}

function openForReading(folder: string, onNotice: OnNotice): Database {
  const path = join(folder, LEDGER_FILE);
  const there = isThere(path);
  if (!there) onNotice(`There is no ledger in "${folder}" yet: nothing has been recorded.`);
  if (there) return openAsItStands(path);
  const db = migrated(new Database(":memory:", false));
  db.exec("PRAGMA query_only = ON");
  return db;
}

/** A ledger at rest is read where SQLite cannot make its own files beside it, too: on a read-only disk, or in another account's folder. */
function openAsItStands(path: string): Database {
  try {
    return migrated(new Database(path, true));
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "permission_denied" || isThere(`${path}-wal`)) throw error;
    return migrated(new Database(`${toFileUrl(path)}?immutable=1`, true));
  }
}

function migrated(db: Database): Database {
  try {
    migrate(db);
    return db;
  } catch (error) {
    db[Symbol.dispose]();
    throw error;
  }
}

/** Kept in the ledger and in a file beside it; whichever is left restores the other. */
function instanceOf(db: Database, folder: string, onNotice: OnNotice): string {
  const path = join(folder, "instance");
  const filed = readIfThere(path)?.trim() ?? "";
  const known = INSTANCE.test(filed) ? filed : null;
  let stored = storedInstance(db);
  if (stored === null) {
    if (known !== null) {
      onNotice("The ledger is new but this installation is not: files delivered earlier are found at the destinations.");
    }
    stored = known ?? newInstance();
    db.run("INSERT INTO meta (key, value) VALUES ('instance', ?)", stored);
  }
  if (filed !== stored) writeDurably(path, `${stored}\n`);
  return stored;
}

function storedInstance(db: Database): string | null {
  const row = db.get("SELECT value FROM meta WHERE key = 'instance'");
  return row === undefined ? null : text(row, "value");
}

const INSTANCE = /^[a-z0-9]{8,12}$/;

function newInstance(): string {
  // 32 letters, so that a byte's low five bits choose evenly.
  const letters = "abcdefghijkmnpqrstuvwxyz23456789";
  return Array.from(crypto.getRandomValues(new Uint8Array(10)), (byte) => letters[byte % letters.length]).join("");
}
