/**
 * A real PocketBase server for tests, with a superuser.
 *
 * @module
 */
import { OLD_POCKETBASE } from "./needs.ts";
import { startServer } from "./rclone_servers.ts";
import { freePort } from "./tcp_proxy.ts";

export const ROOT = { email: "root@example.org", password: "root-password-1" } as const;

/** A server that runs; disposing of it ends it as a crash would. */
export interface PocketbaseProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
}

/** Which generation of its API. */
export type Generation = "current" | "old";

/** Starts a server on a folder, which may have the data of a former one. */
export async function startPocketbase(
  folder: string,
  { generation = "current", port = freePort() }: { generation?: Generation; port?: number } = {},
): Promise<PocketbaseProcess> {
  const program = generation === "current" ? "pocketbase" : OLD_POCKETBASE;
  const prepare = generation === "current"
    ? [["superuser", "upsert", ROOT.email, ROOT.password]]
    : [["migrate", "up"], ["admin", "create", ROOT.email, ROOT.password]];
  if (!await exists(`${folder}/data.db`)) { for (const args of prepare) await succeed(program, [...args, "--dir", folder]); }
  const args = ["serve", "--http", `127.0.0.1:${port}`, "--dir", folder, "--automigrate=false"];
  const server = await startServer(program, args, {}, port);
  return { ...server, url: `http://127.0.0.1:${port}` };
}

async function succeed(program: string, args: string[]): Promise<void> {
  const { success, stderr, stdout } = await new Deno.Command(program, { args, stdin: "null" }).output();
  const text = new TextDecoder();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${text.decode(stdout)}${text.decode(stderr)}`);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
