/** Which source files may be removed (I4). */
import { fingerprint } from "../../domain/source_file.ts";
import type { OutboxLedger } from "../outbox_ledger.ts";
import type { Database } from "./database.ts";
import { number, SELECT_DELIVERY, toDelivery, toReceipt, toSource } from "./rows.ts";

export function removalQueries(db: Database): Pick<OutboxLedger, "removable" | "isDelivered" | "markRemoved"> {
  return {
    removable(job, destinations, limit, only) {
      // Without a destination nothing is verified.
      if (destinations.length === 0) return [];
      const wanted = JSON.stringify([...new Set(destinations)]);
      const { watchPath = null, after = 0, versionId = null } = only ?? {};
      return db.snapshot(() =>
        db.all(versionId === null ? REMOVABLE : STILL_REMOVABLE, job, wanted, limit, watchPath, versionId, after).map((row) => {
          const versionId = number(row, "id");
          const rows = db.all(DELIVERIES, versionId, wanted);
          return { source: toSource(row), versionId, deliveries: rows.map(toDelivery), receipts: rows.map(toReceipt) };
        })
      );
    },
    isDelivered: (source, sha256, destinations) =>
      db.get(IS_DELIVERED, source.job, source.path, fingerprint(source), JSON.stringify(destinations), sha256) !== undefined,
    markRemoved: (versionIds, now) =>
      void db.transaction(() => db.run(MARK_REMOVED, Math.trunc(now), JSON.stringify(versionIds))),
  };
}

/** The watched folder is as it was; a separator follows, unless it ends with one. */
const IS_IN = `substr(v.absolute_path, 1, length(?4)) = ?4 AND length(v.absolute_path) - length(v.path) - length(?4) IN (0, 1)`;

/**
 * Newest versions that every wanted destination has, with a hash compared and with the same bytes; that nobody is sending anywhere;
 * and whose bytes cannot have changed since without a trace.
 */
const removableSql = (from: string) =>
  `SELECT v.* FROM ${from}
  WHERE v.job = ?1 AND v.removed_at IS NULL AND v.reread_at IS NULL AND v.id > ?6 AND (?5 IS NULL OR v.id = ?5) AND (?4 IS NULL OR ${IS_IN})
    AND NOT EXISTS (SELECT 1 FROM json_each(?2) w WHERE NOT EXISTS (
      SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.destination = w.value
        AND d.state = 'delivered' AND d.receipt_level IN ('checksum', 'read_back')))
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id
      AND d.state <> 'delivered' AND (d.failure_code IS NULL OR d.failure_code NOT IN ('superseded', 'skipped')))
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.receipt_sha256 <> v.sha256)
    AND NOT EXISTS (SELECT 1 FROM versions n WHERE n.job = v.job AND n.path = v.path AND n.revision > v.revision)
  ORDER BY v.id LIMIT ?3`;

const REMOVABLE = removableSql("versions v INDEXED BY versions_kept");
// By its id, without a search through the others.
const STILL_REMOVABLE = removableSql("(SELECT * FROM versions WHERE id = ?5) v");

const IS_DELIVERED = `SELECT 1 FROM versions v
  WHERE v.id = (SELECT n.id FROM versions n WHERE n.job = ?1 AND n.path = ?2 ORDER BY n.revision DESC LIMIT 1) AND v.fingerprint = ?3
    AND NOT EXISTS (SELECT 1 FROM json_each(?4) w WHERE NOT EXISTS (
      SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.destination = w.value
        AND d.state = 'delivered' AND (d.receipt_sha256 IS NULL OR d.receipt_sha256 IS ?5)))`;

const DELIVERIES = `${SELECT_DELIVERY} FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.version_id = ? AND d.destination IN (SELECT value FROM json_each(?)) ORDER BY d.id`;

const MARK_REMOVED = "UPDATE versions SET removed_at = ? WHERE removed_at IS NULL AND id IN (SELECT value FROM json_each(?))";
