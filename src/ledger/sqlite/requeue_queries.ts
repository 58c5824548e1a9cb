/**
 * Changes that a person asks for, or a disk that was replaced: deliveries are queued again, marked as gone, or given up.
 *
 * @module
 */
import type { OutboxLedger } from "../outbox_ledger.ts";
import type { Database, Value } from "./database.ts";
import { hasNewer } from "./record_queries.ts";
import { NO_TROUBLE, number, STATE_COLUMNS, stateValues } from "./rows.ts";

export function requeueQueries(db: Database): Pick<OutboxLedger, "requeue" | "sendAgain" | "markGone" | "giveUp"> {
  const idsOf = (sql: string, ...values: Value[]) => db.all(sql, ...values).map((row) => number(row, "id"));
  const queue = (ids: readonly number[], now: number) => {
    if (ids.length > 0) db.run(QUEUE, ...stateValues({ state: "queued" }, now), JSON.stringify(ids));
  };
  return {
    requeue: (ids, now) =>
      db.transaction(() => {
        const failed = ids === null ? idsOf(ALL_TROUBLE) : idsOf(FAILED_OR_DEFERRED, JSON.stringify(ids));
        const chosen = failed.filter((id) => !hasNewer(db, id));
        queue(chosen, now);
        return chosen.length;
      }),
    sendAgain: (ids, now) =>
      db.transaction(() => {
        const chosen = idsOf(DELIVERED_OR_GONE, JSON.stringify(ids));
        queue(chosen, now);
        return chosen;
      }),
    markGone: (ids, reason, now) =>
      db.transaction(() => {
        const failure = { code: "gone", next: "never", message: reason, hint: GONE_HINT } as const;
        return db.run(MARK_GONE, ...stateValues({ state: "failed", failure }, now), JSON.stringify(ids));
      }),
    giveUp: (job, destination, failure, now) =>
      db.transaction(() => {
        const values = stateValues({ state: "failed", failure }, now);
        return GIVE_UP.reduce((sum, sql) => sum + db.run(sql, ...values, job, destination), 0);
      }),
  };
}

const QUEUE = `UPDATE deliveries SET attempts = 0, ${STATE_COLUMNS} WHERE id IN (SELECT value FROM json_each(?))`;

const ALL_TROUBLE = `SELECT id FROM deliveries INDEXED BY deliveries_failed
  WHERE state = 'failed' AND failure_code NOT IN ${NO_TROUBLE}`;

const FAILED_OR_DEFERRED =
  "SELECT id FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('failed', 'deferred')";

/** As everywhere in the queue, no old version may follow a newer one to the same destination. */
const DELIVERED_OR_GONE = `SELECT d.id FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.id IN (SELECT value FROM json_each(?)) AND (d.state = 'delivered' OR d.state = 'failed' AND d.failure_code = 'gone')
    AND NOT EXISTS (
    SELECT 1 FROM versions n JOIN deliveries e ON e.version_id = n.id AND e.destination = d.destination
    WHERE n.job = v.job AND n.path = v.path AND n.revision > v.revision)
  ORDER BY d.id`;

// The values on the right are those of the row before.
const MESSAGE =
  "failure_message = ? || '. It was delivered on ' || strftime('%Y-%m-%d %H:%M', delivered_at / 1000, 'unixepoch') || ' UTC'";
const MARK_GONE = `UPDATE deliveries SET ${STATE_COLUMNS.replace("failure_message = ?", MESSAGE)}
  WHERE id IN (SELECT value FROM json_each(?)) AND state = 'delivered'`;

const GONE_HINT = "To send it again where its source is still here, run: image-transfer verify --retry";

/** One statement per state, each with its index named, as for claims. */
const GIVE_UP = [
  ...["queued", "sending", "deferred"].map((state) => ({ state, which: `state = '${state}'` })),
  { state: "failed", which: `state = 'failed' AND failure_code NOT IN ${NO_TROUBLE}` },
].map(({ state, which }) =>
  `UPDATE deliveries INDEXED BY deliveries_${state} SET ${STATE_COLUMNS} WHERE job = ? AND destination = ? AND ${which}`
);
