/**
 * The token that opens the page, and the sessions made with it. Without one in the configuration a random one is made once and kept in
 * the state directory, readable by its owner only, together with the hashes of the sessions: they outlive a restart.
 */
import { createHash, createHmac } from "node:crypto";
import { join } from "@std/path";
import * as z from "zod";
import { Failure } from "../../domain/failure.ts";
import { jsonOf } from "../../domain/json.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { Clock, System } from "../../system/system.ts";

/** What opens the page. */
export type Access = Awaited<ReturnType<typeof openAccess>>;

export type AccessSystem = Pick<System, "readText" | "writeText" | "facts" | "now" | "randomHex">;

const hex64 = z.string().regex(/^[0-9a-f]{64}$/);
const kept = z.object({
  token: hex64,
  key: hex64,
  /** Which token the sessions were made with: another one ends them. */
  of: hex64.optional(),
  sessions: z.array(z.object({ hash: hex64, until: z.number() })).optional(),
});
type Kept = z.infer<typeof kept>;

/**
 * Reads the file `web.json`, making it where it is missing or damaged.
 *
 * @throws {Failure} `configuration` where it cannot be read or written.
 */
export async function openAccess(
  stateDirectory: string,
  configured: string | null,
  system: AccessSystem,
  onError: (error: unknown) => void,
) {
  const path = join(stateDirectory, "web.json");
  const write = (content: Kept) => system.writeText(path, `${JSON.stringify(content, null, 2)}\n`, 0o600);
  let file: Kept;
  try {
    const found = await system.facts(path) === null ? null : kept.safeParse(jsonOf(await system.readText(path))).data ?? null;
    file = found ?? { token: system.randomHex(32), key: system.randomHex(32) };
    if (found === null) await write(file);
  } catch (cause) {
    throw new Failure("configuration", `cannot use "${path}", which holds the access token: ${reasonOf(cause)}`, {
      hint: `Remove it, or give this account read and write access to it; a new one is made.`,
      cause,
    });
  }
  const token = configured ?? file.token;
  const of = keyed(file.key, `token ${token}`);
  let saved = Promise.resolve();
  return {
    token,
    /** Then it is shown to nobody. */
    configured: configured !== null,
    // Of its own for each installation: cookies of one host are shared by all of its ports.
    cookieName: `image-transfer-${keyed(file.key, "name").slice(0, 8)}`,
    sessions: sessions(file.of === of ? file.sessions ?? [] : [], system, (kept) => {
      saved = saved.then(() => write({ ...file, of, sessions: [...kept] })).catch(onError);
    }),
    /** Resolves when the sessions are written. */
    saved: () => saved,
  };
}

/** HMAC-SHA-256 in hex: nothing of the token can be tried out without the key. */
function keyed(key: string, text: string): string {
  return createHmac("sha256", key).update(text).digest("hex");
}

/** Of a session: the hash of its secret, and when it ends (milliseconds since 1970). */
interface KeptSession {
  readonly hash: string;
  readonly until: number;
}

export const SESSION_SECONDS = 30 * 24 * 3600;
/** The oldest make room for new ones. */
const MOST = 200;

/** Begins with those that were kept; `changed` is called with all that are to be kept. */
export function sessions(
  kept: readonly KeptSession[],
  { now, randomHex }: Pick<Clock, "now" | "randomHex">,
  changed: (kept: readonly KeptSession[]) => void,
) {
  const all = new Map(kept.map((session) => [session.hash, session]));

  function keep(): void {
    for (const { hash, until } of [...all.values()]) if (until < now() || all.size > MOST) all.delete(hash);
    changed([...all.values()]);
  }

  return {
    /** The secret of a new one. */
    begin(): string {
      const secret = randomHex(32);
      const hash = hashOf(secret);
      all.set(hash, { hash, until: now() + SESSION_SECONDS * 1000 });
      keep();
      return secret;
    },
    knows: (secret: string) => (all.get(hashOf(secret))?.until ?? 0) >= now(),
    /** Ends this one; null ends all. */
    end(secret: string | null): void {
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
