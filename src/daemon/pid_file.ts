/**
 * The file with the process ID, for scripts. If it cannot be written, the daemon runs without it.
 *
 * @module
 */
import { reasonOf } from "../domain/names/reason.ts";
import type { Emit } from "../domain/transfer_event.ts";
import type { System } from "../system/system.ts";

/** Removed when it is disposed of. */
export interface PidFile extends AsyncDisposable {
  /** Writes this one instead of the previous one; null for none. Never throws: if it cannot be written, that is a warning. */
  adopt(path: string | null): Promise<void>;
}

/** Nothing is written before {@linkcode PidFile.adopt}. */
export function pidFile(system: Pick<System, "pid" | "writeText" | "remove">, emit: Emit): PidFile {
  let written: string | null = null;
  let wanted: string | null = null;
  const warn = (message: string) => emit({ type: "notice", level: "warning", message });

  async function remove(): Promise<void> {
    const path = written;
    written = null;
    if (path === null) return;
    try {
      await system.remove(path);
    } catch (error) {
      warn(`Cannot remove pid_file "${path}": ${reasonOf(error)}`);
    }
  }

  return {
    async adopt(path) {
      if (path === wanted) return;
      wanted = path;
      await remove();
      if (path === null) return;
      try {
        await system.writeText(path, `${system.pid}\n`);
        written = path;
      } catch (error) {
        warn(`Cannot write pid_file "${path}": ${reasonOf(error)}. Delivery continues; choose another path for the file`);
      }
    },
    [Symbol.asyncDispose]: remove,
  };
}
