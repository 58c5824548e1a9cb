/**
 * One SQLite connection with its prepared statements. Everything that SQLite throws leaves here as a
 * {@linkcode Failure} when a person can act on it: disk full, read-only, held by another program, damaged.
 */
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Cause, CAUSES, failure } from "../../domain/causes.ts";
import { Failure, type FailureRecord, failureRecord } from "../../domain/failure.ts";

/** The values in our tables; there are no blobs and no 64-bit integers beyond 2^53. */
export type Value = string | number | null;

/** One row by column name; `rows.ts` checks each value as it is read. What is selected under the names of a type is that type. */
export type Row = Record<string, unknown>;

/** How long a statement waits for another process that writes, milliseconds. */
const BUSY_MS = 10_000;

/** What is to be done with an open file. */
interface DatabaseCare {
  /** Called before the failure is thrown, when SQLite finds the file damaged. */
  readonly onDamage?: () => void;
  /** Called before anything is changed; throws where the file is not ours. */
  readonly admit?: (db: Database) => void;
}

/** An open SQLite file. Close it with `using`. */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #onDamage: () => void;
  #trouble: FailureRecord | null = null;

  constructor(readonly path: string, readonly readOnly: boolean, { onDamage = () => {}, admit = () => {} }: DatabaseCare = {}) {
    this.#onDamage = onDamage;
    this.#db = this.#guarded("open", () => new DatabaseSync(path, { readOnly }));
    try {
      this.exec(`PRAGMA busy_timeout = ${BUSY_MS}`);
      admit(this);
      if (!readOnly) this.exec("PRAGMA journal_mode = WAL");
      // FULL and fullfsync: what is recorded as delivered survives a power cut, on macOS too.
      this.exec("PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA checkpoint_fullfsync = ON; PRAGMA foreign_keys = ON");
      this.exec("PRAGMA cache_size = -4000; PRAGMA journal_size_limit = 67108864; PRAGMA trusted_schema = OFF");
    } catch (error) {
      this.#db.close();
      throw error;
    }
  }

  /** Runs statements without parameters or results. */
  exec(sql: string): void {
    this.#guarded("use", () => this.#db.exec(sql));
  }

  /** All rows of a query; the values are those of its `?`, in order. */
  all<T = Row>(sql: string, ...values: Value[]): T[] {
    return this.#guarded("read", () => this.#prepared(sql).all(...values)) as T[];
  }

  /** The rows of a query one by one, each read when it is asked for; no other statement of this text may run meanwhile. */
  *each(sql: string, ...values: Value[]): Generator<Row, void> {
    const rows = this.#guarded("read", () => this.#prepared(sql).iterate(...values));
    try {
      for (;;) {
        const { done, value } = this.#guarded("read", () => rows.next());
        if (done) return;
        yield value;
      }
    } finally {
      // A statement that is left open holds the moment that it reads.
      rows.return?.();
    }
  }

  /** The first row, undefined where there is none. */
  get<T = Row>(sql: string, ...values: Value[]): T | undefined {
    return this.#guarded("read", () => this.#prepared(sql).get(...values)) as T | undefined;
  }

  /** The number that a query selects as `n`. */
  count(sql: string, ...values: Value[]): number {
    return this.get<{ readonly n: number }>(sql, ...values)!.n;
  }

  /** Runs one change; returns the number of rows changed. */
  run(sql: string, ...values: Value[]): number {
    return this.#guarded("write", () => Number(this.#prepared(sql).run(...values).changes));
  }

  /** Adds one row; returns its id. */
  insert(sql: string, ...values: Value[]): number {
    return this.#guarded("write", () => Number(this.#prepared(sql).run(...values).lastInsertRowid));
  }

  /**
   * As {@linkcode transaction}, or {@linkcode transactionUnflushed}, for statements that change a batch of rows at most: what would undo
   * one of them is kept in memory. Elsewhere it is a file: several pages for each row that is added, which a busy disk is slow to take.
   */
  smallTransaction<T>(work: () => T, durable: "flushed" | "unflushed" = "flushed"): T {
    this.exec("PRAGMA temp_store = MEMORY");
    try {
      return durable === "flushed" ? this.transaction(work) : this.transactionUnflushed(work);
    } finally {
      // What is sorted outside may be as large as the ledger.
      if (!this.#db.isTransaction) this.exec("PRAGMA temp_store = DEFAULT");
    }
  }

  /** All or nothing, durable on return. */
  transaction<T>(work: () => T): T {
    this.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.exec("COMMIT");
      return result;
    } catch (error) {
      // A full disk has already rolled back.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw error;
    }
  }

  /**
   * All or nothing, durable with the next {@linkcode transaction} at the latest: for what the disks would tell again after a power cut. No crash
   * of this process undoes it.
   */
  transactionUnflushed<T>(work: () => T): T {
    // In WAL mode a commit is not flushed then; those that follow flush what is before them.
    this.exec("PRAGMA synchronous = NORMAL");
    try {
      return this.transaction(work);
    } finally {
      this.exec("PRAGMA synchronous = FULL");
    }
  }

  /** Many reads of one moment. Nests in a transaction. */
  snapshot<T>(work: () => T): T {
    if (this.#db.isTransaction) return work();
    this.exec("BEGIN");
    try {
      return work();
    } finally {
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
    }
  }

  /** Why the last statements failed; null until one does, and again since {@linkcode Database.settle}. */
  trouble(): FailureRecord | null {
    return this.#trouble;
  }

  /** What failed works again. */
  settle(): void {
    this.#trouble = null;
  }

  [Symbol.dispose](): void {
    this.#statements.clear();
    if (this.#db.isOpen) this.#db.close();
  }

  #prepared(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) this.#statements.set(sql, statement = this.#db.prepare(sql));
    return statement;
  }

  #guarded<T>(action: "open" | "use" | "read" | "write", work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (isDamage(error)) this.#onDamage();
      const thrown = sqliteFailure(`${action} the ledger "${this.path}"`, error);
      if (thrown instanceof Failure) this.#trouble = failureRecord(thrown);
      throw thrown;
    }
  }
}

/** True when SQLite says that the file is no sound database. */
export function isDamage(error: unknown): boolean {
  const cause = error instanceof Failure ? error.cause : error;
  return cause instanceof Error && /malformed|not a database|unsupported file format/i.test(cause.message);
}

/** SQLite's messages as failures a person can act on, `Cannot <what>: reason`; anything else as it is. */
function sqliteFailure(what: string, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof Failure) return error;
  const known = MEANINGS.find(([pattern]) => pattern.test(error.message));
  return known ? failure(known[1], `Cannot ${what}`, { cause: error }) : error;
}

const MEANINGS: readonly (readonly [RegExp, Cause])[] = [
  [/disk is full|No space left/i, CAUSES.state_full],
  [/disk I\/O error/i, CAUSES.state_disk_failing],
  [/locked|busy/i, CAUSES.ledger_locked],
  [/readonly|read-only/i, CAUSES.ledger_read_only],
  [/unable to open/i, CAUSES.ledger_unopened],
  [/malformed|not a database|unsupported file format/i, CAUSES.ledger_damaged],
];
