/**
 * Which bytes must be read again: those read so soon after the last change that a rewrite would leave no trace in the facts of the
 * file, and those of which a writer was seen afterwards. Stored here, so that a restart forgets none.
 */
import type { Database, Row } from "./database.ts";
import type { IntakeLedger, Reading, Reread } from "../intake_ledger.ts";
import { number, toSource } from "./rows.ts";

export function rereadQueries(
  db: Database,
): Pick<IntakeLedger, "dueRereads" | "nextReread" | "recordRereads" | "requestRereads"> {
  return {
    dueRereads(job, now, limit) {
      return db.all(DUE, job, Math.trunc(now), limit).map((row: Row): Reread => {
        const { job: _, absolutePath: __, ...facts } = toSource(row);
        return { versionId: number(row, "id"), facts, wasRead: number(row, "was_read") === 1, at: number(row, "reread_at") };
      });
    },
    nextReread(job) {
      const row = db.get(NEXT, job);
      return row === undefined ? null : number(row, "reread_at");
    },
    recordRereads: (readings) =>
      db.transaction(() => readings.filter((one) => storeReading(db, one)).map(({ facts }) => facts.path)),
    requestRereads: (job, paths, now) =>
      void db.transaction(() => db.run(REQUEST, Math.trunc(now), job, JSON.stringify(paths), Math.trunc(now))),
  };
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
