/**
 * The intake's part of the ledger: which files are new, and their admission.
 *
 * The highest revision of a path is what is at the source now. A file is known when that revision has its fingerprint and a delivery
 * for every destination. A delivery that was given up because the source was gone, or for a newer version that never came, does not
 * count, nor one that a mirror removed: a file that is there after all is delivered after all.
 */
import { chunks } from "../../domain/chunks.ts";
import type { Delivery } from "../../domain/delivery.ts";
import { type FileFacts, fingerprint } from "../../domain/source_file.ts";
import type { Admission, IntakeLedger, Reading, Reread } from "../intake_ledger.ts";
import type { Database, Row } from "./database.ts";
import {
  keepValue,
  keptValue,
  number,
  numberOrNull,
  STATE_COLUMNS,
  stateValues,
  SUPERSEDED,
  text,
  textOrNull,
  toSource,
} from "./rows.ts";

/** How many paths are looked up by one statement: memory stays small, the cost per path too. */
const CHUNK = 5_000;

export function intakeQueries(db: Database) {
  return {
    unknown: (job, files, destinations) => db.snapshot(() => unknown(db, job, files, [...new Set(destinations)])),
    admitted(job, path, size) {
      return db.get(ADMITTED, job, path, size) ?? null;
    },
    leftAside: (job) => JSON.parse(keptValue(db, asideKey(job)) ?? "null"),
    rememberLeftAside: (job, memory) => keepValue(db, asideKey(job), memory && JSON.stringify(memory)),
    // Forgotten in a power cut, the file is found again: nothing is removed at the source before a receipt is on the disk.
    admit: (admissions, now) =>
      db.smallTransaction(
        () => counted(db, admissions.flatMap((admission) => admit(db, admission, null, now))),
        "unflushed",
      ),
    recheck: (admission, sha256, now) => db.transaction(() => counted(db, recheck(db, admission, sha256, now))),
  } satisfies Partial<IntakeLedger>;
}

function asideKey(job: string): string {
  return `newer_than ${job}`;
}

function unknown(
  db: Database,
  job: string,
  files: readonly FileFacts[],
  destinations: readonly string[],
): ReturnType<IntakeLedger["unknown"]> {
  const fresh: FileFacts[] = [];
  const recheck: FileFacts[] = [];
  for (const chunk of chunks(files, CHUNK)) {
    const rows = db.all(NEWEST_OF_PATHS, JSON.stringify(destinations), job, JSON.stringify(chunk.map(({ path }) => path)));
    const newest = new Map(rows.map((row) => [text(row, "path"), row]));
    for (const file of chunk) {
      const row = newest.get(file.path);
      if (row !== undefined && isMoved(text(row, "fingerprint"), text(row, "identity"), textOrNull(row, "sha256"), file)) {
        recheck.push(file);
      } else if (row === undefined || !isAdmitted(row, file, destinations.length)) fresh.push(file);
      else if (Math.trunc(number(row, "ctime_ms")) !== Math.trunc(file.ctimeMs)) recheck.push(file);
    }
  }
  return { fresh, recheck };
}

function isAdmitted(newest: Row, file: FileFacts, destinations: number): boolean {
  return newest["fingerprint"] === fingerprint(file) && number(newest, "admitted") >= destinations;
}

/** The same but for its place on a disk: it was copied or moved, or its disk has another number. Its bytes tell whether it is the same image. */
function isMoved(known: string, identity: string, sha256: string | null, file: FileFacts): boolean {
  return sha256 !== null && known !== fingerprint(file) && known === fingerprint({ ...file, identity });
}

/** A delivery that is queued now and was not before; `isNew` is false for one that was given up and is queued again. */
interface Added {
  readonly delivery: Delivery;
  readonly isNew: boolean;
}

interface Version {
  readonly id: number;
  readonly revision: number;
}

/** Adds the new deliveries to the totals. */
function counted(db: Database, added: readonly Added[]): Delivery[] {
  const places = Map.groupBy(
    added.filter(({ isNew }) => isNew),
    ({ delivery: { source, destination } }) => JSON.stringify([source.job, destination]),
  );
  for (const [place, { length }] of places) {
    const [job, destination] = JSON.parse(place) as [string, string];
    db.run(ADD_TO_TOTAL, job, destination, length);
  }
  return added.map(({ delivery }) => delivery);
}

function admit(db: Database, admission: Admission, sha256: string | null, now: number): Added[] {
  const newest = newestOf(db, admission);
  if (newest?.fingerprint === fingerprint(admission.source)) return addDeliveries(db, admission, newest, now);
  return addVersion(db, admission, newest, sha256, now);
}

function recheck(db: Database, admission: Admission, sha256: string, now: number): Added[] {
  const newest = newestOf(db, admission);
  if (newest === null) return admit(db, admission, sha256, now);
  const { source } = admission;
  const isMovedHere = isMoved(newest.fingerprint, newest.identity, newest.sha256, source);
  if (!isMovedHere && newest.fingerprint !== fingerprint(source)) return admit(db, admission, sha256, now);
  const differs = newest.sha256 !== null && newest.sha256 !== sha256;
  // A hash that was misread, while everything that was delivered has the bytes of now, makes no new version.
  const others = differs ? NOT_THESE_BYTES : DELIVERED_OTHERWISE;
  if (db.get(others, newest.id, sha256) !== undefined) return addVersion(db, admission, newest, sha256, now);
  db.run(SAME_BYTES, source.ctimeMs, sha256, rereadAt(admission), source.identity, fingerprint(source), newest.id);
  return addDeliveries(db, admission, newest, now);
}

interface NewestVersion extends Version {
  readonly fingerprint: string;
  readonly identity: string;
  readonly sha256: string | null;
}

function newestOf(db: Database, { source }: Admission): NewestVersion | null {
  return db.get<NewestVersion>(NEWEST, source.job, source.path) ?? null;
}

function addVersion(db: Database, admission: Admission, former: Version | null, sha256: string | null, now: number): Added[] {
  const { source, night, cards, warning } = admission;
  const revision = (former?.revision ?? 0) + 1;
  const id = db.insert(
    ADD_VERSION,
    source.job,
    source.path,
    revision,
    source.absolutePath,
    source.size,
    source.mtimeMs,
    source.ctimeMs,
    source.identity,
    fingerprint(source),
    sha256,
    night,
    cards === undefined ? null : JSON.stringify(cards),
    Math.trunc(now),
    rereadAt(admission),
    warning ?? null,
  );
  // The former bytes are gone.
  if (former !== null) db.run("UPDATE versions SET reread_at = NULL WHERE id = ?", former.id);
  return addDeliveries(db, admission, { id, revision }, now);
}

function rereadAt({ racyUntil }: Admission): number | null {
  return racyUntil === undefined ? null : Math.ceil(racyUntil);
}

/** Adds the deliveries that the version does not have yet, and supersedes those of older versions. */
function addDeliveries(db: Database, admission: Admission, version: Version, now: number): Added[] {
  const added = admission.targets.map((to) => addDelivery(db, admission, version.id, to, now)).filter((one) => one !== null);
  if (version.revision === 1) return added;
  const { job, path, absolutePath } = admission.source;
  const superseded = stateValues({ state: "failed", failure: SUPERSEDED }, now);
  for (const { delivery: { destination } } of added) {
    db.run(SUPERSEDE_OLDER, ...superseded, destination, job, path, absolutePath, job, path);
  }
  return added;
}

/** Null where the version has this delivery; one that was given up although the file is there is queued again. */
function addDelivery(
  db: Database,
  { source, night }: Admission,
  versionId: number,
  { destination, target, method }: Admission["targets"][number],
  now: number,
): Added | null {
  const queued = { source, destination, method, attempts: 0, state: { state: "queued" } } as const;
  const row = db.get(STORED_DELIVERY, versionId, destination);
  if (row === undefined) {
    const queuedAt = Math.trunc(now);
    const id = db.insert(ADD_DELIVERY, versionId, source.job, destination, night, method, target, source.mtimeMs, queuedAt);
    return { isNew: true, delivery: { ...queued, id, target, night, queuedAt } };
  }
  if (row["state"] !== "failed" || !GIVEN_UP.has(text(row, "failure_code"))) return null;
  const id = number(row, "id");
  db.run(QUEUE_AGAIN, method, id);
  const stored = { target: text(row, "target"), night: text(row, "night"), queuedAt: number(row, "queued_at") };
  return { isNew: false, delivery: { ...queued, id, ...stored } };
}

const GIVEN_UP: ReadonlySet<string> = new Set(["source_gone", "superseded", "removed"]);

const ADMITTED =
  "SELECT admitted_at AS at, mtime_ms AS mtimeMs FROM versions WHERE job = ? AND path = ? AND size = ? ORDER BY revision DESC LIMIT 1";

const NEWEST =
  "SELECT id, revision, fingerprint, identity, sha256 FROM versions WHERE job = ? AND path = ? ORDER BY revision DESC LIMIT 1";

/** The newest version of each path of a list, with how many of the wanted destinations it is admitted for. */
const NEWEST_OF_PATHS = `
  WITH wanted AS MATERIALIZED (SELECT value AS destination FROM json_each(?))
  SELECT v.path, v.fingerprint, v.identity, v.sha256, v.ctime_ms, (
      SELECT count(*) FROM wanted w JOIN deliveries d ON d.version_id = v.id AND d.destination = w.destination
      WHERE d.state <> 'failed' OR d.failure_code NOT IN ('source_gone', 'superseded', 'removed')
    ) AS admitted
  FROM (SELECT ? AS job) j, json_each(?) p
  JOIN versions v ON v.id = (
    SELECT n.id FROM versions n WHERE n.job = j.job AND n.path = p.value ORDER BY n.revision DESC LIMIT 1
  )`;

const SAME_BYTES = "UPDATE versions SET ctime_ms = ?, sha256 = ?, reread_at = ?, identity = ?, fingerprint = ? WHERE id = ?";

/** A delivery of the version whose receipt is for other bytes. */
const DELIVERED_OTHERWISE = `SELECT 1 FROM deliveries
  WHERE version_id = ? AND state = 'delivered' AND receipt_sha256 <> ? LIMIT 1`;

/** A delivery of the version that has no receipt for these bytes. */
const NOT_THESE_BYTES = `SELECT 1 FROM deliveries
  WHERE version_id = ? AND NOT (state = 'delivered' AND receipt_sha256 IS ?) LIMIT 1`;

const ADD_VERSION = `
  INSERT INTO versions (job, path, revision, absolute_path, size, mtime_ms, ctime_ms, identity, fingerprint, sha256,
    night, cards, admitted_at, reread_at, warning) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

const STORED_DELIVERY =
  "SELECT id, state, failure_code, target, night, queued_at FROM deliveries WHERE version_id = ? AND destination = ?";

const ADD_DELIVERY = `
  INSERT INTO deliveries (version_id, job, destination, night, method, target, sort_ms, queued_at, state, attempts)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', 0)`;

// The target stays as it was first admitted: it is frozen.
const QUEUE_AGAIN = `UPDATE deliveries SET state = 'queued', attempts = 0, method = ?,
  failure_code = NULL, failure_next = NULL, failure_message = NULL, failure_hint = NULL WHERE id = ?`;

const ADD_TO_TOTAL = `INSERT INTO totals (job, destination, number) VALUES (?, ?, ?)
  ON CONFLICT DO UPDATE SET number = number + excluded.number`;

/** Gives up what waits of older versions of a path, where the newer one goes to the same destination. */
const SUPERSEDE_OLDER = `
  UPDATE deliveries SET ${STATE_COLUMNS}
  WHERE state IN ('queued', 'deferred') AND destination = ? AND version_id IN (
    SELECT id FROM versions WHERE job = ? AND path = ? AND absolute_path = ? AND revision < (
      SELECT max(revision) FROM versions WHERE job = ? AND path = ?))`;

// Which bytes must be read again: those read so soon after the last change that a rewrite would leave no trace in the facts of the
// file, and those of which a writer was seen afterwards. Stored here, so that a restart forgets none.

export function rereadQueries(db: Database) {
  return {
    dueRereads: (job, now, limit) =>
      db.all(DUE, job, Math.trunc(now), limit).map((row) => {
        const { job: _, absolutePath: __, ...facts } = toSource(row);
        return { versionId: number(row, "id"), facts, wasRead: number(row, "was_read") === 1, at: number(row, "reread_at") };
      }),
    nextReread: (job) => numberOrNull(db.get(NEXT, job), "reread_at"),
    recordRereads: (readings) =>
      db.transaction(() => readings.filter((one) => storeReading(db, one)).map(({ facts }) => facts.path)),
    requestRereads: (job, paths, now) =>
      void db.transaction(() => db.run(REQUEST, Math.trunc(now), job, JSON.stringify(paths), Math.trunc(now))),
  } satisfies Partial<IntakeLedger>;
}

/** Stores what was found. True where the content must be compared by `recheck`. */
function storeReading(db: Database, { versionId, at, found }: Reread & { readonly found: Reading }): boolean {
  if (found.is === "certain" || (found.is === "read" && db.get(SAME, versionId, found.sha256) !== undefined)) {
    db.run(CERTAIN, found.is === "read" ? found.sha256 : null, versionId, at);
    return false;
  }
  db.run(DOUBTFUL, versionId);
  return true;
}

/** It is being sent, and its first hash is not recorded yet. */
const BEING_READ = `(v.sha256 IS NULL AND EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.state = 'sending'))`;

const DUE = `
  SELECT v.*, (v.sha256 IS NOT NULL OR EXISTS (
      SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.receipt_sha256 IS NOT NULL)) AS was_read
  FROM versions v INDEXED BY versions_reread
  WHERE v.job = ? AND v.reread_at <= ? AND NOT ${BEING_READ}
  ORDER BY v.reread_at LIMIT ?`;

const NEXT = `SELECT reread_at FROM versions INDEXED BY versions_reread
  WHERE job = ? AND reread_at IS NOT NULL ORDER BY reread_at LIMIT 1`;

/** The version was neither read nor delivered with other bytes. */
const SAME = `SELECT 1 FROM versions v WHERE v.id = ?1 AND coalesce(v.sha256, ?2) = ?2 AND NOT EXISTS (
  SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.state = 'delivered' AND d.receipt_sha256 <> ?2)`;

// A writer that was seen meanwhile has set another time: then it is read once more.
const CERTAIN = `UPDATE versions SET sha256 = coalesce(?, sha256), reread_at = NULL WHERE id = ? AND reread_at = ?`;

/** No file has this ctime, so `unknown` lists it for a recheck. */
const DOUBTFUL = `UPDATE versions SET ctime_ms = -1, reread_at = NULL WHERE id = ?`;

/** A racy one is read when it no longer is. Always another time than before, see {@linkcode CERTAIN}. */
const REQUEST = `UPDATE versions SET reread_at = max(?, coalesce(reread_at + 1, 0)) WHERE removed_at IS NULL AND id IN (
    SELECT (SELECT n.id FROM versions n WHERE n.job = j.job AND n.path = p.value ORDER BY n.revision DESC LIMIT 1)
    FROM (SELECT ? AS job) j, json_each(?) p
  ) AND (reread_at IS NULL OR reread_at <= ?)`;
