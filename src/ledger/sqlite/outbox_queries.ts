/**
 * The outbox's part of the ledger: the queue of each destination, what became of deliveries, what a person asked for, and what is
 * remembered of destinations.
 */
import type { Delivery, DeliveryState } from "../../domain/delivery.ts";
import type { FailureRecord } from "../../domain/failure.ts";
import { nameKey } from "../../domain/names/file_name.ts";
import { fingerprint } from "../../domain/source_file.ts";
import type { BytesRead, ClaimRequest, OutboxLedger } from "../outbox_ledger.ts";
import type { Database, Row, Value } from "./database.ts";
import {
  inState,
  keepValue,
  keptValue,
  LOST,
  NO_TROUBLE,
  number,
  numberOrNull,
  SELECT_DELIVERY,
  SELECT_WITHOUT_STATE,
  STATE_COLUMNS,
  stateValues,
  SUPERSEDED,
  text,
  textOrNull,
  toDelivery,
  toReceipt,
  toSource,
} from "./rows.ts";

export function claimQueries(db: Database) {
  return {
    // Forgotten in a power cut, it is claimed again, and what has arrived is found at the destination.
    claim: (request) => db.smallTransaction(() => claim(db, request), "unflushed"),
    inFlight: (job, destination) => db.all(SENDING, job, destination).map(toDelivery),
    nextDue: (job, destination) =>
      db.snapshot(() =>
        db.get(CLAIMABLE, job, destination) !== undefined ? 0 : numberOrNull(db.get(FIRST_DUE, job, destination), "due")
      ),
    makeDue: (job, destination) => void db.transaction(() => db.run(MAKE_DUE, job, destination)),
  } satisfies Partial<OutboxLedger>;
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
const from = (state: "queued" | "sending" | "deferred") =>
  `FROM deliveries d INDEXED BY deliveries_${state} JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state = '${state}'`;

const SENDING = `${SELECT_DELIVERY} ${from("sending")} ORDER BY d.id`;

/** Another version of the file is being sent there. */
const IS_BEING_SENT = `EXISTS (
    SELECT 1 FROM versions o JOIN deliveries s ON s.version_id = o.id AND s.destination = d.destination AND s.state = 'sending'
    WHERE o.job = v.job AND o.path = v.path AND o.id <> v.id)`;

const queuedSql = (direction: "ASC" | "DESC") =>
  `${SELECT_DUE} ${from("queued")} AND NOT ${IS_BEING_SENT} ORDER BY d.sort_ms ${direction}, d.id ${direction} LIMIT ?`;

const DEFERRED = `${SELECT_DUE} ${
  from("deferred")
} AND d.retry_at <= ? AND NOT ${IS_BEING_SENT} ORDER BY d.retry_at, d.id LIMIT ?`;

// What is queued has nothing else to be reset, and indices of columns that are not named stay as they are.
const CLAIM_QUEUED = "UPDATE deliveries SET state = 'sending', attempt = ? WHERE id IN (SELECT value FROM json_each(?))";

const CLAIM_DEFERRED = `UPDATE deliveries SET state = 'sending', attempt = ?, retry_at = NULL,
  failure_code = NULL, failure_next = NULL, failure_message = NULL, failure_hint = NULL WHERE id IN (SELECT value FROM json_each(?))`;

/** Something queued that does not wait for an older version of the same file. */
const CLAIMABLE = `SELECT 1 ${from("queued")} AND NOT ${IS_BEING_SENT} LIMIT 1`;

const FIRST_DUE = `SELECT min(retry_at) AS due FROM deliveries INDEXED BY deliveries_deferred
  WHERE job = ? AND destination = ? AND state = 'deferred'`;

const MAKE_DUE = "UPDATE deliveries SET retry_at = 0 WHERE job = ? AND destination = ? AND state = 'deferred' AND retry_at > 0";

// What became of deliveries, and what was read and left on the way.
// Invariant: what is queued or deferred has no newer version on its way to the same destination, so no old version is ever sent over
// a newer one. `admit`, `record`, `requeue` and `sendAgain` keep it.

export function recordQueries(db: Database) {
  return {
    record(deliveries, now, reads, parts) {
      if (deliveries.length === 0) return false;
      return db.smallTransaction(() => {
        store(db, deliveries, now);
        const rewritten = compareBytes(db, deliveries, reads);
        db.run(FORGET_PARTS, JSON.stringify(deliveries.map(({ id }) => id)));
        for (const [id, staged] of parts ?? []) db.run("INSERT INTO parts (delivery_id, staged) VALUES (?, ?)", id, staged);
        return rewritten;
      });
    },
    parts: (job, destination) =>
      db.all(PARTS, job, destination).map((row) => ({ delivery: toDelivery(row), staged: text(row, "staged") })),
    hashesOf: (deliveries) =>
      new Map(
        db.all(HASHES, JSON.stringify(deliveries.map(({ id }) => id))).map((row) => [number(row, "id"), text(row, "sha256")]),
      ),
  } satisfies Partial<OutboxLedger>;
}

function store(db: Database, deliveries: readonly Delivery[], now: number): void {
  const rows = deliveries.map(({ id, attempts, state, method }) => {
    const waits = state.state === "queued" || state.state === "deferred";
    const next: DeliveryState = waits && hasNewer(db, id) ? { state: "failed", failure: SUPERSEDED } : state;
    return [id, method, attempts, ...stateValues(next, now)];
  });
  if (db.run(STORE, JSON.stringify(rows)) === rows.length) return;
  const missing = deliveries.find(({ id }) => db.get("SELECT 1 FROM deliveries WHERE id = ?", id) === undefined);
  throw new Error(`The ledger has no delivery with the id ${missing?.id}`);
}

/** True if a receipt, or what was read, has other bytes than the version was last seen with: `unknown` lists it for a recheck. */
function compareBytes(db: Database, deliveries: readonly Delivery[], reads?: ReadonlyMap<number, BytesRead>): boolean {
  const proven = deliveries.flatMap(({ id, state }) => state.state === "delivered" ? [[id, state.receipt.sha256]] : []);
  const doubtful = new Set(db.all(DOUBTFUL, JSON.stringify(proven)).map((row) => number(row, "id")));
  if (doubtful.size > 0) db.run(DOUBT, JSON.stringify([...doubtful]));
  const read = deliveries.flatMap(({ id }) => {
    const bytes = doubtful.has(id) ? undefined : reads?.get(id);
    return bytes === undefined ? [] : [[id, bytes.sha256, Math.trunc(bytes.at)]];
  });
  if (read.length === 0) return doubtful.size > 0;
  db.run(REMEMBER_READ, JSON.stringify(read));
  return db.run(DOUBT_OTHERS, JSON.stringify(read)) + doubtful.size > 0;
}

/** Whether a newer version of the file is on its way to the same destination. */
function hasNewer(db: Database, id: number): boolean {
  return db.get(NEWER, id) !== undefined;
}

/** The n-th value of each row of a list. */
const nth = (n: number) => `j.value ->> ${n}`;
const STORED_COLUMNS = ["method", "attempts", ...STATE_COLUMNS.replaceAll(/\s|= \?/g, "").split(",")];

const STORE = `UPDATE deliveries SET ${STORED_COLUMNS.map((column, n) => `${column} = ${nth(n + 1)}`).join(", ")}
  FROM json_each(?) j WHERE deliveries.id = ${nth(0)}`;

/** Deliveries of versions that were last seen with other bytes than these. */
const DOUBTFUL = `SELECT d.id FROM json_each(?) j CROSS JOIN deliveries d ON d.id = ${nth(0)}
  CROSS JOIN versions v ON v.id = d.version_id WHERE v.sha256 <> ${nth(1)}`;

// No file has this ctime.
const DOUBT = `UPDATE versions SET ctime_ms = -1
  WHERE id IN (SELECT version_id FROM deliveries WHERE id IN (SELECT value FROM json_each(?)))`;

/** Other bytes than those read now were delivered somewhere: the file was rewritten in between. */
const DOUBT_OTHERS = `UPDATE versions SET ctime_ms = -1 WHERE id IN (
  SELECT d.version_id FROM json_each(?) j CROSS JOIN deliveries d ON d.id = ${nth(0)}
  CROSS JOIN deliveries e ON e.version_id = d.version_id WHERE e.receipt_sha256 <> ${nth(1)})`;

/** What was read late enough for every rewrite to show needs no reread. */
const REMEMBER_READ = `WITH r AS MATERIALIZED (
    SELECT d.version_id AS id, ${nth(1)} AS sha256, ${nth(2)} AS at FROM json_each(?) j CROSS JOIN deliveries d ON d.id = ${
  nth(0)
})
  UPDATE versions SET sha256 = r.sha256, reread_at = CASE WHEN reread_at > r.at THEN reread_at END
  FROM r WHERE versions.id = r.id`;

const FORGET_PARTS = "DELETE FROM parts WHERE delivery_id IN (SELECT value FROM json_each(?))";

// There are few parts: the planner must not begin with the backlog.
const PARTS = `${SELECT_DELIVERY}, p.staged FROM parts p CROSS JOIN deliveries d ON d.id = p.delivery_id
  CROSS JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state IN ('queued', 'sending', 'deferred') ORDER BY d.id`;

const HASHES = `SELECT d.id, v.sha256 FROM json_each(?) j CROSS JOIN deliveries d ON d.id = j.value
  CROSS JOIN versions v ON v.id = d.version_id WHERE v.sha256 IS NOT NULL`;

const NEWER = `SELECT 1 FROM deliveries d JOIN versions v ON v.id = d.version_id
  JOIN versions n ON n.job = v.job AND n.path = v.path AND n.revision > v.revision AND n.absolute_path = v.absolute_path
  JOIN deliveries e ON e.version_id = n.id AND e.destination = d.destination
  WHERE d.id = ? LIMIT 1`;

// Changes that a person asks for, or a disk that was replaced: deliveries are queued again, marked as gone, or given up.

export function requeueQueries(db: Database) {
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
      db.transaction(() => markLost(db, ids, { code: "gone", next: "never", message: reason, hint: GONE_HINT }, now)),
    giveUp: (job, destination, failure, now) =>
      db.transaction(() => {
        const values = stateValues({ state: "failed", failure }, now);
        return GIVE_UP.reduce((sum, sql) => sum + db.run(sql, ...values, job, destination), 0);
      }),
  } satisfies Partial<OutboxLedger>;
}

/** Within a transaction: see `OutboxLedger.sendAgain`. */
export function sendAgain(db: Database, ids: readonly number[], now: number): number[] {
  const chosen = db.all(DELIVERED_OR_LOST, JSON.stringify(ids)).map((row) => number(row, "id"));
  queue(db, chosen, now);
  return chosen;
}

/** For those that are delivered. The time of their delivery is kept in the message. Returns how many. */
export function markLost(db: Database, ids: readonly number[], failure: FailureRecord, now: number): number {
  return db.run(MARK_LOST, ...stateValues({ state: "failed", failure }, now), JSON.stringify(ids));
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
const MARK_LOST = `UPDATE deliveries SET ${STATE_COLUMNS.replace("failure_message = ?", MESSAGE)}
  WHERE id IN (SELECT value FROM json_each(?)) AND state = 'delivered'`;

const GONE_HINT = "To send it again where its source is still here, run: image-transfer verify --retry";

/** One statement per state, each with its index named, as for claims. */
const GIVE_UP = [
  ...["queued", "sending", "deferred"].map((state) => ({ state, which: `state = '${state}'` })),
  { state: "failed", which: `state = 'failed' AND failure_code NOT IN ${NO_TROUBLE}` },
].map(({ state, which }) =>
  `UPDATE deliveries INDEXED BY deliveries_${state} SET ${STATE_COLUMNS} WHERE job = ? AND destination = ? AND ${which}`
);

// Which source files may be removed (I4).

export function removalQueries(db: Database) {
  return {
    removable(job, destinations, limit, only) {
      // Without a destination nothing is verified.
      if (destinations.length === 0) return [];
      const wanted = JSON.stringify([...new Set(destinations)]);
      const { watchPath = null, after = 0, versionId = null } = only ?? {};
      return db.snapshot(() =>
        db.all(versionId === null ? REMOVABLE : STILL_REMOVABLE, job, wanted, limit, watchPath, versionId, after).map((row) => {
          const versionId = number(row, "id");
          const rows = db.all(DELIVERIES, versionId, wanted);
          return { source: toSource(row), versionId, deliveries: rows.map(toDelivery), receipts: rows.map(toReceipt) };
        })
      );
    },
    isDelivered: (source, sha256, destinations) =>
      db.get(IS_DELIVERED, source.job, source.path, fingerprint(source), JSON.stringify(destinations), sha256) !== undefined,
    markRemoved: (versionIds, now) =>
      void db.transaction(() => db.run(MARK_REMOVED, Math.trunc(now), JSON.stringify(versionIds))),
  } satisfies Partial<OutboxLedger>;
}

/** The watched folder is as it was; a separator follows, unless it ends with one. */
const IS_IN = `substr(v.absolute_path, 1, length(?4)) = ?4 AND length(v.absolute_path) - length(v.path) - length(?4) IN (0, 1)`;

/**
 * Newest versions that every wanted destination has, with a hash compared and with the same bytes; that nobody is sending anywhere;
 * and whose bytes cannot have changed since without a trace.
 */
const removableSql = (from: string) =>
  `SELECT v.* FROM ${from}
  WHERE v.job = ?1 AND v.removed_at IS NULL AND v.reread_at IS NULL AND v.id > ?6 AND (?5 IS NULL OR v.id = ?5) AND (?4 IS NULL OR ${IS_IN})
    AND NOT EXISTS (SELECT 1 FROM json_each(?2) w WHERE NOT EXISTS (
      SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.destination = w.value
        AND d.state = 'delivered' AND d.receipt_level IN ('checksum', 'read_back')))
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id
      AND d.state <> 'delivered' AND (d.failure_code IS NULL OR d.failure_code NOT IN ('superseded', 'skipped')))
    AND NOT EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.receipt_sha256 <> v.sha256)
    AND NOT EXISTS (SELECT 1 FROM versions n WHERE n.job = v.job AND n.path = v.path AND n.revision > v.revision)
  ORDER BY v.id LIMIT ?3`;

const REMOVABLE = removableSql("versions v INDEXED BY versions_kept");
// By its id, without a search through the others.
const STILL_REMOVABLE = removableSql("(SELECT * FROM versions WHERE id = ?5) v");

const IS_DELIVERED = `SELECT 1 FROM versions v
  WHERE v.id = (SELECT n.id FROM versions n WHERE n.job = ?1 AND n.path = ?2 ORDER BY n.revision DESC LIMIT 1) AND v.fingerprint = ?3
    AND NOT EXISTS (SELECT 1 FROM json_each(?4) w WHERE NOT EXISTS (
      SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND d.destination = w.value
        AND d.state = 'delivered' AND (d.receipt_sha256 IS NULL OR d.receipt_sha256 IS ?5)))`;

const DELIVERIES = `${SELECT_DELIVERY} FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.version_id = ? AND d.destination IN (SELECT value FROM json_each(?)) ORDER BY d.id`;

const MARK_REMOVED = "UPDATE versions SET removed_at = ? WHERE removed_at IS NULL AND id IN (SELECT value FROM json_each(?))";

// What is remembered about destinations: their devices (per job and destination), who paused them (per name), and the names there;
// and when jobs with a schedule last ran.

export function destinationQueries(db: Database) {
  return {
    deviceOf: (job, destination) =>
      textOrNull(db.get("SELECT device FROM destinations WHERE job = ? AND name = ?", job, destination), "device"),
    rememberDevice: (job, destination, device) =>
      void db.transaction(() =>
        db.run("INSERT OR REPLACE INTO destinations (job, name, device) VALUES (?, ?, ?)", job, destination, device)
      ),
    unflushed: (job, destination) => JSON.parse(keptValue(db, unflushedKey(job, destination)) ?? "[]"),
    rememberUnflushed: (job, destination, targets) =>
      keepValue(db, unflushedKey(job, destination), targets.length === 0 ? null : JSON.stringify(targets)),
    lastRun: (job) => numberOrNull(db.get("SELECT begun_at FROM runs WHERE job = ?", job), "begun_at"),
    rememberRun: (job, at) =>
      void db.transaction(() => db.run("INSERT OR REPLACE INTO runs (job, begun_at) VALUES (?, ?)", job, Math.trunc(at))),
    pausedBy: (destination) => textOrNull(db.get("SELECT paused_by FROM pauses WHERE destination = ?", destination), "paused_by"),
    setPaused: (destination, by) =>
      void db.transaction(() =>
        by === null
          ? db.run("DELETE FROM pauses WHERE destination = ?", destination)
          : db.run("INSERT OR REPLACE INTO pauses (destination, paused_by) VALUES (?, ?)", destination, by)
      ),
    namesakes(job, destination, target) {
      // LIKE ignores the case of ASCII letters; whatever else may differ is any text, a letter before a combining accent included.
      const pattern = target.replaceAll(/[!%_]/g, "!$&").replaceAll(/.?\P{ASCII}+/gsu, "%");
      return db.all(NAMESAKES, job, destination, pattern).map((row) => text(row, "target"))
        .filter((other) => other !== target && nameKey(other) === nameKey(target));
    },
  } satisfies Partial<OutboxLedger>;
}

function unflushedKey(job: string, destination: string): string {
  return `unflushed ${JSON.stringify([job, destination])}`;
}

const NAMESAKES = `SELECT DISTINCT target FROM deliveries
  WHERE job = ? AND destination = ? AND state = 'delivered' AND target LIKE ? ESCAPE '!'`;
