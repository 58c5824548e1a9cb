/**
 * Has SQLite check a database, all pages and indices, in a Worker: that takes seconds for each gigabyte.
 *
 * @module
 */
import { untilAborted } from "../../async/abort.ts";
import { workerCalls } from "../workers/worker_calls.ts";
import type { CheckCalls } from "./check_database_worker.ts";

/** See `Files.checkDatabase`. */
export async function checkDatabase(path: string, signal: AbortSignal): Promise<readonly string[]> {
  using worker = workerCalls<CheckCalls>({
    name: "check_database_worker",
    here: import.meta.url,
    what: `The check of "${path}"`,
  });
  return await untilAborted(worker.call("check", path), signal);
}
