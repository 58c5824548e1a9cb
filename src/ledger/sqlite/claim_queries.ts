/** The queue of each destination: what is claimed, what is being sent, and when the next delivery is due. */
import type { Delivery } from "../../domain/delivery.ts";
import type { ClaimRequest, OutboxLedger } from "../outbox_ledger.ts";
import type { Database, Row } from "./database.ts";
import { inState, number, numberOrNull, SELECT_DELIVERY, SELECT_WITHOUT_STATE, toDelivery } from "./rows.ts";

export function claimQueries(db: Database): Pick<OutboxLedger, "claim" | "inFlight" | "nextDue" | "makeDue"> {
  return {
    // Forgotten in a power cut, it is claimed again, and what has arrived is found at the destination.
    claim: (request) => db.smallTransaction(() => claim(db, request), "unflushed"),
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
  const { attempt } = request;
  const claimed = within(due(db, request), request);
  const [queued, deferred] = (["queued", "deferred"] as const).map((of) => claimed.filter((row) => row["state"] === of));
  for (const [sql, which] of [[CLAIM_QUEUED, queued], [CLAIM_DEFERRED, deferred]] as const) {
    if (which!.length > 0) db.run(sql, attempt, JSON.stringify(which!.map((row) => number(row, "id"))));
  }
  return claimed.map((row) => inState(row, { state: "sending", attempt }));
}

/** Due deliveries in the order asked for, without files of which an older version is still being sent; no more than may be claimed of each state. */
function due(db: Database, request: ClaimRequest): Row[] {
  const { job, destination, order, maxFiles, now } = request;
  const [direction, sign] = order === "oldest_first" ? ["ASC", 1] as const : ["DESC", -1] as const;
  const queued = enough(db.each(queuedSql(direction), job, destination, maxFiles), request);
  const deferred = db.all(DEFERRED, job, destination, Math.trunc(now), maxFiles);
  if (deferred.length === 0) return queued;
  return [...queued, ...deferred]
    .sort((a, b) => sign * (number(a, "sort_ms") - number(b, "sort_ms") || number(a, "id") - number(b, "id")));
}

/** The rows up to the one that is too much for the request. */
function enough(rows: Iterable<Row>, { maxBytes }: ClaimRequest): Row[] {
  const taken: Row[] = [];
  let bytes = 0;
  for (const row of rows) {
    taken.push(row);
    bytes += number(row, "size");
    if (bytes > maxBytes) break;
  }
  return taken;
}

/** As many as the request allows; the first whatever its size. */
function within(rows: readonly Row[], { maxFiles, maxBytes }: ClaimRequest): Row[] {
  let bytes = 0;
  const end = rows.findIndex((row, index) => {
    bytes += number(row, "size");
    return index >= maxFiles || (index > 0 && bytes > maxBytes);
  });
  return end < 0 ? [...rows] : rows.slice(0, end);
}

/** Of a backlog, each column costs. */
const SELECT_DUE = `${SELECT_WITHOUT_STATE}, d.state, d.sort_ms`;

// The indices are named: a wrong guess of the planner would cost seconds with a long backlog.
const FROM_SENDING = `FROM deliveries d INDEXED BY deliveries_sending JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state = 'sending'`;

const SENDING = `${SELECT_DELIVERY} ${FROM_SENDING} ORDER BY d.id`;

/** Another version of the file is being sent there. */
const IS_BEING_SENT = `EXISTS (
    SELECT 1 FROM versions o JOIN deliveries s ON s.version_id = o.id AND s.destination = d.destination AND s.state = 'sending'
    WHERE o.job = v.job AND o.path = v.path AND o.id <> v.id)`;

const queuedSql = (direction: "ASC" | "DESC") =>
  `${SELECT_DUE} FROM deliveries d INDEXED BY deliveries_queued JOIN versions v ON v.id = d.version_id
   WHERE d.job = ? AND d.destination = ? AND d.state = 'queued' AND NOT ${IS_BEING_SENT} ORDER BY d.sort_ms ${direction}, d.id ${direction} LIMIT ?`;

const DEFERRED = `${SELECT_DUE} FROM deliveries d INDEXED BY deliveries_deferred JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state = 'deferred' AND d.retry_at <= ? AND NOT ${IS_BEING_SENT} ORDER BY d.retry_at, d.id LIMIT ?`;

// What is queued has nothing else to be reset, and indices of columns that are not named stay as they are.
const CLAIM_QUEUED = "UPDATE deliveries SET state = 'sending', attempt = ? WHERE id IN (SELECT value FROM json_each(?))";

const CLAIM_DEFERRED = `UPDATE deliveries SET state = 'sending', attempt = ?, retry_at = NULL,
  failure_code = NULL, failure_next = NULL, failure_message = NULL, failure_hint = NULL WHERE id IN (SELECT value FROM json_each(?))`;

/** Something queued that does not wait for an older version of the same file. */
const CLAIMABLE = `SELECT 1 FROM deliveries d INDEXED BY deliveries_queued JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state = 'queued' AND NOT ${IS_BEING_SENT} LIMIT 1`;

const FIRST_DUE = `SELECT min(retry_at) AS due FROM deliveries INDEXED BY deliveries_deferred
  WHERE job = ? AND destination = ? AND state = 'deferred'`;

const MAKE_DUE = "UPDATE deliveries SET retry_at = 0 WHERE job = ? AND destination = ? AND state = 'deferred' AND retry_at > 0";
