/**
 * Deliveries that were proven once and are to be made again: what stands at the destination is missing or differs.
 *
 * @module
 */
import type { Database } from "./database.ts";
import type { Ledger } from "../ledger.ts";
import { number, STATE_COLUMNS, stateValues } from "./rows.ts";

/** One transaction, durable on return. */
export function sendAgainQueries(db: Database): Pick<Ledger, "sendAgain" | "markGone"> {
  return {
    markGone: (ids, reason, now) =>
      db.transaction(() => {
        const failure = { code: "gone", next: "never", message: reason, hint: GONE_HINT } as const;
        return db.run(MARK_GONE, ...stateValues({ state: "failed", failure }, now), JSON.stringify(ids));
      }),
    sendAgain: (ids, now) =>
      db.transaction(() => {
        const chosen = db.all(CHOSEN, JSON.stringify(ids)).map((row) => number(row, "id"));
        if (chosen.length > 0) db.run(QUEUE, ...stateValues({ state: "queued" }, now), JSON.stringify(chosen));
        return chosen;
      }),
  };
}

/** As everywhere in the queue, no old version may follow a newer one to the same destination. */
const CHOSEN = `SELECT d.id FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.id IN (SELECT value FROM json_each(?)) AND (d.state = 'delivered' OR d.state = 'failed' AND d.failure_code = 'gone')
    AND NOT EXISTS (
    SELECT 1 FROM versions n JOIN deliveries e ON e.version_id = n.id AND e.destination = d.destination
    WHERE n.job = v.job AND n.path = v.path AND n.revision > v.revision)
  ORDER BY d.id`;

const QUEUE = `UPDATE deliveries SET attempts = 0, ${STATE_COLUMNS} WHERE id IN (SELECT value FROM json_each(?))`;

const MESSAGE =
  "failure_message = ? || '. It was delivered on ' || strftime('%Y-%m-%d %H:%M', delivered_at / 1000, 'unixepoch') || ' UTC'";
/** Whatever else is forgotten: when it was proven there. The values on the right are those of the row before. */
const MARK_GONE = `UPDATE deliveries SET ${STATE_COLUMNS.replace("failure_message = ?", MESSAGE)}
  WHERE id IN (SELECT value FROM json_each(?)) AND state = 'delivered'`;

const GONE_HINT = "To send it again where its source is still here, run: image-transfer verify --retry";
