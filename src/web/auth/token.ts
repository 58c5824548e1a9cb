/**
 * The token that opens the page, and the sessions made with it. Without one in the configuration a random one is made once and kept in
 * the state directory, readable by its owner only, together with the key that sessions are made with: they outlive a restart.
 *
 * @module
 */
import { createHmac, randomBytes } from "node:crypto";
import { join } from "@std/path";
import * as z from "zod";
import type { System } from "../../system/system.ts";

/** What opens the page; both token and cookie are secrets. */
export interface Access {
  readonly token: string;
  /** True if the token is configured: then it is shown to nobody. */
  readonly configured: boolean;
  /** Name and value of the cookie of a session. */
  readonly cookie: { readonly name: string; readonly value: string };
}

const kept = z.object({ token: z.string().regex(/^[0-9a-f]{64}$/), key: z.string().regex(/^[0-9a-f]{64}$/) });

/**
 * Reads the file `web.json`, making it where it is missing or damaged.
 *
 * @throws what keeps it from being read or written (errors of the operating system).
 */
export async function openAccess(
  stateDirectory: string,
  configured: string | null,
  system: Pick<System, "readText" | "writeText" | "facts">,
): Promise<Access> {
  const path = join(stateDirectory, "web.json");
  let file = await system.facts(path) === null ? null : parse(await system.readText(path));
  if (file === null) {
    file = { token: randomHex(32), key: randomHex(32) };
    await system.writeText(path, `${JSON.stringify(file, null, 2)}\n`, 0o600);
  }
  const token = configured ?? file.token;
  return {
    token,
    configured: configured !== null,
    cookie: {
      // Of its own for each installation: cookies of one host are shared by all of its ports.
      name: `image-transfer-${keyed(file.key, "name").slice(0, 8)}`,
      value: keyed(file.key, `session ${token}`),
    },
  };
}

function parse(text: string): z.infer<typeof kept> | null {
  try {
    return kept.safeParse(JSON.parse(text)).data ?? null;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
}

/** HMAC-SHA-256 in hex: the token cannot be tried out against a cookie without the key. */
function keyed(key: string, text: string): string {
  return createHmac("sha256", key).update(text).digest("hex");
}

/** So many random bytes as hex digits. */
export function randomHex(bytes: number): string {
  return randomBytes(bytes).toString("hex");
}
