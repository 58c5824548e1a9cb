/** Changes that a person asks for, or a disk that was replaced: deliveries are queued again, marked as gone, or given up. */
import type { OutboxLedger } from "../outbox_ledger.ts";
import type { Database, Value } from "./database.ts";
import { hasNewer } from "./record_queries.ts";
import { LOST, NO_TROUBLE, number, STATE_COLUMNS, stateValues } from "./rows.ts";

export function requeueQueries(db: Database): Pick<OutboxLedger, "requeue" | "sendAgain" | "markGone" | "giveUp"> {
  const idsOf = (sql: string, ...values: Value[]) => db.all(sql, ...values).map((row) => number(row, "id"));
  return {
    requeue: (ids, now) =>
      db.transaction(() => {
        const failed = ids === null ? idsOf(ALL_TROUBLE) : idsOf(FAILED_OR_DEFERRED, JSON.stringify(ids));
        const chosen = failed.filter((id) => !hasNewer(db, id));
        queue(db, chosen, now);
        return chosen.length;
      }),
    sendAgain: (ids, now) => db.transaction(() => sendAgain(db, ids, now)),
    markGone: (ids, reason, now) =>
      db.transaction(() => {
        const failure = { code: "gone", next: "never", message: reason, hint: GONE_HINT } as const;
        return db.run(MARK_LOST, ...stateValues({ state: "failed", failure }, now), JSON.stringify(ids));
      }),
    giveUp: (job, destination, failure, now) =>
      db.transaction(() => {
        const values = stateValues({ state: "failed", failure }, now);
        return GIVE_UP.reduce((sum, sql) => sum + db.run(sql, ...values, job, destination), 0);
      }),
  };
}

/** Within a transaction: see `OutboxLedger.sendAgain`. */
export function sendAgain(db: Database, ids: readonly number[], now: number): number[] {
  const chosen = db.all(DELIVERED_OR_LOST, JSON.stringify(ids)).map((row) => number(row, "id"));
  queue(db, chosen, now);
  return chosen;
}

function queue(db: Database, ids: readonly number[], now: number): void {
  if (ids.length > 0) db.run(QUEUE, ...stateValues({ state: "queued" }, now), JSON.stringify(ids));
}

const QUEUE = `UPDATE deliveries SET attempts = 0, ${STATE_COLUMNS} WHERE id IN (SELECT value FROM json_each(?))`;

const ALL_TROUBLE = `SELECT id FROM deliveries INDEXED BY deliveries_failed
  WHERE state = 'failed' AND failure_code NOT IN ${NO_TROUBLE}`;

const FAILED_OR_DEFERRED =
  "SELECT id FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('failed', 'deferred')";

/** As everywhere in the queue, no old version may follow a newer one to the same destination. */
const DELIVERED_OR_LOST = `SELECT d.id FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.id IN (SELECT value FROM json_each(?)) AND (d.state = 'delivered' OR d.state = 'failed' AND d.failure_code IN ${LOST})
    AND NOT EXISTS (
    SELECT 1 FROM versions n JOIN deliveries e ON e.version_id = n.id AND e.destination = d.destination
    WHERE n.job = v.job AND n.path = v.path AND n.revision > v.revision)
  ORDER BY d.id`;

// The values on the right are those of the row before.
const MESSAGE =
  "failure_message = ? || '. It was delivered on ' || strftime('%Y-%m-%d %H:%M', delivered_at / 1000, 'unixepoch') || ' UTC'";
/** For those that are delivered: a state, and a list of ids. The time of their delivery is kept in the message. */
export const MARK_LOST = `UPDATE deliveries SET ${STATE_COLUMNS.replace("failure_message = ?", MESSAGE)}
  WHERE id IN (SELECT value FROM json_each(?)) AND state = 'delivered'`;

const GONE_HINT = "To send it again where its source is still here, run: image-transfer verify --retry";

/** One statement per state, each with its index named, as for claims. */
const GIVE_UP = [
  ...["queued", "sending", "deferred"].map((state) => ({ state, which: `state = '${state}'` })),
  { state: "failed", which: `state = 'failed' AND failure_code NOT IN ${NO_TROUBLE}` },
].map(({ state, which }) =>
  `UPDATE deliveries INDEXED BY deliveries_${state} SET ${STATE_COLUMNS} WHERE job = ? AND destination = ? AND ${which}`
);
