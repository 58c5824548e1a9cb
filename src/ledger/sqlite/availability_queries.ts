/** When destinations could be delivered to: one row for each change. */
import type { AvailabilityNote, History } from "../history.ts";
import type { OutboxLedger } from "../outbox_ledger.ts";
import type { Database, Row } from "./database.ts";
import { number, text } from "./rows.ts";

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
        const last = db.get("SELECT state FROM availability WHERE job = '' AND destination = '' ORDER BY id DESC LIMIT 1");
        if (last !== undefined && text(last, "state") === "running") {
          note(Math.min(lastRecorded(db), Math.trunc(at)), "", "", "lost");
        }
        note(Math.trunc(at), "", "", "running");
      }),
    noteStopped: (at) => note(Math.trunc(at), "", "", "stopped"),
  } satisfies Partial<OutboxLedger>;
}

export function availabilityHistory(db: Database) {
  return {
    availability: (from, to) => db.all(NOTES, Math.trunc(from), Math.trunc(from), Math.trunc(to)).map(toNote),
    lastAdmitted: (limit) =>
      db.all("SELECT job, admitted_at FROM versions ORDER BY id DESC LIMIT ?", limit).map((row) => ({
        job: text(row, "job"),
        at: number(row, "admitted_at"),
      })),
  } satisfies Partial<History>;
}

function toNote(row: Row): AvailabilityNote {
  return {
    at: number(row, "at"),
    job: text(row, "job"),
    destination: text(row, "destination"),
    state: text(row, "state") as AvailabilityNote["state"],
  };
}

/** The last thing that shows that the former daemon was there. */
function lastRecorded(db: Database): number {
  return number(db.get(LAST) as Row, "at");
}

const LAST = `SELECT max(
    (SELECT coalesce(max(at), 0) FROM availability),
    (SELECT coalesce(max(delivered_at), 0) FROM deliveries INDEXED BY deliveries_delivered),
    (SELECT coalesce((SELECT admitted_at FROM versions ORDER BY id DESC LIMIT 1), 0))
  ) AS at`;

/** Of the time before, the last note of each place. */
const NOTES = `SELECT at, job, destination, state FROM availability
  WHERE id IN (SELECT max(id) FROM availability WHERE at < ? GROUP BY job, destination) OR (at >= ? AND at < ?) ORDER BY id`;
