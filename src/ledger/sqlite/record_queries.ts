/**
 * What became of deliveries, and what was read and left on the way.
 *
 * Invariant: what is queued or deferred has no newer version on its way to the same destination, so no old version is ever sent over
 * a newer one. `admit`, `record`, `requeue` and `sendAgain` keep it.
 */
import type { Delivery, DeliveryState } from "../../domain/delivery.ts";
import type { BytesRead, OutboxLedger } from "../outbox_ledger.ts";
import type { Database } from "./database.ts";
import { number, SELECT_DELIVERY, STATE_COLUMNS, stateValues, SUPERSEDED, text, toDelivery } from "./rows.ts";

export function recordQueries(db: Database): Pick<OutboxLedger, "record" | "parts" | "hashesOf"> {
  return {
    record(deliveries, now, reads, parts) {
      if (deliveries.length === 0) return false;
      return db.smallTransaction(() => {
        store(db, deliveries, now);
        const rewritten = compareBytes(db, deliveries, reads);
        db.run(FORGET_PARTS, JSON.stringify(deliveries.map(({ id }) => id)));
        for (const [id, staged] of parts ?? []) db.run("INSERT INTO parts (delivery_id, staged) VALUES (?, ?)", id, staged);
        return rewritten;
      });
    },
    parts: (job, destination) =>
      db.all(PARTS, job, destination).map((row) => ({ delivery: toDelivery(row), staged: text(row, "staged") })),
    hashesOf: (deliveries) =>
      new Map(
        db.all(HASHES, JSON.stringify(deliveries.map(({ id }) => id))).map((row) => [number(row, "id"), text(row, "sha256")]),
      ),
  };
}

function store(db: Database, deliveries: readonly Delivery[], now: number): void {
  const rows = deliveries.map(({ id, attempts, state, method }) => {
    const waits = state.state === "queued" || state.state === "deferred";
    const next: DeliveryState = waits && hasNewer(db, id) ? { state: "failed", failure: SUPERSEDED } : state;
    return [id, method, attempts, ...stateValues(next, now)];
  });
  if (db.run(STORE, JSON.stringify(rows)) === rows.length) return;
  const missing = deliveries.find(({ id }) => db.get("SELECT 1 FROM deliveries WHERE id = ?", id) === undefined);
  throw new Error(`The ledger has no delivery with the id ${missing?.id}`);
}

/** True if a receipt, or what was read, has other bytes than the version was last seen with: `unknown` lists it for a recheck. */
function compareBytes(db: Database, deliveries: readonly Delivery[], reads?: ReadonlyMap<number, BytesRead>): boolean {
  const proven = deliveries.flatMap(({ id, state }) => state.state === "delivered" ? [[id, state.receipt.sha256]] : []);
  const doubtful = new Set(db.all(DOUBTFUL, JSON.stringify(proven)).map((row) => number(row, "id")));
  if (doubtful.size > 0) db.run(DOUBT, JSON.stringify([...doubtful]));
  const read = deliveries.flatMap(({ id }) => {
    const bytes = doubtful.has(id) ? undefined : reads?.get(id);
    return bytes === undefined ? [] : [[id, bytes.sha256, Math.trunc(bytes.at)]];
  });
  if (read.length === 0) return doubtful.size > 0;
  db.run(REMEMBER_READ, JSON.stringify(read));
  return db.run(DOUBT_OTHERS, JSON.stringify(read)) + doubtful.size > 0;
}

/** Whether a newer version of the file is on its way to the same destination. */
export function hasNewer(db: Database, id: number): boolean {
  return db.get(NEWER, id) !== undefined;
}

/** The n-th value of each row of a list. */
const nth = (n: number) => `j.value ->> ${n}`;
const STORED_COLUMNS = ["method", "attempts", ...STATE_COLUMNS.replaceAll(/\s|= \?/g, "").split(",")];

const STORE = `UPDATE deliveries SET ${STORED_COLUMNS.map((column, n) => `${column} = ${nth(n + 1)}`).join(", ")}
  FROM json_each(?) j WHERE deliveries.id = ${nth(0)}`;

/** Deliveries of versions that were last seen with other bytes than these. */
const DOUBTFUL = `SELECT d.id FROM json_each(?) j CROSS JOIN deliveries d ON d.id = ${nth(0)}
  CROSS JOIN versions v ON v.id = d.version_id WHERE v.sha256 <> ${nth(1)}`;

// No file has this ctime.
const DOUBT = `UPDATE versions SET ctime_ms = -1
  WHERE id IN (SELECT version_id FROM deliveries WHERE id IN (SELECT value FROM json_each(?)))`;

/** Other bytes than those read now were delivered somewhere: the file was rewritten in between. */
const DOUBT_OTHERS = `UPDATE versions SET ctime_ms = -1 WHERE id IN (
  SELECT d.version_id FROM json_each(?) j CROSS JOIN deliveries d ON d.id = ${nth(0)}
  CROSS JOIN deliveries e ON e.version_id = d.version_id WHERE e.receipt_sha256 <> ${nth(1)})`;

/** What was read late enough for every rewrite to show needs no reread. */
const REMEMBER_READ = `WITH r AS MATERIALIZED (
    SELECT d.version_id AS id, ${nth(1)} AS sha256, ${nth(2)} AS at FROM json_each(?) j CROSS JOIN deliveries d ON d.id = ${
  nth(0)
})
  UPDATE versions SET sha256 = r.sha256, reread_at = CASE WHEN reread_at > r.at THEN reread_at END
  FROM r WHERE versions.id = r.id`;

const FORGET_PARTS = "DELETE FROM parts WHERE delivery_id IN (SELECT value FROM json_each(?))";

// There are few parts: the planner must not begin with the backlog.
const PARTS = `${SELECT_DELIVERY}, p.staged FROM parts p CROSS JOIN deliveries d ON d.id = p.delivery_id
  CROSS JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state IN ('queued', 'sending', 'deferred') ORDER BY d.id`;

const HASHES = `SELECT d.id, v.sha256 FROM json_each(?) j CROSS JOIN deliveries d ON d.id = j.value
  CROSS JOIN versions v ON v.id = d.version_id WHERE v.sha256 IS NOT NULL`;

const NEWER = `SELECT 1 FROM deliveries d JOIN versions v ON v.id = d.version_id
  JOIN versions n ON n.job = v.job AND n.path = v.path AND n.revision > v.revision AND n.absolute_path = v.absolute_path
  JOIN deliveries e ON e.version_id = n.id AND e.destination = d.destination
  WHERE d.id = ? LIMIT 1`;
