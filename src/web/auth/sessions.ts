/**
 * The sessions of browsers: random, each of its own, so that one can be ended. Kept as hashes: who reads the file has no session.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Clock } from "../../system/system.ts";

/** Of a session: the hash of its secret, and when it ends (milliseconds since 1970). */
export interface KeptSession {
  readonly hash: string;
  readonly until: number;
}

export interface Sessions {
  /** The secret of a new one. */
  begin(): string;
  knows(secret: string): boolean;
  /** Ends this one; null ends all. */
  end(secret: string | null): void;
}

export const SESSION_SECONDS = 30 * 24 * 3600;
/** The oldest make room for new ones. */
const MOST = 200;

/** Begins with those that were kept; `changed` is called with all that are to be kept. */
export function sessions(
  kept: readonly KeptSession[],
  { now, randomHex }: Pick<Clock, "now" | "randomHex">,
  changed: (kept: readonly KeptSession[]) => void,
): Sessions {
  const all = new Map(kept.map((session) => [session.hash, session]));

  function keep(): void {
    for (const { hash, until } of [...all.values()]) if (until < now() || all.size > MOST) all.delete(hash);
    changed([...all.values()]);
  }

  return {
    begin() {
      const secret = randomHex(32);
      const hash = hashOf(secret);
      all.set(hash, { hash, until: now() + SESSION_SECONDS * 1000 });
      keep();
      return secret;
    },
    knows: (secret) => (all.get(hashOf(secret))?.until ?? 0) >= now(),
    end(secret) {
      if (secret === null) all.clear();
      else all.delete(hashOf(secret));
      keep();
    },
  };
}

/** A lookup by the hash takes a time that tells nothing of the secret. */
function hashOf(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
