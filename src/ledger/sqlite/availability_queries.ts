/** When destinations could be delivered to: one row for each change. */
import type { AvailabilityNote, History } from "../history.ts";
import type { OutboxLedger } from "../outbox_ledger.ts";
import type { Database } from "./database.ts";

export const AVAILABILITY_MIGRATION = `
  CREATE TABLE availability (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    -- Both are empty for the daemon itself.
    job TEXT NOT NULL,
    destination TEXT NOT NULL,
    state TEXT NOT NULL
  ) STRICT;
  CREATE INDEX availability_at ON availability (at);
`;

const KEPT_MS = 90 * 86_400_000;

export function availabilityQueries(db: Database) {
  const note = (at: number, job: string, destination: string, state: AvailabilityNote["state"]) =>
    void db.run("INSERT INTO availability (at, job, destination, state) VALUES (?, ?, ?, ?)", at, job, destination, state);
  return {
    noteState: (job, destination, state, at) => note(Math.trunc(at), job, destination, state),
    noteRunning: (at) =>
      void db.transaction(() => {
        db.run("DELETE FROM availability WHERE at < ?", Math.trunc(at) - KEPT_MS);
        // The former daemon ended without a word, after the last thing that shows that it was there.
        const last = db.get("SELECT state FROM availability WHERE job = '' AND destination = '' ORDER BY id DESC LIMIT 1");
        if (last?.["state"] === "running") note(Math.min(db.count(LAST_RECORDED), Math.trunc(at)), "", "", "lost");
        note(Math.trunc(at), "", "", "running");
      }),
    noteStopped: (at) => note(Math.trunc(at), "", "", "stopped"),
  } satisfies Partial<OutboxLedger>;
}

export function availabilityHistory(db: Database) {
  return {
    availability: (from, to) => db.all(NOTES, Math.trunc(from), Math.trunc(from), Math.trunc(to)),
    lastAdmitted: (limit) => db.all("SELECT job, admitted_at AS at FROM versions ORDER BY id DESC LIMIT ?", limit),
  } satisfies Partial<History>;
}

const LAST_RECORDED = `SELECT max(
    (SELECT coalesce(max(at), 0) FROM availability),
    (SELECT coalesce(max(delivered_at), 0) FROM deliveries INDEXED BY deliveries_delivered),
    (SELECT coalesce((SELECT admitted_at FROM versions ORDER BY id DESC LIMIT 1), 0))
  ) AS n`;

/** Of the time before, the last note of each place. */
const NOTES = `SELECT at, job, destination, state FROM availability
  WHERE id IN (SELECT max(id) FROM availability WHERE at < ? GROUP BY job, destination) OR (at >= ? AND at < ?) ORDER BY id`;
