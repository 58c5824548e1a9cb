/**
 * Rows of the ledger as values of the domain, and back. Every state has its own columns; the schema's
 * checks refuse a state whose data is missing.
 */
import type { Delivery, DeliveryState } from "../../domain/delivery.ts";
import { FAILURE_CODES, type FailureCode, type FailureRecord, isTrouble, type NextStep } from "../../domain/failure.ts";
import { type ProofLevel, type Receipt, storedReceipt } from "../../domain/receipt.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import type { Database, Row, Value } from "./database.ts";
import type { DeliveryRow } from "../history.ts";

/** Selects all that {@linkcode toDelivery} and {@linkcode toDeliveryRow} read; `d` are deliveries, `v` versions. */
export const SELECT_DELIVERY = `SELECT d.id, d.destination, d.method, d.target, d.state, d.attempt, d.attempts, d.retry_at,
  d.failure_code, d.failure_next, d.failure_message, d.failure_hint,
  d.receipt_bytes, d.receipt_sha256, d.receipt_level, d.receipt_at, d.receipt_algorithm, d.queued_at, d.delivered_at, d.night, d.sort_ms,
  v.job, v.path, v.absolute_path, v.size, v.mtime_ms, v.ctime_ms, v.identity, v.sha256, v.cards, v.warning`;

export function toDelivery(row: Row): Delivery {
  return inState(row, toState(row));
}

/** Selects what {@linkcode inState} reads. */
export const SELECT_WITHOUT_STATE = `SELECT d.id, d.destination, d.method, d.target, d.night, d.attempts, d.queued_at,
  v.job, v.path, v.absolute_path, v.size, v.mtime_ms, v.ctime_ms, v.identity`;

/** The delivery of a row, in a state that is known already. */
export function inState(row: Row, state: DeliveryState): Delivery {
  return {
    id: number(row, "id"),
    source: toSource(row),
    destination: text(row, "destination"),
    method: text(row, "method"),
    target: text(row, "target"),
    night: text(row, "night"),
    attempts: number(row, "attempts"),
    queuedAt: number(row, "queued_at"),
    state,
  };
}

/** A stored delivery and what else the ledger knows of it. */
export function toDeliveryRow(row: Row): DeliveryRow {
  const cards = textOrNull(row, "cards");
  return {
    delivery: toDelivery(row),
    // That of the receipt first: where the file was rewritten under the same time, its version may have another hash by now.
    sha256: textOrNull(row, "receipt_sha256") ?? textOrNull(row, "sha256"),
    deliveredAt: numberOrNull(row, "delivered_at"),
    cards: cards === null ? null : JSON.parse(cards) as NonNullable<DeliveryRow["cards"]>,
    warning: textOrNull(row, "warning"),
  };
}

/** The file of a row that has the columns of `versions`. */
export function toSource(row: Row): SourceFile {
  return {
    job: text(row, "job"),
    path: text(row, "path"),
    absolutePath: text(row, "absolute_path"),
    size: number(row, "size"),
    mtimeMs: number(row, "mtime_ms"),
    ctimeMs: number(row, "ctime_ms"),
    identity: text(row, "identity"),
  };
}

/** The receipt of a row whose delivery is delivered. */
export function toReceipt(row: Row): Receipt {
  return storedReceipt(
    number(row, "receipt_bytes"),
    textOrNull(row, "receipt_sha256"),
    text(row, "receipt_level") as ProofLevel,
    number(row, "receipt_at"),
    (textOrNull(row, "receipt_algorithm") ?? undefined) as "md5" | "sha1" | undefined,
  );
}

/** The columns that a state sets, in the order of {@linkcode STATE_COLUMNS}. */
export function stateValues(state: DeliveryState, now: number): Value[] {
  switch (state.state) {
    case "queued":
      return ["queued", null, null, ...NO_FAILURE, ...NO_RECEIPT, null];
    case "sending":
      return ["sending", state.attempt, null, ...NO_FAILURE, ...NO_RECEIPT, null];
    case "deferred":
      return ["deferred", null, Math.trunc(state.retryAt), ...failureValues(state.failure), ...NO_RECEIPT, null];
    case "delivered": {
      const { bytes, sha256, level, at, algorithm } = state.receipt;
      const other = algorithm === "sha256" ? null : algorithm;
      return ["delivered", null, null, ...NO_FAILURE, bytes, sha256, level, Math.trunc(at), other, Math.trunc(now)];
    }
    case "failed":
      return ["failed", null, null, ...failureValues(state.failure), ...NO_RECEIPT, null];
    default:
      return state satisfies never;
  }
}

/** The `SET` list for {@linkcode stateValues}. */
export const STATE_COLUMNS = `state = ?, attempt = ?, retry_at = ?,
  failure_code = ?, failure_next = ?, failure_message = ?, failure_hint = ?,
  receipt_bytes = ?, receipt_sha256 = ?, receipt_level = ?, receipt_at = ?, receipt_algorithm = ?, delivered_at = ?`;

const NO_FAILURE = [null, null, null, null] as const;
const NO_RECEIPT = [null, null, null, null, null] as const;

function failureValues(failure: FailureRecord): Value[] {
  return [failure.code, failure.next, failure.message, failure.hint];
}

function toState(row: Row): DeliveryState {
  const state = text(row, "state") as DeliveryState["state"];
  switch (state) {
    case "queued":
      return { state };
    case "sending":
      return { state, attempt: text(row, "attempt") };
    case "deferred":
      return { state, retryAt: number(row, "retry_at"), failure: toFailure(row) };
    case "delivered":
      return { state, receipt: toReceipt(row) };
    case "failed":
      return { state, failure: toFailure(row) };
    default:
      return state satisfies never;
  }
}

function toFailure(row: Row): FailureRecord {
  return {
    code: text(row, "failure_code") as FailureCode,
    next: text(row, "failure_next") as NextStep,
    message: text(row, "failure_message"),
    hint: text(row, "failure_hint"),
  };
}

/** A newer version replaced the delivery's file before it was sent. */
export const SUPERSEDED: FailureRecord = {
  code: "superseded",
  next: "never",
  message: "A newer version replaced this one before it was sent",
  hint: "Nothing to do: the newer version is delivered instead.",
};

/** The codes of failures that are no trouble, see `isTrouble`; for SQL. */
export const NO_TROUBLE = `('${FAILURE_CODES.filter((code) => !isTrouble({ code })).join("', '")}')`;

/** The codes of what was delivered and is no longer there as it was; for SQL. */
export const LOST = "('gone', 'damaged', 'vanished')";

/** The text of a column. @throws {TypeError} where it holds none: a bug, not a state of the ledger. */
export function text(row: Row, column: string): string {
  const value = row[column];
  if (typeof value !== "string") throw new TypeError(`The ledger has ${typeof value} instead of text in "${column}"`);
  return value;
}

/** Null for NULL, and where there is no row; otherwise as {@linkcode text}. */
export function textOrNull(row: Row | undefined, column: string): string | null {
  return row === undefined || row[column] === null ? null : text(row, column);
}

/** The number of a column. @throws {TypeError} where it holds none. */
export function number(row: Row, column: string): number {
  const value = row[column];
  if (typeof value !== "number") throw new TypeError(`The ledger has ${typeof value} instead of a number in "${column}"`);
  return value;
}

/** Null for NULL, and where there is no row; otherwise as {@linkcode number}. */
export function numberOrNull(row: Row | undefined, column: string): number | null {
  return row === undefined || row[column] === null ? null : number(row, column);
}

/** What is kept under a key; null where nothing is. */
export function keptValue(db: Database, key: string): string | null {
  return textOrNull(db.get("SELECT value FROM meta WHERE key = ?", key), "value");
}

/** Keeps a value under a key; null forgets it. */
export function keepValue(db: Database, key: string, value: string | null): void {
  db.transaction(() =>
    value === null
      ? db.run("DELETE FROM meta WHERE key = ?", key)
      : db.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", key, value)
  );
}
