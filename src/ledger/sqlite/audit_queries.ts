/** Audits. A delivery costs nothing here: files have their turn in the order of their ids, so no index has to be kept for it. */
import type { AuditRun, AuditVerdict } from "../../domain/audit.ts";
import type { AuditedRow, AuditState, History } from "../history.ts";
import type { OutboxLedger } from "../outbox_ledger.ts";
import type { Database, Row } from "./database.ts";
import { markLost, sendAgain } from "./outbox_queries.ts";
import { number, numberOrNull, SELECT_DELIVERY, text, toDeliveryRow } from "./rows.ts";

export const AUDITS_MIGRATION = `
  CREATE TABLE audits (
    job TEXT NOT NULL,
    destination TEXT NOT NULL,
    begun_at INTEGER NOT NULL,
    ended_at INTEGER,
    goal INTEGER NOT NULL,
    looked_to INTEGER NOT NULL,
    lap_at INTEGER NOT NULL,
    -- How many were found to be what.
    equal INTEGER NOT NULL,
    unproven INTEGER NOT NULL,
    damaged INTEGER NOT NULL,
    vanished INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    unreadable INTEGER NOT NULL,
    sent_again INTEGER NOT NULL,
    PRIMARY KEY (job, destination)
  ) STRICT, WITHOUT ROWID;
  -- When a delivered file was last looked at by an audit, and what was found.
  CREATE TABLE audited (
    delivery_id INTEGER PRIMARY KEY REFERENCES deliveries (id),
    at INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT NOT NULL
  ) STRICT;
  CREATE INDEX audited_notable ON audited (at) WHERE verdict NOT IN ('equal', 'unproven');
`;

/** So many ids are searched by one call. */
const SEARCHED = 5_000;

export function auditQueries(db: Database) {
  return {
    ...auditHistory(db),
    auditTurn: (job, destination, after, before, limit) =>
      db.snapshot(() => {
        const rows = db.all(TURN, after, after + SEARCHED, job, destination, Math.trunc(before), limit).map(toDeliveryRow);
        const last = rows.at(-1);
        if (last !== undefined && rows.length === limit) return { rows, lookedTo: last.delivery.id };
        return { rows, lookedTo: searchedTo(db, after) };
      }),
    auditRivals: (job, destination, targets, after) =>
      db.snapshot(() => ({
        rows: db.all(RIVALS, after, after + SEARCHED, job, destination, JSON.stringify(targets)),
        lookedTo: searchedTo(db, after),
      })),
    recordAudit: (job, destination, state, findings, now) =>
      db.transaction(() => {
        const { begunAt, endedAt, goal, lookedTo, lapAt, found, sentAgain: again } = state;
        const seen = findings.map(({ id, verdict, reason }) => [id, Math.trunc(now), verdict, reason]);
        if (seen.length > 0) db.run(SEE, JSON.stringify(seen));
        for (const { id, verdict, reason, hint, then } of findings) {
          const code = verdict === "vanished" ? "vanished" : "damaged";
          if (then === "fail") markLost(db, [id], { code, next: "never", message: reason, hint }, now);
        }
        const ids = findings.filter(({ then }) => then === "send_again").map(({ id }) => id);
        const queued = ids.length === 0 ? [] : sendAgain(db, ids, now);
        db.run(
          REMEMBER,
          ...[job, destination, Math.trunc(begunAt), endedAt === null ? null : Math.trunc(endedAt)],
          ...[goal, lookedTo, Math.trunc(lapAt)],
          ...COUNTED.map((verdict) => found[verdict]),
          again + queued.length,
        );
        return queued;
      }),
    acceptAudit: (job, destination) =>
      db.transaction(() => {
        db.run(FORGET_NOTABLE, job, destination);
        return db.run(ACCEPT, job, destination);
      }),
  } satisfies Partial<OutboxLedger>;
}

/** How far a search behind this id came; null: to the end. */
function searchedTo(db: Database, after: number): number | null {
  const end = db.count("SELECT coalesce(max(id), 0) AS n FROM deliveries");
  return after + SEARCHED >= end ? null : after + SEARCHED;
}

/** What may be read beside a daemon. */
export function auditHistory(db: Database) {
  return {
    auditOf(job, destination) {
      const row = db.get("SELECT * FROM audits WHERE job = ? AND destination = ?", job, destination);
      return row === undefined ? null : toState(row);
    },
    auditFindings: (job, destination, limit) =>
      db.all(NOTABLE, job, destination, limit).map((row): AuditedRow => ({
        ...toDeliveryRow(row),
        verdict: text(row, "verdict") as AuditedRow["verdict"],
        reason: text(row, "reason"),
        auditedAt: number(row, "audited_at"),
      })),
  } satisfies Partial<History>;
}

const COUNTED = ["equal", "unproven", "damaged", "vanished", "changed", "unreadable"] as const satisfies readonly AuditVerdict[];

function toState(row: Row): AuditState {
  return {
    begunAt: number(row, "begun_at"),
    endedAt: numberOrNull(row, "ended_at"),
    goal: number(row, "goal"),
    lookedTo: number(row, "looked_to"),
    lapAt: number(row, "lap_at"),
    found: Object.fromEntries(COUNTED.map((verdict) => [verdict, number(row, verdict)])) as AuditRun["found"],
    sentAgain: number(row, "sent_again"),
  };
}

const TURN = `${SELECT_DELIVERY} FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.id > ? AND d.id <= ? AND d.job = ? AND d.destination = ? AND d.state = 'delivered' AND d.receipt_at < ?
    AND NOT EXISTS (
      SELECT 1 FROM versions n JOIN deliveries e ON e.version_id = n.id AND e.destination = d.destination
      WHERE n.job = v.job AND n.path = v.path AND n.revision > v.revision AND e.state IN ('delivered', 'sending'))
  ORDER BY d.id LIMIT ?`;

const RIVALS = `SELECT id, target, delivered_at AS deliveredAt FROM deliveries
  WHERE id > ? AND id <= ? AND job = ? AND destination = ? AND state <> 'failed' AND target IN (SELECT value FROM json_each(?))`;

const SEE = `INSERT OR REPLACE INTO audited (delivery_id, at, verdict, reason)
  SELECT j.value ->> 0, j.value ->> 1, j.value ->> 2, j.value ->> 3 FROM json_each(?) j`;

const REMEMBER = `INSERT OR REPLACE INTO audits
  (job, destination, begun_at, ended_at, goal, looked_to, lap_at, ${COUNTED.join(", ")}, sent_again)
  VALUES (?, ?, ?, ?, ?, ?, ?, ${COUNTED.map(() => "?").join(", ")}, ?)`;

/** What was sent again, or removed by a mirror, is no longer notable. */
const NOTABLE = `${SELECT_DELIVERY}, a.at AS audited_at, a.verdict, a.reason
  FROM audited a INDEXED BY audited_notable CROSS JOIN deliveries d ON d.id = a.delivery_id CROSS JOIN versions v ON v.id = d.version_id
  WHERE a.verdict NOT IN ('equal', 'unproven') AND d.job = ? AND d.destination = ?
    AND (d.state = 'failed' AND d.failure_code IN ('damaged', 'vanished')
      OR d.state = 'delivered' AND a.at >= d.receipt_at AND a.verdict IN ('changed', 'unreadable'))
  ORDER BY a.at DESC, a.delivery_id DESC LIMIT ?`;

const OF_PLACE = "FROM deliveries d WHERE d.job = ? AND d.destination = ? AND d.id = audited.delivery_id";
const FORGET_NOTABLE = `DELETE FROM audited WHERE verdict NOT IN ('equal', 'unproven') AND EXISTS (SELECT 1 ${OF_PLACE})`;
const ACCEPT = `UPDATE deliveries INDEXED BY deliveries_failed SET failure_code = 'gone'
  WHERE state = 'failed' AND failure_code IN ('damaged', 'vanished') AND job = ? AND destination = ?`;
