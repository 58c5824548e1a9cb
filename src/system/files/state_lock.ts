/**
 * The lock of a state directory: one daemon, or one `run --once`, at a time.
 *
 * @module
 */
import { join } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { System } from "../system.ts";

/** Makes the directory where it is not there. Null where another process holds it. @throws {Failure} `configuration` where it cannot be used. */
export async function lockState(folder: string, system: Pick<System, "makeFolder" | "lock">): Promise<AsyncDisposable | null> {
  try {
    await system.makeFolder(folder, 0o700);
    return await system.lock(join(folder, "lock"));
  } catch (cause) {
    throw unusableState(folder, cause);
  }
}

/** What a person is told where the state directory cannot be written to. */
export function unusableState(folder: string, cause: unknown): Failure {
  return new Failure("configuration", `Cannot use the state directory "${folder}": ${reasonOf(cause)}`, {
    hint: "Make it writable for this account, or choose another one with state_directory.",
    cause,
  });
}
