/**
 * A path in the runtime folder for something that outlives a killed process, with a lock that lives as long as the process. So the next run
 * finds what that one has left running, and ends it.
 */
import { join } from "@std/path";
import type { System } from "../system/system.ts";

/** Ours until disposed of. */
interface RuntimePlace extends AsyncDisposable {
  readonly path: string;
  /** False where the system gives no lock. */
  readonly isLocked: boolean;
}

/**
 * Has `end` end what former runs of the same `parts` left at such paths, where nobody alive holds them, and gives a fresh one. `prefix` tells
 * kinds apart.
 */
export async function runtimePlace(
  prefix: string,
  parts: readonly unknown[],
  end: (left: string) => Promise<void>,
  system: Pick<System, "runtimeFolder" | "names" | "lock" | "facts" | "remove" | "randomHex">,
): Promise<RuntimePlace> {
  const folder = await system.runtimeFolder();
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(parts)));
  const key = `${prefix}${new Uint8Array(hash, 0, 4).toHex()}-`;
  for (const name of await system.names(folder)) {
    if (!name.startsWith(key) || !name.endsWith(".lock")) continue;
    const left = join(folder, name.slice(0, -".lock".length));
    await using lock = await system.lock(`${left}.lock`);
    // Somebody alive holds it: a session of this process, or a command beside the daemon.
    if (lock === null) continue;
    if (await system.facts(left) !== null) {
      await end(left);
      await system.remove(left);
    }
    await system.remove(`${left}.lock`);
  }
  const path = join(folder, `${key}${system.randomHex(4)}`);
  const lock = await system.lock(`${path}.lock`);
  return {
    path,
    isLocked: lock !== null,
    async [Symbol.asyncDispose]() {
      await system.remove(path);
      await system.remove(`${path}.lock`);
      await lock?.[Symbol.asyncDispose]();
    },
  };
}
