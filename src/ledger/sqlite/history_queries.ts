/**
 * Questions about what was and what is: deliveries, images (one version of a file with all of its deliveries), counts, nights. Everything
 * is answered from indices or from the totals, so that a million rows are no burden.
 */
import type { Counts, DeliveryQuery, DeliveryRow, History, ImageQuery } from "../history.ts";
import type { Database, Row, Value } from "./database.ts";
import { LOST, NO_TROUBLE, number, numberOrNull, SELECT_DELIVERY, text, toDeliveryRow } from "./rows.ts";

/** Rows fetched at a time by `each`: more would cost memory. Pages of trouble are larger, for each is sorted anew. */
const PAGE = 500;
const TROUBLE_PAGE = 2_000;

export function historyQueries(db: Database) {
  return {
    query(wanted) {
      const { where, values } = conditions(wanted);
      const sql = `${SELECT_DELIVERY} ${FROM} WHERE ${where} ORDER BY ${deliveryOrder(wanted)} LIMIT ? OFFSET ?`;
      return db.all(sql, ...values, wanted.limit ?? -1, wanted.offset ?? 0).map(toDeliveryRow);
    },
    each: (wanted) => each(db, wanted),
    count(wanted) {
      const { where, values } = conditions(wanted);
      const from = versionConditions(wanted).where === "1" ? "FROM deliveries d" : FROM;
      return db.count(`SELECT count(*) AS n ${from} WHERE ${where}`, ...values);
    },
    images: (wanted) =>
      db.snapshot(() => {
        const { from, where, values } = imagesOf(wanted);
        const order = ordered(placeOf(wanted), wanted.descending);
        const sql = `SELECT v.id FROM ${from} WHERE ${where} ORDER BY ${order} LIMIT ? OFFSET ?`;
        const ids = db.all(sql, ...values, wanted.limit ?? -1, wanted.offset ?? 0).map((row) => number(row, "id"));
        const rows = db.all(DELIVERIES_OF, JSON.stringify(ids));
        const images = Map.groupBy(rows, (row) => number(row, "version_id"));
        return ids.map((id) => (images.get(id) ?? []).map(toDeliveryRow));
      }),
    countImages(wanted) {
      const { where, values } = imagesOf({ ...wanted, sort: "queued_at" });
      const isAll = conditions(wanted).where === ALL;
      return db.count(isAll ? COUNT_IMAGES : `SELECT count(*) AS n FROM versions v WHERE ${where}`, ...values);
    },
    imageOf: (id) => db.all(SAME_IMAGE, id).map(toDeliveryRow),
    neighbours: (id, wanted) =>
      db.snapshot(() => {
        const descending = wanted.descending ?? false;
        return { former: neighbour(db, id, wanted, !descending), next: neighbour(db, id, wanted, descending) };
      }),
    counts: (job, destination) => db.snapshot(() => counts(db, placeCondition(job, destination))),
    oldestWaiting(job, destination) {
      const { where, values } = placeCondition(job, destination);
      return numberOrNull(db.get(`${OLDEST} AND ${where} ORDER BY d.queued_at LIMIT 1`, ...values), "queued_at");
    },
    failedByCode: (job, destination) => db.all(FAILED_BY_CODE, job, destination),
    waitingImages: (job, destinations) => db.count(WAITING_IMAGES, job, JSON.stringify(destinations)),
    waitingBytes: (job, destination) => db.count(WAITING_BYTES, job, destination),
    nights: () => db.all(NIGHTS).map((row) => text(row, "night")),
    places: () => db.all("SELECT job, destination FROM totals ORDER BY job, destination"),
    replaced: (job, destination) => db.all(REPLACED, job, destination).map((row) => number(row, "id")),
  } satisfies Partial<History>;
}

function* each(db: Database, wanted: Omit<DeliveryQuery, "sort" | "offset">): IterableIterator<DeliveryRow> {
  const { where, values } = conditions(wanted);
  const beyond = `${idOf(wanted)} ${wanted.descending ? "<" : ">"} ?`;
  const sql = `${SELECT_DELIVERY} ${FROM} WHERE ${where} AND ${beyond} ORDER BY ${deliveryOrder(wanted)} LIMIT ?`;
  let last = wanted.descending ? Number.MAX_SAFE_INTEGER : 0;
  for (let left = wanted.limit ?? Infinity; left > 0;) {
    const size = Math.min(left, wanted.trouble ? TROUBLE_PAGE : PAGE);
    const rows = db.all(sql, ...values, last, size);
    for (const row of rows) yield toDeliveryRow(row);
    if (rows.length < size) return;
    last = number(rows.at(-1) as Row, "id");
    left -= rows.length;
  }
}

/** The first delivery of the nearest image before or after. */
function neighbour(db: Database, id: number, wanted: ImageQuery, before: boolean): number | null {
  const place = placeOf(wanted);
  const own = db.get(`SELECT ${place.join(", ")} FROM ${LAST_OF} WHERE ${IS_LAST} AND v.id = ${VERSION_OF}`, id);
  if (own === undefined) return null;
  const { from, where, values } = imagesOf(wanted);
  const beyond = `(${place.join(", ")}) ${before ? "<" : ">"} (${place.map(() => "?").join(", ")})`;
  const sql = `SELECT (SELECT min(id) FROM deliveries WHERE version_id = v.id) AS id FROM ${from} WHERE ${where} AND ${beyond}
      ORDER BY ${ordered(place, before)} LIMIT 1`;
  return numberOrNull(db.get(sql, ...values, ...Object.values(own) as Value[]), "id");
}

function imagesOf(wanted: ImageQuery): Conditions & { readonly from: string } {
  const { states, trouble, gone, night, ids } = wanted;
  const [ofDelivery, ofVersion] = [deliveryConditions(wanted), versionConditions(wanted)];
  const areFew = trouble === true || gone === true || night !== undefined || ids !== undefined ||
    states !== undefined && !states.includes("delivered");
  // Few rows are found by their own index; of many it is cheaper to ask each image in its order.
  const some = areFew
    ? `v.id IN (SELECT d.version_id FROM deliveries d WHERE ${ofDelivery.where})`
    : `EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND ${ofDelivery.where})`;
  const [from, last] = wanted.sort === "delivered_at" ? [LAST_OF, IS_LAST] : ["versions v", "1"];
  return { from, where: `${last} AND ${some} AND ${ofVersion.where}`, values: [...ofDelivery.values, ...ofVersion.values] };
}

/** What images are sorted by. Versions are numbered in the order of admission; unlike the clock the numbers never jump. */
function placeOf({ sort = "queued_at" }: ImageQuery): readonly string[] {
  return {
    queued_at: ["v.id"],
    delivered_at: ["l.delivered_at", "l.id"],
    path: ["v.path", "v.id"],
    size: ["v.size", "v.id"],
  }[sort];
}

function counts(db: Database, { where, values }: Conditions): Counts {
  const of = (sql: string) => db.count(`${sql} AND ${where}`, ...values);
  const [queued, sending, deferred] = WAITING.map(of) as [number, number, number];
  const [failed, noTrouble] = [of(FAILED), of(FAILED_NO_TROUBLE)] as const;
  const lost = db.all(`${LOST_BY_CODE} AND ${where} GROUP BY d.failure_code`, ...values)
    .map((row) => [text(row, "code"), number(row, "n")]);
  const total = of("SELECT coalesce(sum(number), 0) AS n FROM totals d WHERE 1");
  const delivered = total - queued - sending - deferred - failed - noTrouble;
  return { queued, sending, deferred, delivered, failed, ...Object.fromEntries(lost) };
}

/** An SQL condition and the values of its parameters. */
interface Conditions {
  readonly where: string;
  readonly values: readonly Value[];
}

const FROM = "FROM deliveries d JOIN versions v ON v.id = d.version_id";

/** Of a query that leaves out nothing. */
const ALL = "1 AND 1";

function conditions(wanted: DeliveryQuery): Conditions {
  const [ofDelivery, ofVersion] = [deliveryConditions(wanted), versionConditions(wanted)];
  return { where: `${ofDelivery.where} AND ${ofVersion.where}`, values: [...ofDelivery.values, ...ofVersion.values] };
}

/** What the columns of `deliveries` tell. */
function deliveryConditions(wanted: DeliveryQuery): Conditions {
  const parts: string[] = ["1"];
  const values: Value[] = [];
  const add = (sql: string, ...more: Value[]) => {
    parts.push(sql);
    values.push(...more);
  };
  if (wanted.job !== undefined) add("d.job = ?", wanted.job);
  if (wanted.destination !== undefined) add("d.destination = ?", wanted.destination);
  if (wanted.night !== undefined) add("d.night = ?", wanted.night);
  // Literals, and an equation where the order is that of a state's own index, so that the partial indices fit.
  const [only, ...others] = wanted.states ?? [];
  if (only !== undefined && others.length === 0 && (wanted.sort === "changed_at" || wanted.sort === "retry_at")) {
    parts.push(`d.state = '${STATES[only]}'`);
  } else if (wanted.states !== undefined) {
    parts.push(`d.state IN (${wanted.states.map((state) => `'${STATES[state]}'`).join(", ")})`);
  }
  if (wanted.trouble) parts.push(`d.state = 'failed' AND d.failure_code NOT IN ${NO_TROUBLE}`);
  if (wanted.gone) parts.push(`d.state = 'failed' AND d.failure_code IN ${LOST}`);
  if (wanted.ids !== undefined) add("d.id IN (SELECT value FROM json_each(?))", JSON.stringify(wanted.ids));
  return { where: parts.join(" AND "), values };
}

/** What only the columns of `versions` tell. */
function versionConditions({ search, target, filter }: DeliveryQuery): Conditions {
  const parts: string[] = ["1"];
  const values: Value[] = [];
  if (search !== undefined && search !== "") {
    // LIKE ignores case for ASCII only; the other letters are tried both ways.
    const spellings = [...new Set([search, search.toLowerCase(), search.toUpperCase()])].map(likePattern);
    const tests = spellings.map(() => "v.absolute_path LIKE ? ESCAPE '!' OR v.path LIKE ? ESCAPE '!'");
    parts.push(`(${tests.join(" OR ")})`);
    values.push(...spellings.flatMap((pattern) => [pattern, pattern]));
  }
  if (target !== undefined) {
    parts.push(`${TARGET} = ?`);
    values.push(target);
  }
  if (filter !== undefined) {
    parts.push(`${FILTER} = ?`);
    values.push(filter);
  }
  return { where: parts.join(" AND "), values };
}

function cardText(keyword: "OBJECT" | "IMAGETYP" | "FILTER"): string {
  return `nullif(trim(CAST(json_extract(v.cards, '$.${keyword}') AS TEXT)), '')`;
}

const CALIBRATIONS = ["dark", "flat", "bias", "zero", "offset"].map((word) => `${cardText("IMAGETYP")} LIKE '%${word}%'`);
/** What was observed. Cameras write the last object into their darks and flats as well. */
export const TARGET = `CASE WHEN ${CALIBRATIONS.join(" OR ")} THEN ${cardText("IMAGETYP")}
  ELSE coalesce(${cardText("OBJECT")}, ${cardText("IMAGETYP")}, '-') END`;
export const FILTER = `coalesce(${cardText("FILTER")}, '-')`;

/** Only these words reach the SQL text, whatever a caller was handed. */
const STATES = { queued: "queued", sending: "sending", deferred: "deferred", delivered: "delivered", failed: "failed" } as const;

function likePattern(search: string): string {
  return `%${search.replaceAll(/[!%_]/g, "!$&")}%`;
}

/** The plus keeps SQLite from reading a million rows in order of id to find the few that failed. */
function idOf({ trouble }: DeliveryQuery): string {
  return trouble ? "+d.id" : "d.id";
}

/** Ids are given in the order of queueing; unlike the clock they never jump. */
function deliveryOrder(wanted: DeliveryQuery): string {
  const { sort = "queued_at", descending } = wanted;
  const columns = {
    queued_at: [],
    delivered_at: ["d.delivered_at"],
    path: ["v.path"],
    size: ["v.size"],
    changed_at: ["d.sort_ms"],
    retry_at: ["d.retry_at"],
  }[sort];
  return ordered([...columns, idOf(wanted)], descending);
}

function ordered(columns: readonly string[], descending = false): string {
  return columns.map((column) => `${column} ${descending ? "DESC" : "ASC"}`).join(", ");
}

function placeCondition(job?: string, destination?: string): Conditions {
  const given = [["d.job = ?", job], ["d.destination = ?", destination]] as const;
  const set = given.filter(([, value]) => value !== undefined);
  return { where: ["1", ...set.map(([sql]) => sql)].join(" AND "), values: set.map(([, value]) => value as string) };
}

const WAITING = ["queued", "sending", "deferred"].map((state) =>
  `SELECT count(*) AS n FROM deliveries d INDEXED BY deliveries_${state} WHERE d.state = '${state}'`
);
const FAILED_NO_TROUBLE = `SELECT count(*) AS n FROM deliveries d INDEXED BY deliveries_failed
  WHERE d.state = 'failed' AND d.failure_code IN ${NO_TROUBLE}`;
const FAILED = FAILED_NO_TROUBLE.replace("IN (", "NOT IN (");
const LOST_BY_CODE = `SELECT d.failure_code AS code, count(*) AS n FROM deliveries d INDEXED BY deliveries_failed
  WHERE d.state = 'failed' AND d.failure_code IN ${LOST}`;

const OLDEST = `SELECT d.queued_at FROM deliveries d INDEXED BY deliveries_waiting
  WHERE d.state IN ('queued', 'sending', 'deferred')`;

/** Grouped in the index; only the oldest of each reason is read. */
const FAILED_BY_CODE = `SELECT g.failure_code AS code, g.n AS count, o.queued_at AS since FROM (
    SELECT failure_code, count(*) AS n, min(id) AS oldest FROM deliveries INDEXED BY deliveries_failed
    WHERE state = 'failed' AND job = ? AND destination = ? AND failure_code NOT IN ${NO_TROUBLE} GROUP BY failure_code
  ) g JOIN deliveries o ON o.id = g.oldest ORDER BY g.n DESC, g.failure_code`;

/** Bounded: it is asked while a page is open. */
const WAITING_BYTES = `SELECT coalesce(sum(size), 0) AS n FROM (
    SELECT v.size FROM deliveries d INDEXED BY deliveries_waiting JOIN versions v ON v.id = d.version_id
    WHERE d.state IN ('queued', 'sending', 'deferred') AND d.job = ? AND d.destination = ? LIMIT 10000
  )`;

const WAITING_IMAGES = `SELECT count(DISTINCT d.version_id) AS n FROM deliveries d INDEXED BY deliveries_waiting
  WHERE d.state IN ('queued', 'sending', 'deferred') AND d.job = ? AND d.destination IN (SELECT value FROM json_each(?))`;

/** Jumps from night to night along the index instead of reading every row. */
const NIGHTS = `WITH RECURSIVE n(night) AS (
    SELECT min(night) FROM deliveries
    UNION ALL SELECT (SELECT min(night) FROM deliveries WHERE night > n.night) FROM n WHERE n.night IS NOT NULL
  ) SELECT night FROM n WHERE night IS NOT NULL`;

/** All but the delivery that came last to its target. */
const REPLACED = `SELECT id FROM (
    SELECT id, row_number() OVER (PARTITION BY target ORDER BY delivered_at DESC, id DESC) AS place
    FROM deliveries WHERE job = ? AND destination = ? AND state = 'delivered'
  ) WHERE place > 1 ORDER BY id`;

/** An image with its last delivery, read along the index of deliveries. What is not delivered has no neighbours in that order. */
const LAST_OF = "deliveries l JOIN versions v ON v.id = l.version_id";
const IS_LAST = `NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.version_id = l.version_id
  AND (coalesce(o.delivered_at, 0), o.id) > (coalesce(l.delivered_at, 0), l.id))`;

const VERSION_OF = "(SELECT version_id FROM deliveries WHERE id = ?)";

const DELIVERIES_OF =
  `${SELECT_DELIVERY}, d.version_id ${FROM} WHERE d.version_id IN (SELECT value FROM json_each(?)) ORDER BY d.id`;

const SAME_IMAGE = `${SELECT_DELIVERY} ${FROM} WHERE d.version_id = ${VERSION_OF} ORDER BY d.id`;

const COUNT_IMAGES = "SELECT count(DISTINCT version_id) AS n FROM deliveries";
