/**
 * The tables of the ledger and how older ones become newer ones. Migrations only go forward: each entry of
 * {@linkcode MIGRATIONS} is run once, in order, and `user_version` counts those that have run.
 */
import { Failure } from "../../domain/failure.ts";
import { AUDITS_MIGRATION } from "./audit_queries.ts";
import { AVAILABILITY_MIGRATION } from "./availability_queries.ts";
import type { Database } from "./database.ts";
import { HOOKS_MIGRATION, HOOKS_REMOVED_MIGRATION } from "./hook_queries.ts";
import { NIGHTS_MIGRATION, REMOVED_MIGRATION } from "./night_schema.ts";

/** Never change an entry that was released; add one. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;

  -- One row per version of a file; the highest revision of a path is what is at the source now.
  CREATE TABLE versions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    job TEXT NOT NULL,
    path TEXT NOT NULL,
    revision INTEGER NOT NULL CHECK (revision > 0),
    absolute_path TEXT NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 0),
    mtime_ms REAL NOT NULL,
    ctime_ms REAL NOT NULL,
    identity TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    sha256 TEXT CHECK (length(sha256) = 64),
    night TEXT NOT NULL,
    cards TEXT,
    admitted_at INTEGER NOT NULL,
    removed_at INTEGER,
    UNIQUE (job, path, revision)
  ) STRICT;
  CREATE INDEX versions_kept ON versions (job, id) WHERE removed_at IS NULL;

  -- One row per version and destination: the queue, the history and the proof.
  CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    version_id INTEGER NOT NULL REFERENCES versions (id),
    job TEXT NOT NULL,
    destination TEXT NOT NULL,
    night TEXT NOT NULL,
    method TEXT NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('queued', 'sending', 'deferred', 'delivered', 'failed')),
    attempt TEXT,
    attempts INTEGER NOT NULL CHECK (attempts >= 0),
    retry_at INTEGER,
    failure_code TEXT,
    failure_next TEXT,
    failure_message TEXT,
    failure_hint TEXT,
    receipt_bytes INTEGER,
    receipt_sha256 TEXT CHECK (length(receipt_sha256) = 64),
    receipt_level TEXT CHECK (receipt_level IN ('checksum', 'read_back', 'size', 'none')),
    receipt_at INTEGER,
    sort_ms REAL NOT NULL,
    queued_at INTEGER NOT NULL,
    delivered_at INTEGER,
    UNIQUE (version_id, destination),
    CHECK ((state = 'sending') = (attempt IS NOT NULL)),
    CHECK ((state = 'deferred') = (retry_at IS NOT NULL)),
    CHECK ((state IN ('deferred', 'failed')) = (failure_code IS NOT NULL)),
    CHECK ((state = 'delivered') = (receipt_level IS NOT NULL)),
    CHECK ((state = 'delivered') = (delivered_at IS NOT NULL))
  ) STRICT;
  CREATE INDEX deliveries_queued ON deliveries (job, destination, sort_ms) WHERE state = 'queued';
  CREATE INDEX deliveries_deferred ON deliveries (job, destination, retry_at) WHERE state = 'deferred';
  CREATE INDEX deliveries_sending ON deliveries (job, destination) WHERE state = 'sending';
  CREATE INDEX deliveries_failed ON deliveries (job, destination, failure_code) WHERE state = 'failed';
  CREATE INDEX deliveries_waiting ON deliveries (queued_at) WHERE state IN ('queued', 'sending', 'deferred');
  CREATE INDEX deliveries_delivered ON deliveries (delivered_at);
  CREATE INDEX deliveries_night ON deliveries (night);

  -- How many deliveries there are in all: what is delivered is this less the others, which few rows of an index tell.
  CREATE TABLE totals (
    job TEXT NOT NULL,
    destination TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (job, destination)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE destinations (
    job TEXT NOT NULL,
    name TEXT NOT NULL,
    device TEXT NOT NULL,
    PRIMARY KEY (job, name)
  ) STRICT, WITHOUT ROWID;
  -- A pause holds for a destination's name in every job.
  CREATE TABLE pauses (destination TEXT PRIMARY KEY, paused_by TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  NIGHTS_MIGRATION,
  `
  -- When the bytes of a version must be read again, as nothing else would tell that they were rewritten; NULL where facts tell.
  ALTER TABLE versions ADD COLUMN reread_at INTEGER;
  CREATE INDEX versions_reread ON versions (job, reread_at) WHERE reread_at IS NOT NULL;
  `,
  `
  -- What was wrong with a file that was admitted all the same.
  ALTER TABLE versions ADD COLUMN warning TEXT;
  CREATE INDEX versions_flagged ON versions (night) WHERE warning IS NOT NULL;
  `,
  `
  -- What an attempt left of a large file at its destination, for the next one to resume.
  CREATE TABLE parts (delivery_id INTEGER PRIMARY KEY REFERENCES deliveries (id), staged TEXT NOT NULL) STRICT;
  `,
  `
  -- Which hashes were compared, where they were not SHA-256.
  ALTER TABLE deliveries ADD COLUMN receipt_algorithm TEXT CHECK (receipt_algorithm IN ('md5', 'sha1'));
  `,
  `
  -- When jobs with a schedule last ran.
  CREATE TABLE runs (job TEXT PRIMARY KEY, begun_at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
  HOOKS_MIGRATION,
  `${REMOVED_MIGRATION}
  -- What is remembered of mirrors, and the folders in the trash of their destinations.
  CREATE TABLE mirrors (
    job TEXT NOT NULL,
    destination TEXT NOT NULL,
    root TEXT NOT NULL,
    accepted INTEGER NOT NULL,
    held_files INTEGER NOT NULL,
    held_reason TEXT,
    clock_ms INTEGER NOT NULL,
    wall_ms INTEGER NOT NULL,
    PRIMARY KEY (job, destination)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE trash (
    job TEXT NOT NULL,
    destination TEXT NOT NULL,
    folder TEXT NOT NULL,
    born_ms INTEGER NOT NULL,
    PRIMARY KEY (job, destination, folder)
  ) STRICT, WITHOUT ROWID;
  `,
  AUDITS_MIGRATION,
  AVAILABILITY_MIGRATION,
  HOOKS_REMOVED_MIGRATION,
];

/** The schema that this program writes. */
export const SCHEMA_VERSION: number = MIGRATIONS.length;

/** `image` in ASCII + `tr`: marks the file as ours (SQLite's `application_id`). */
const APPLICATION_ID = 0x696d_7472;

/** Makes the totals anew. */
export const FILL_TOTALS =
  "DELETE FROM totals; INSERT INTO totals SELECT job, destination, count(*) FROM deliveries GROUP BY job, destination;";

/** @throws {Failure} `configuration` where the file is a database of another program. */
export function refuseForeign(db: Database): void {
  const id = Number(db.get("PRAGMA application_id")?.["application_id"] ?? 0);
  if (id === APPLICATION_ID || (id === 0 && isNew(db))) return;
  // Damage may have hit the mark itself.
  const ours = db.all("SELECT name FROM sqlite_schema WHERE name IN ('meta', 'versions', 'deliveries', 'totals')");
  if (ours.length === 4) return;
  throw new Failure("configuration", `Cannot use "${db.path}": it is the database of another program`, {
    hint: "Move it away, or choose another folder with state_directory. It was not changed.",
  });
}

/**
 * Brings the tables to {@linkcode SCHEMA_VERSION}, all or nothing.
 *
 * @throws {Failure} `configuration` when the ledger was written by a newer program, or is old and may only be read.
 */
export function migrate(db: Database): void {
  const version = schemaVersion(db);
  if (version > SCHEMA_VERSION) {
    throw new Failure(
      "configuration",
      `Cannot open the ledger "${db.path}": it has schema ${version}, this version of image-transfer knows up to ${SCHEMA_VERSION}`,
      { hint: "It was written by a newer image-transfer: install that version again. The ledger was not changed." },
    );
  }
  if (version === SCHEMA_VERSION) return;
  if (db.readOnly) {
    throw new Failure(
      "configuration",
      `Cannot read the ledger "${db.path}": it has the older schema ${version}, this version of image-transfer needs ${SCHEMA_VERSION}`,
      { hint: "Start this version of the daemon once: it brings the ledger up to date." },
    );
  }
  db.transaction(() => {
    // Two processes may open a new ledger at once: the second finds the work done.
    for (const migration of MIGRATIONS.slice(schemaVersion(db))) db.exec(migration);
    db.exec(`PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${SCHEMA_VERSION}`);
  });
}

/** Nothing was ever written to it: not even its tables are there. */
export function isNew(db: Database): boolean {
  return schemaVersion(db) === 0 && db.get("SELECT 1 FROM sqlite_schema") === undefined;
}

function schemaVersion(db: Database): number {
  return Number(db.get("PRAGMA user_version")?.["user_version"] ?? 0);
}
