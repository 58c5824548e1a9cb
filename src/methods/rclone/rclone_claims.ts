/**
 * Who gives which final name, over all sessions of a program: two that gave the same one at once would both keep the same former
 * file, or one would replace what the other has just delivered.
 *
 * @module
 */
import { keyedMutex, perOwner } from "../../async/mutex.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import type { Remote } from "./rclone_remote.ts";

/** Names that are being put at this moment, with what resolves when that has ended. */
const claimed = perOwner(() => new Map<string, Promise<void>>());
const lock = perOwner(keyedMutex);

type Held = Pick<Remote, "where" | "context">;

/** One after the other for each base path. */
export function inTurn<R>({ where, context: { system } }: Held, work: () => Promise<R>): Promise<R> {
  return lock(system)(where, work);
}

/** The indexes of those names that are claimed now; disposing of it gives them back. Only {@linkcode inTurn}. */
export function claim(
  remote: Held,
  targets: readonly (string | null)[],
): Disposable & { readonly indexes: readonly number[] } {
  const { promise, resolve } = Promise.withResolvers<void>();
  const claims = claimed(remote.context.system);
  const mine: string[] = [];
  const indexes = targets.flatMap((target, index) => {
    const key = target === null ? null : keyOf(remote, target);
    if (key === null || claims.has(key)) return [];
    claims.set(key, promise);
    mine.push(key);
    return [index];
  });
  return {
    indexes,
    [Symbol.dispose]() {
      for (const key of mine) claims.delete(key);
      resolve();
    },
  };
}

/** Resolves when nobody puts these names any more. {@linkcode inTurn}, nobody else begins to. */
export async function untilUnclaimed(remote: Held, targets: readonly string[]): Promise<void> {
  const claims = claimed(remote.context.system);
  await Promise.all(targets.map((target) => claims.get(keyOf(remote, target))));
}

function keyOf({ where }: Held, target: string): string {
  return `${where}\n${nameKey(target)}`;
}
