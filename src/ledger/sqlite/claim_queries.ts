/**
 * The queue of each destination: what is claimed, what is being sent, and when the next delivery is due.
 *
 * @module
 */
import { type Delivery, send } from "../../domain/delivery.ts";
import type { ClaimRequest, OutboxLedger } from "../outbox_ledger.ts";
import type { Database, Row } from "./database.ts";
import { number, numberOrNull, SELECT_DELIVERY, STATE_COLUMNS, stateValues, text, toDelivery } from "./rows.ts";

export function claimQueries(db: Database): Pick<OutboxLedger, "claim" | "inFlight" | "nextDue" | "makeDue"> {
  return {
    claim: (request) => db.transaction(() => claim(db, request)),
    inFlight: (job, destination) => db.all(SENDING, job, destination).map(toDelivery),
    nextDue: (job, destination) =>
      db.snapshot(() => {
        if (db.get(CLAIMABLE, job, destination) !== undefined) return 0;
        return numberOrNull(db.get(FIRST_DUE, job, destination) as Row, "due");
      }),
    makeDue: (job, destination) => void db.transaction(() => db.run(MAKE_DUE, job, destination)),
  };
}

function claim(db: Database, request: ClaimRequest): Delivery[] {
  const { attempt, now } = request;
  const claimed = within(due(db, request), request);
  const ids = JSON.stringify(claimed.map(({ id }) => id));
  if (claimed.length > 0) db.run(CLAIM, ...stateValues({ state: "sending", attempt }, now), ids);
  return claimed.map((delivery) => send(delivery, attempt));
}

/** Due deliveries in the order asked for, without files of which an older version is still being sent. */
function due(db: Database, { job, destination, order, maxFiles, now }: ClaimRequest): Delivery[] {
  const sending = new Set(db.all(SENDING_PATHS, job, destination).map((row) => text(row, "path")));
  const limit = maxFiles + sending.size;
  const [direction, sign] = order === "oldest_first" ? ["ASC", 1] as const : ["DESC", -1] as const;
  const queued = db.all(queuedSql(direction), job, destination, limit);
  const deferred = db.all(DEFERRED, job, destination, Math.trunc(now), limit);
  return [...queued, ...deferred]
    .filter((row) => !sending.has(text(row, "path")))
    .sort((a, b) => sign * (number(a, "sort_ms") - number(b, "sort_ms") || number(a, "id") - number(b, "id")))
    .map(toDelivery);
}

/** As many as the request allows; the first whatever its size. */
function within(deliveries: readonly Delivery[], { maxFiles, maxBytes }: ClaimRequest): Delivery[] {
  let bytes = 0;
  const end = deliveries.findIndex(({ source }, index) => {
    bytes += source.size;
    return index >= maxFiles || (index > 0 && bytes > maxBytes);
  });
  return end < 0 ? [...deliveries] : deliveries.slice(0, end);
}

// The indices are named: a wrong guess of the planner would cost seconds with a long backlog.
const FROM_SENDING = `FROM deliveries d INDEXED BY deliveries_sending JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state = 'sending'`;

const SENDING = `${SELECT_DELIVERY} ${FROM_SENDING} ORDER BY d.id`;

const SENDING_PATHS = `SELECT v.path ${FROM_SENDING}`;

const queuedSql = (direction: "ASC" | "DESC") =>
  `${SELECT_DELIVERY} FROM deliveries d INDEXED BY deliveries_queued JOIN versions v ON v.id = d.version_id
   WHERE d.job = ? AND d.destination = ? AND d.state = 'queued' ORDER BY d.sort_ms ${direction}, d.id ${direction} LIMIT ?`;

const DEFERRED = `${SELECT_DELIVERY} FROM deliveries d INDEXED BY deliveries_deferred JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state = 'deferred' AND d.retry_at <= ? ORDER BY d.retry_at, d.id LIMIT ?`;

const CLAIM = `UPDATE deliveries SET ${STATE_COLUMNS} WHERE id IN (SELECT value FROM json_each(?))`;

/** Something queued that does not wait for an older version of the same file. */
const CLAIMABLE = `SELECT 1 FROM deliveries d INDEXED BY deliveries_queued JOIN versions v ON v.id = d.version_id
  WHERE d.job = ?1 AND d.destination = ?2 AND d.state = 'queued' AND NOT EXISTS (
    SELECT 1 FROM versions o JOIN deliveries s ON s.version_id = o.id AND s.destination = ?2 AND s.state = 'sending'
    WHERE o.job = v.job AND o.path = v.path) LIMIT 1`;

const FIRST_DUE = `SELECT min(retry_at) AS due FROM deliveries INDEXED BY deliveries_deferred
  WHERE job = ? AND destination = ? AND state = 'deferred'`;

const MAKE_DUE = "UPDATE deliveries SET retry_at = 0 WHERE job = ? AND destination = ? AND state = 'deferred' AND retry_at > 0";
