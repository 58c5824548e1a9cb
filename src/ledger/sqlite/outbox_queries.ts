/**
 * The outbox's half of the ledger: taking deliveries in hand, storing what became of them, and when to come again.
 *
 * Invariant: what is queued or deferred has no newer version on its way to the same destination. `admit`, `record` and
 * `requeue` keep it, so no old version is ever sent over a newer one.
 *
 * @module
 */
import { type Delivery, type DeliveryState, send } from "../../domain/delivery.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import type { Database, Row } from "./database.ts";
import type { BytesRead, ClaimRequest, Ledger } from "../ledger.ts";
import { number, numberOrNull, SELECT_DELIVERY, STATE_COLUMNS, stateValues, text, textOrNull, toDelivery } from "./rows.ts";
import { NO_TROUBLE, SUPERSEDED } from "../superseded.ts";

type Outbox = Pick<
  Ledger,
  "claim" | "inFlight" | "record" | "parts" | "hashOf" | "nextDue" | "makeDue" | "namesakes" | "requeue"
>;

/** Every change is one transaction, durable on return. */
export function outboxQueries(db: Database): Outbox {
  function claim(request: ClaimRequest): Delivery[] {
    return db.transaction(() => {
      const chosen = within(candidates(request), request);
      const ids = JSON.stringify(chosen.map(({ id }) => id));
      if (chosen.length > 0) db.run(TAKE, ...stateValues({ state: "sending", attempt: request.attempt }, request.now), ids);
      return chosen.map((delivery) => send(delivery, request.attempt));
    });
  }

  /** Due deliveries in the order asked for, without paths of which an older version is still being sent. */
  function candidates({ job, destination, order, maxFiles, now }: ClaimRequest): Delivery[] {
    const busy = new Set(
      db.all(SENDING_PATHS, job, destination).map((row) => text(row, "path")),
    );
    const direction = order === "oldest_first" ? "ASC" : "DESC";
    const limit = maxFiles + busy.size;
    const queued = db.all(queuedSql(direction), job, destination, limit);
    const due = db.all(DUE, job, destination, Math.trunc(now), limit);
    const sign = order === "oldest_first" ? 1 : -1;
    return [...queued, ...due]
      .filter((row) => !busy.has(text(row, "path")))
      .sort((a, b) => sign * (number(a, "sort_ms") - number(b, "sort_ms") || number(a, "id") - number(b, "id")))
      .map(toDelivery);
  }

  function inFlight(job: string, destination: string): Delivery[] {
    return db.all(
      `${SELECT_DELIVERY} FROM deliveries d INDEXED BY deliveries_sending JOIN versions v ON v.id = d.version_id
       WHERE d.job = ? AND d.destination = ? AND d.state = 'sending' ORDER BY d.id`,
      job,
      destination,
    ).map(toDelivery);
  }

  function record(
    deliveries: readonly Delivery[],
    now: number,
    reads?: ReadonlyMap<number, BytesRead>,
    parts?: ReadonlyMap<number, string>,
  ): boolean {
    if (deliveries.length === 0) return false;
    return db.transaction(() => {
      let doubted = false;
      for (const { id, attempts, state, method } of deliveries) {
        const waits = state.state === "queued" || state.state === "deferred";
        const changed = store(id, attempts, waits && hasNewer(id) ? { state: "failed", failure: SUPERSEDED } : state, now);
        if (changed !== 1) throw new Error(`The ledger has no delivery with the id ${id}`);
        db.run("UPDATE deliveries SET method = ? WHERE id = ? AND method <> ?", method, id, method);
        const read = reads?.get(id);
        if (state.state === "delivered" && db.run(DOUBT, id, state.receipt.sha256) > 0) doubted = true;
        else if (read !== undefined) {
          db.run(REMEMBER_READ, read.sha256, Math.trunc(read.at), id);
          if (db.run(DOUBT_OTHERS, id, read.sha256) > 0) doubted = true;
        }
      }
      db.run(FORGET_PARTS, JSON.stringify(deliveries.map(({ id }) => id)));
      for (const [id, staged] of parts ?? []) db.run("INSERT INTO parts (delivery_id, staged) VALUES (?, ?)", id, staged);
      return doubted;
    });
  }

  function parts(job: string, destination: string): { delivery: Delivery; staged: string }[] {
    return db.all(PARTS, job, destination).map((row) => ({ delivery: toDelivery(row), staged: text(row, "staged") }));
  }

  function hashOf(delivery: Delivery): string | null {
    const row = db.get(
      "SELECT v.sha256 FROM versions v JOIN deliveries d ON d.version_id = v.id WHERE d.id = ?",
      delivery.id,
    );
    return row === undefined ? null : textOrNull(row, "sha256");
  }

  function nextDue(job: string, destination: string): number | null {
    return db.snapshot(() => {
      if (db.get(CLAIMABLE, job, destination) !== undefined) return 0;
      const row = db.get(
        "SELECT min(retry_at) AS due FROM deliveries INDEXED BY deliveries_deferred WHERE job = ? AND destination = ? AND state = 'deferred'",
        job,
        destination,
      ) as Row;
      return numberOrNull(row, "due");
    });
  }

  function makeDue(job: string, destination: string): void {
    db.transaction(() =>
      db.run(
        "UPDATE deliveries SET retry_at = 0 WHERE job = ? AND destination = ? AND state = 'deferred' AND retry_at > 0",
        job,
        destination,
      )
    );
  }

  function namesakes(job: string, destination: string, target: string): string[] {
    // LIKE ignores the case of ASCII letters; whatever else may differ is any text, a letter before a combining accent included.
    const pattern = target.replaceAll(/[!%_]/g, "!$&").replaceAll(/.?\P{ASCII}+/gsu, "%");
    return db.all(NAMESAKES, job, destination, pattern).map((row) => text(row, "target"))
      .filter((other) => other !== target && nameKey(other) === nameKey(target));
  }

  function requeue(ids: readonly number[] | null, now: number): number {
    return db.transaction(() => {
      const rows = ids === null ? db.all(ALL_TROUBLE) : db.all(CHOSEN, JSON.stringify(ids));
      const free = rows.map((row) => number(row, "id")).filter((id) => !hasNewer(id));
      for (const id of free) store(id, 0, { state: "queued" }, now);
      return free.length;
    });
  }

  function store(id: number, attempts: number, state: DeliveryState, now: number): number {
    return db.run(`UPDATE deliveries SET attempts = ?, ${STATE_COLUMNS} WHERE id = ?`, attempts, ...stateValues(state, now), id);
  }

  function hasNewer(id: number): boolean {
    return db.get(NEWER, id) !== undefined;
  }

  return { claim, inFlight, record, parts, hashOf, nextDue, makeDue, namesakes, requeue };
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

/** Other bytes than those read now have arrived somewhere: the file was rewritten in between. */
const DOUBT_OTHERS = `UPDATE versions SET ctime_ms = -1 WHERE id = (SELECT version_id FROM deliveries WHERE id = ?)
  AND EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = versions.id AND d.receipt_sha256 <> ?)`;

/** What was read when a rewrite had to show needs no second reading. */
const REMEMBER_READ = `UPDATE versions SET sha256 = ?, reread_at = CASE WHEN reread_at > ? THEN reread_at END
  WHERE id = (SELECT version_id FROM deliveries WHERE id = ?)`;

const FORGET_PARTS = "DELETE FROM parts WHERE delivery_id IN (SELECT value FROM json_each(?))";

// There are few parts: the planner must not begin with the backlog.
const PARTS = `${SELECT_DELIVERY}, p.staged FROM parts p CROSS JOIN deliveries d ON d.id = p.delivery_id
  CROSS JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state IN ('queued', 'sending', 'deferred') ORDER BY d.id`;

/** No file has this ctime, so its content is compared anew. */
const DOUBT = `UPDATE versions SET ctime_ms = -1
  WHERE id = (SELECT version_id FROM deliveries WHERE id = ?) AND sha256 <> ?`;

const SENDING_PATHS = `SELECT v.path FROM deliveries d INDEXED BY deliveries_sending JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state = 'sending'`;

// The indices are named: a wrong guess of the planner would cost seconds with a long backlog.
const queuedSql = (direction: "ASC" | "DESC") =>
  `${SELECT_DELIVERY} FROM deliveries d INDEXED BY deliveries_queued JOIN versions v ON v.id = d.version_id
   WHERE d.job = ? AND d.destination = ? AND d.state = 'queued' ORDER BY d.sort_ms ${direction}, d.id ${direction} LIMIT ?`;

const DUE = `${SELECT_DELIVERY} FROM deliveries d INDEXED BY deliveries_deferred JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state = 'deferred' AND d.retry_at <= ? ORDER BY d.retry_at, d.id LIMIT ?`;

const TAKE = `UPDATE deliveries SET ${STATE_COLUMNS} WHERE id IN (SELECT value FROM json_each(?))`;

/** Something queued that no older version of the same path keeps waiting. */
const CLAIMABLE = `SELECT 1 FROM deliveries d INDEXED BY deliveries_queued JOIN versions v ON v.id = d.version_id
  WHERE d.job = ?1 AND d.destination = ?2 AND d.state = 'queued' AND NOT EXISTS (
    SELECT 1 FROM versions o JOIN deliveries s ON s.version_id = o.id AND s.destination = ?2 AND s.state = 'sending'
    WHERE o.job = v.job AND o.path = v.path) LIMIT 1`;

/** A newer version of the same path on its way to the same destination. */
const NEWER = `SELECT 1 FROM deliveries d JOIN versions v ON v.id = d.version_id
  JOIN versions n ON n.job = v.job AND n.path = v.path AND n.revision > v.revision AND n.absolute_path = v.absolute_path
  JOIN deliveries e ON e.version_id = n.id AND e.destination = d.destination
  WHERE d.id = ? LIMIT 1`;

const NAMESAKES = `SELECT DISTINCT target FROM deliveries
  WHERE job = ? AND destination = ? AND state = 'delivered' AND target LIKE ? ESCAPE '!'`;

const ALL_TROUBLE = `SELECT id FROM deliveries INDEXED BY deliveries_failed
  WHERE state = 'failed' AND failure_code NOT IN ${NO_TROUBLE}`;

/** What a person names may also be waiting for its next try: then it is tried now. */
const CHOSEN = "SELECT id FROM deliveries WHERE id IN (SELECT value FROM json_each(?)) AND state IN ('failed', 'deferred')";
