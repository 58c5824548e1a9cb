/**
 * The Worker of `check_database.ts`. It is bundled and embedded separately: import nothing heavy here.
 *
 * @module
 */
import { DatabaseSync } from "node:sqlite";
import { serveCalls } from "../workers/serve_calls.ts";

const calls = {
  /** What is wrong; empty where nothing is. */
  check(path: string): string[] {
    const db = new DatabaseSync(path, { readOnly: true });
    try {
      const rows = db.prepare("PRAGMA integrity_check(10)").all();
      return rows.map((row) => String(row["integrity_check"])).filter((answer) => answer !== "ok");
    } catch (error) {
      if (error instanceof Error && /malformed|not a database/i.test(error.message)) return [error.message];
      throw error;
    } finally {
      db.close();
    }
  },
};

export type CheckCalls = typeof calls;
serveCalls(calls);
