/**
 * What the method rclone is tested against: a private S3 server (versitygw on a folder, so that the disk behind it can be looked at),
 * rclone's own WebDAV server, and the configuration of rclone that leads there.
 */
import type { Sshd } from "./sshd.ts";
import { freePort } from "./tcp_proxy.ts";
import type { TempFolder } from "./temp.ts";

const KEY = "testkey";
const SECRET = "testsecret";

/** A server that was started for a test; gone when it is disposed of. */
export interface RcloneServer extends AsyncDisposable {
  readonly port: number;
  readonly pid: number;
  /** The section of rclone's configuration that leads to it, by this port. */
  section(port?: number, changes?: Readonly<Record<string, string>>): string;
}

/** S3 over the folder: each folder in it is a bucket. */
export async function startS3(folder: string, port: number = freePort(), ...options: readonly string[]): Promise<RcloneServer> {
  await Deno.mkdir(folder, { recursive: true });
  const env = { ROOT_ACCESS_KEY: KEY, ROOT_SECRET_KEY: SECRET };
  const args = ["--port", `127.0.0.1:${port}`, "--keep-alive", "--quiet", ...options, "posix", folder];
  return { ...await startServer("versitygw", args, env, port), section: s3Section(port) };
}

/** The same by rclone, whose S3 server takes no notice of `If-None-Match`. */
export async function startSimpleS3(folder: string): Promise<RcloneServer> {
  await Deno.mkdir(folder, { recursive: true });
  const port = freePort();
  const args = ["serve", "s3", "--addr", `127.0.0.1:${port}`, "--auth-key", `${KEY},${SECRET}`, folder];
  return { ...await startServer("rclone", args, {}, port), section: s3Section(port) };
}

function s3Section(port: number): RcloneServer["section"] {
  return (at = port, changes = {}) =>
    section("s3remote", {
      type: "s3",
      provider: "Other",
      access_key_id: KEY,
      secret_access_key: SECRET,
      endpoint: `http://127.0.0.1:${at}`,
      region: "us-east-1",
      ...changes,
    });
}

/** WebDAV over the folder. */
export async function startWebdav(folder: string): Promise<RcloneServer> {
  await Deno.mkdir(folder, { recursive: true });
  const port = freePort();
  // Without a password, which would cost the server a tenth of a second of processor time for each request.
  const args = ["serve", "webdav", "--addr", `127.0.0.1:${port}`, "--no-unicode-normalization", folder];
  return {
    ...await startServer("rclone", args, {}, port),
    section: (at = port, changes = {}) =>
      section("dav", { type: "webdav", vendor: "other", url: `http://127.0.0.1:${at}`, ...changes }),
  };
}

/** The section that leads to an SSH server by this port; the host keys that rclone looks for are written into the folder. */
export async function sftpSection(
  { user, identityFile, knownHosts }: Pick<Sshd, "user" | "identityFile" | "knownHosts">,
  folder: Pick<TempFolder, "write">,
  port: number,
): Promise<string> {
  const keys = (await Deno.readTextFile(knownHosts)).replaceAll(/^\S+/gm, `[127.0.0.1]:${port}`);
  const known_hosts_file = await folder.write("rclone_known_hosts", keys);
  const options = { type: "sftp", host: "127.0.0.1", port: String(port), user, key_file: identityFile, known_hosts_file };
  return section("sftpremote", { ...options, shell_type: "unix" });
}

/** Lines of rclone's configuration. */
export function section(name: string, keys: Readonly<Record<string, string>>): string {
  return `[${name}]\n${Object.entries(keys).map(([key, value]) => `${key} = ${value}\n`).join("")}\n`;
}

/** Writes the configuration; gives its path. */
export async function rcloneConfig(folder: Pick<TempFolder, "write">, ...sections: readonly string[]): Promise<string> {
  const path = await folder.write("rclone.conf", sections.join(""));
  await Deno.chmod(path, 0o600);
  return path;
}

/** Starts a server, and waits until it listens on the port. */
export async function startServer(program: string, args: string[], env: Record<string, string>, port: number) {
  const child = new Deno.Command(program, { args, env, stdin: "null", stdout: "null", stderr: "null" }).spawn();
  for (let look = 0;; look++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      break;
    } catch (error) {
      if (look === 200) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  let ended = false;
  return {
    port,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      if (!ended) child.kill("SIGKILL");
      ended = true;
      await child.status;
    },
  };
}
