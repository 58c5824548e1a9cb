/**
 * Which source files may be removed (I4), and what is remembered about destinations.
 *
 * @module
 */
import type { Database } from "./database.ts";
import type { Ledger } from "../ledger.ts";
import { number, SELECT_DELIVERY, text, toDelivery, toReceipt, toSource } from "./rows.ts";

/** `removable` is empty for an empty list of destinations: without a destination nothing is proven. */
export function removalQueries(db: Database): Pick<Ledger, "removable" | "markRemoved"> {
  return {
    removable(job, destinations, limit) {
      // Without a destination nothing is proven.
      if (destinations.length === 0) return [];
      const wanted = JSON.stringify([...new Set(destinations)]);
      return db.snapshot(() =>
        db.all(REMOVABLE, job, wanted, limit).map((row) => {
          const versionId = number(row, "id");
          const rows = db.all(PROVEN, versionId, wanted);
          return { source: toSource(row), versionId, deliveries: rows.map(toDelivery), receipts: rows.map(toReceipt) };
        })
      );
    },
    markRemoved(versionIds, now) {
      db.transaction(() =>
        db.run(
          "UPDATE versions SET removed_at = ? WHERE removed_at IS NULL AND id IN (SELECT value FROM json_each(?))",
          Math.trunc(now),
          JSON.stringify(versionIds),
        )
      );
    },
  };
}

/** Devices are kept per job and destination, pauses per destination name. */
export function destinationQueries(db: Database): Pick<Ledger, "deviceOf" | "rememberDevice" | "pausedBy" | "setPaused"> {
  return {
    deviceOf(job, destination) {
      const row = db.get("SELECT device FROM destinations WHERE job = ? AND name = ?", job, destination);
      return row === undefined ? null : text(row, "device");
    },
    rememberDevice(job, destination, device) {
      db.transaction(() =>
        db.run("INSERT OR REPLACE INTO destinations (job, name, device) VALUES (?, ?, ?)", job, destination, device)
      );
    },
    pausedBy(destination) {
      const row = db.get("SELECT paused_by FROM pauses WHERE destination = ?", destination);
      return row === undefined ? null : text(row, "paused_by");
    },
    setPaused(destination, by) {
      db.transaction(() =>
        by === null
          ? db.run("DELETE FROM pauses WHERE destination = ?", destination)
          : db.run("INSERT OR REPLACE INTO pauses (destination, paused_by) VALUES (?, ?)", destination, by)
      );
    },
  };
}

/**
 * Newest versions that no wanted destination lacks or holds with a weaker proof or with other bytes, and that nobody is sending
 * anywhere; none whose bytes may have changed since without a trace.
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

const PROVEN = `${SELECT_DELIVERY} FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.version_id = ? AND d.destination IN (SELECT value FROM json_each(?)) ORDER BY d.id`;
