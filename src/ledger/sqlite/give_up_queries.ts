/**
 * The end of deliveries that nobody will make: of a destination that is not configured any more.
 *
 * @module
 */
import type { Database } from "./database.ts";
import type { Ledger } from "../ledger.ts";
import { STATE_COLUMNS, stateValues } from "./rows.ts";
import { NO_TROUBLE } from "../superseded.ts";

/** One transaction, durable on return. */
export function giveUpQueries(db: Database): Pick<Ledger, "giveUp"> {
  return {
    giveUp: (job, destination, failure, now) =>
      db.transaction(() => {
        const values = stateValues({ state: "failed", failure }, now);
        return GIVE_UP.reduce((sum, sql) => sum + db.run(sql, ...values, job, destination), 0);
      }),
  };
}

/** All that is not at its end, or at one that a person should look at. The indices are named, as in the outbox. */
const GIVE_UP = [
  ...["queued", "sending", "deferred"].map((state) => ({ state, which: `state = '${state}'` })),
  { state: "failed", which: `state = 'failed' AND failure_code NOT IN ${NO_TROUBLE}` },
].map(({ state, which }) =>
  `UPDATE deliveries INDEXED BY deliveries_${state} SET ${STATE_COLUMNS} WHERE job = ? AND destination = ? AND ${which}`
);
