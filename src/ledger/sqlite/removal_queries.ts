/**
 * Which source files may be removed (I4).
 *
 * @module
 */
import type { OutboxLedger } from "../outbox_ledger.ts";
import type { Database } from "./database.ts";
import { number, SELECT_DELIVERY, toDelivery, toReceipt, toSource } from "./rows.ts";

export function removalQueries(db: Database): Pick<OutboxLedger, "removable" | "markRemoved"> {
  return {
    removable(job, destinations, limit) {
      // Without a destination nothing is verified.
      if (destinations.length === 0) return [];
      const wanted = JSON.stringify([...new Set(destinations)]);
      return db.snapshot(() =>
        db.all(REMOVABLE, job, wanted, limit).map((row) => {
          const versionId = number(row, "id");
          const rows = db.all(DELIVERIES, versionId, wanted);
          return { source: toSource(row), versionId, deliveries: rows.map(toDelivery), receipts: rows.map(toReceipt) };
        })
      );
    },
    markRemoved: (versionIds, now) =>
      void db.transaction(() => db.run(MARK_REMOVED, Math.trunc(now), JSON.stringify(versionIds))),
  };
}

/**
 * Newest versions that every wanted destination has, with a hash compared and with the same bytes; that nobody is sending anywhere;
 * and whose bytes cannot have changed since without a trace.
 */
const REMOVABLE = `
  SELECT v.* FROM versions v INDEXED BY versions_kept
  WHERE v.job = ?1 AND v.removed_at IS NULL AND v.reread_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM json_each(?2) w WHERE NOT EXISTS (
      SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.destination = w.value
        AND d.state = 'delivered' AND d.receipt_level IN ('checksum', 'read_back')))
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id
      AND d.state <> 'delivered' AND (d.failure_code IS NULL OR d.failure_code NOT IN ('superseded', 'skipped')))
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.receipt_sha256 <> v.sha256)
    AND NOT EXISTS (SELECT 1 FROM versions n WHERE n.job = v.job AND n.path = v.path AND n.revision > v.revision)
  ORDER BY v.id LIMIT ?3`;

const DELIVERIES = `${SELECT_DELIVERY} FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.version_id = ? AND d.destination IN (SELECT value FROM json_each(?)) ORDER BY d.id`;

const MARK_REMOVED = "UPDATE versions SET removed_at = ? WHERE removed_at IS NULL AND id IN (SELECT value FROM json_each(?))";
