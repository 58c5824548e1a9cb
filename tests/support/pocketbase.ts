/** A real PocketBase server for tests, with a superuser. */
import { startServer } from "./rclone_servers.ts";
import { freePort } from "./tcp_proxy.ts";

export const ROOT = { email: "root@example.org", password: "root-password-1" } as const;

/** A server that runs; disposing of it ends it as a crash would. */
export interface PocketbaseProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
}

/** Starts a server on a folder, which may have the data of a former one. `program` is another version, `env` what it finds around it. */
export async function startPocketbase(
  folder: string,
  { program = "pocketbase", port = freePort(), env = {} }: {
    program?: string;
    port?: number;
    env?: Readonly<Record<string, string>>;
  } = {},
): Promise<PocketbaseProcess> {
  if (!await exists(`${folder}/data.db`)) {
    await succeed(program, ["superuser", "upsert", ROOT.email, ROOT.password, "--dir", folder]);
  }
  const args = ["serve", "--http", `127.0.0.1:${port}`, "--dir", folder, "--automigrate=false"];
  const server = await startServer(program, args, env, port);
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
