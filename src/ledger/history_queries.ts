/**
 * Questions about what was and what is: history, counts, nights. Everything is answered from indices or from the
 * tallies, so that a million rows are no burden; {@linkcode Ledger.each} goes through them page by page.
 *
 * @module
 */
import type { Database, Row, Value } from "./database.ts";
import type { Counts, DeliveryQuery, DeliveryRow, Ledger } from "./ledger.ts";
import { number, numberOrNull, SELECT_DELIVERY, text, toDeliveryRow } from "./rows.ts";

type History = Pick<Ledger, "query" | "each" | "count" | "counts" | "oldestWaiting" | "nights">;

/** Rows fetched at a time by `each`. */
const PAGE = 2_000;

export function historyQueries(db: Database): History {
  function query(wanted: DeliveryQuery): DeliveryRow[] {
    const { where, values } = conditions(wanted);
    const sql = `${SELECT_DELIVERY} ${FROM} WHERE ${where} ORDER BY ${orderOf(wanted)} LIMIT ? OFFSET ?`;
    return db.all(sql, ...values, wanted.limit ?? -1, wanted.offset ?? 0).map(toDeliveryRow);
  }

  function* each(wanted: Omit<DeliveryQuery, "sort" | "offset">): IterableIterator<DeliveryRow> {
    const { where, values } = conditions(wanted);
    const beyond = wanted.descending ? "d.id < ?" : "d.id > ?";
    let last = wanted.descending ? Number.MAX_SAFE_INTEGER : 0;
    for (let left = wanted.limit ?? Infinity; left > 0;) {
      const size = Math.min(left, PAGE);
      const sql = `${SELECT_DELIVERY} ${FROM} WHERE ${where} AND ${beyond} ORDER BY ${orderOf(wanted)} LIMIT ?`;
      const rows = db.all(sql, ...values, last, size);
      for (const row of rows) yield toDeliveryRow(row);
      if (rows.length < size) return;
      last = number(rows.at(-1) as Row, "id");
      left -= rows.length;
    }
  }

  function count(wanted: DeliveryQuery): number {
    const { where, values } = conditions(wanted);
    const from = wanted.search === undefined ? "FROM deliveries d" : FROM;
    return number(db.get(`SELECT count(*) AS n ${from} WHERE ${where}`, ...values) as Row, "n");
  }

  function counts(job?: string, destination?: string): Counts {
    const counted = { queued: 0, sending: 0, deferred: 0, delivered: 0, failed: 0, set_aside: 0 };
    for (const row of db.all(TALLY, job ?? null, destination ?? null)) {
      const state = text(row, "state");
      if (Object.hasOwn(counted, state)) counted[state as keyof typeof counted] = number(row, "n");
    }
    const { set_aside: _, ...shown } = counted;
    return shown;
  }

  function oldestWaiting(job?: string, destination?: string): number | null {
    const row = db.get(OLDEST, job ?? null, destination ?? null);
    return row === undefined ? null : numberOrNull(row, "queued_at");
  }

  function nights(): string[] {
    return db.all(NIGHTS).map((row) => text(row, "night"));
  }

  return { query, each, count, counts, oldestWaiting, nights };
}

const FROM = "FROM deliveries d JOIN versions v ON v.id = d.version_id";

function conditions(wanted: DeliveryQuery): { where: string; values: Value[] } {
  const parts: string[] = ["1"];
  const values: Value[] = [];
  const add = (sql: string, ...more: Value[]) => {
    parts.push(sql);
    values.push(...more);
  };
  if (wanted.job !== undefined) add("d.job = ?", wanted.job);
  if (wanted.destination !== undefined) add("d.destination = ?", wanted.destination);
  if (wanted.night !== undefined) add("d.night = ?", wanted.night);
  // Literals, so that the partial indices fit.
  if (wanted.states !== undefined) parts.push(`d.state IN (${wanted.states.map((state) => `'${STATES[state]}'`).join(", ")})`);
  if (wanted.trouble) parts.push("d.state = 'failed' AND d.failure_code NOT IN ('superseded', 'skipped')");
  if (wanted.ids !== undefined) add("d.id IN (SELECT value FROM json_each(?))", JSON.stringify(wanted.ids));
  if (wanted.search !== undefined && wanted.search !== "") {
    // LIKE ignores case for ASCII only; the other letters are tried both ways.
    const spellings = [...new Set([wanted.search, wanted.search.toLowerCase(), wanted.search.toUpperCase()])].map(likePattern);
    const tests = spellings.map(() => "v.absolute_path LIKE ? ESCAPE '!' OR v.path LIKE ? ESCAPE '!'");
    add(`(${tests.join(" OR ")})`, ...spellings.flatMap((pattern) => [pattern, pattern]));
  }
  return { where: parts.join(" AND "), values };
}

/** Only these words reach the SQL text, whatever a caller was handed. */
const STATES = { queued: "queued", sending: "sending", deferred: "deferred", delivered: "delivered", failed: "failed" } as const;

function likePattern(search: string): string {
  return `%${search.replaceAll(/[!%_]/g, "!$&")}%`;
}

/** Ids are given in the order of queueing; unlike the clock they never jump. */
function orderOf({ sort = "queued_at", descending = false }: DeliveryQuery): string {
  const direction = descending ? "DESC" : "ASC";
  const columns = { queued_at: [], delivered_at: ["d.delivered_at"], path: ["v.path"], size: ["v.size"] }[sort];
  return [...columns, "d.id"].map((column) => `${column} ${direction}`).join(", ");
}

const TALLY = `SELECT state, sum(number) AS n FROM tallies
  WHERE (?1 IS NULL OR job = ?1) AND (?2 IS NULL OR destination = ?2) GROUP BY state`;

const OLDEST = `SELECT queued_at FROM deliveries INDEXED BY deliveries_waiting
  WHERE state IN ('queued', 'sending', 'deferred') AND (?1 IS NULL OR job = ?1) AND (?2 IS NULL OR destination = ?2)
  ORDER BY queued_at LIMIT 1`;

/** Jumps from night to night along the index instead of reading every row. */
const NIGHTS = `WITH RECURSIVE n(night) AS (
    SELECT min(night) FROM deliveries
    UNION ALL SELECT (SELECT min(night) FROM deliveries WHERE night > n.night) FROM n WHERE n.night IS NOT NULL
  ) SELECT night FROM n WHERE night IS NOT NULL`;
