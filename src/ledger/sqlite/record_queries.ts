/**
 * What became of deliveries, and what was read and left on the way.
 *
 * Invariant: what is queued or deferred has no newer version on its way to the same destination, so no old version is ever sent over
 * a newer one. `admit`, `record`, `requeue` and `sendAgain` keep it.
 *
 * @module
 */
import type { Delivery, DeliveryState } from "../../domain/delivery.ts";
import type { BytesRead, OutboxLedger } from "../outbox_ledger.ts";
import type { Database } from "./database.ts";
import { SELECT_DELIVERY, STATE_COLUMNS, stateValues, SUPERSEDED, text, textOrNull, toDelivery } from "./rows.ts";

export function recordQueries(db: Database): Pick<OutboxLedger, "record" | "parts" | "hashOf"> {
  return {
    record(deliveries, now, reads, parts) {
      if (deliveries.length === 0) return false;
      return db.transaction(() => {
        let rewritten = false;
        for (const delivery of deliveries) {
          store(db, delivery, now);
          if (!compareBytes(db, delivery, reads?.get(delivery.id))) rewritten = true;
        }
        db.run(FORGET_PARTS, JSON.stringify(deliveries.map(({ id }) => id)));
        for (const [id, staged] of parts ?? []) db.run("INSERT INTO parts (delivery_id, staged) VALUES (?, ?)", id, staged);
        return rewritten;
      });
    },
    parts: (job, destination) =>
      db.all(PARTS, job, destination).map((row) => ({ delivery: toDelivery(row), staged: text(row, "staged") })),
    hashOf({ id }) {
      const row = db.get(HASH, id);
      return row === undefined ? null : textOrNull(row, "sha256");
    },
  };
}

function store(db: Database, { id, attempts, state, method }: Delivery, now: number): void {
  const waits = state.state === "queued" || state.state === "deferred";
  const next: DeliveryState = waits && hasNewer(db, id) ? { state: "failed", failure: SUPERSEDED } : state;
  if (db.run(STORE, method, attempts, ...stateValues(next, now), id) !== 1) {
    throw new Error(`The ledger has no delivery with the id ${id}`);
  }
}

/** False if the receipt, or what was read, has other bytes than the version was last seen with: `unknown` lists it for a recheck. */
function compareBytes(db: Database, { id, state }: Delivery, read: BytesRead | undefined): boolean {
  if (state.state === "delivered" && db.run(DOUBT, id, state.receipt.sha256) > 0) return false;
  if (read === undefined) return true;
  db.run(REMEMBER_READ, read.sha256, Math.trunc(read.at), id);
  return db.run(DOUBT_OTHERS, id, read.sha256) === 0;
}

/** Whether a newer version of the file is on its way to the same destination. */
export function hasNewer(db: Database, id: number): boolean {
  return db.get(NEWER, id) !== undefined;
}

const STORE = `UPDATE deliveries SET method = ?, attempts = ?, ${STATE_COLUMNS} WHERE id = ?`;

// No file has this ctime.
const DOUBT = `UPDATE versions SET ctime_ms = -1
  WHERE id = (SELECT version_id FROM deliveries WHERE id = ?) AND sha256 <> ?`;

/** Other bytes than those read now were delivered somewhere: the file was rewritten in between. */
const DOUBT_OTHERS = `UPDATE versions SET ctime_ms = -1 WHERE id = (SELECT version_id FROM deliveries WHERE id = ?)
  AND EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = versions.id AND d.receipt_sha256 <> ?)`;

/** What was read late enough for every rewrite to show needs no reread. */
const REMEMBER_READ = `UPDATE versions SET sha256 = ?, reread_at = CASE WHEN reread_at > ? THEN reread_at END
  WHERE id = (SELECT version_id FROM deliveries WHERE id = ?)`;

const FORGET_PARTS = "DELETE FROM parts WHERE delivery_id IN (SELECT value FROM json_each(?))";

// There are few parts: the planner must not begin with the backlog.
const PARTS = `${SELECT_DELIVERY}, p.staged FROM parts p CROSS JOIN deliveries d ON d.id = p.delivery_id
  CROSS JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state IN ('queued', 'sending', 'deferred') ORDER BY d.id`;

const HASH = "SELECT v.sha256 FROM versions v JOIN deliveries d ON d.version_id = v.id WHERE d.id = ?";

const NEWER = `SELECT 1 FROM deliveries d JOIN versions v ON v.id = d.version_id
  JOIN versions n ON n.job = v.job AND n.path = v.path AND n.revision > v.revision AND n.absolute_path = v.absolute_path
  JOIN deliveries e ON e.version_id = n.id AND e.destination = d.destination
  WHERE d.id = ? LIMIT 1`;
