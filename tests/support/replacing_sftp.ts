/**
 * An SFTP server whose plain RENAME replaces, as those written in Go do (`os.Rename` in github.com/pkg/sftp): OpenSSH's own
 * server behind a pipe that makes every SSH_FXP_RENAME a `posix-rename@openssh.com`. A program for `ForceCommand`.
 */

/** Where systems keep OpenSSH's server; null where it is not. */
export function sftpServer(): string | null {
  return PLACES.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  }) ?? null;
}

const PLACES = [
  "/usr/lib/openssh/sftp-server",
  "/usr/lib/ssh/sftp-server",
  "/usr/libexec/openssh/sftp-server",
  "/usr/libexec/sftp-server",
];

/** The line of sshd_config that makes every session of a test one with this server. */
export function forceReplacing(): string {
  return `ForceCommand ${Deno.execPath()} run -A --no-config --no-lock ${new URL(import.meta.url).pathname}`;
}

const SSH_FXP_RENAME = 18;
const SSH_FXP_EXTENDED = 200;
const LONGEST = 1 << 20;

/** The request in its new words: the two paths stay as they are. */
function reworded(request: Uint8Array): Uint8Array {
  if (request[0] !== SSH_FXP_RENAME) return request;
  const name = new TextEncoder().encode("posix-rename@openssh.com");
  return Uint8Array.from([SSH_FXP_EXTENDED, ...request.slice(1, 5), 0, 0, 0, name.length, ...name, ...request.slice(5)]);
}

function joined(one: Uint8Array, other: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(one.length + other.length);
  both.set(one);
  both.set(other, one.length);
  return both;
}

async function serve(server: string): Promise<number> {
  const child = new Deno.Command(server, { stdin: "piped", stdout: "inherit", stderr: "inherit" }).spawn();
  const writer = child.stdin.getWriter();
  let held = new Uint8Array();
  for await (const piece of Deno.stdin.readable) {
    held = joined(held, piece);
    for (;;) {
      const length = held.length < 4 ? Infinity : new DataView(held.buffer, held.byteOffset).getUint32(0);
      // Not SFTP: somebody asks for a shell.
      if (length !== Infinity && length > LONGEST) Deno.exit(1);
      if (held.length < 4 + length) break;
      const request = reworded(held.subarray(4, 4 + length));
      const head = new Uint8Array(4);
      new DataView(head.buffer).setUint32(0, request.length);
      await writer.write(head);
      await writer.write(request);
      held = held.slice(4 + length);
    }
  }
  await writer.close();
  return (await child.status).code;
}

const server = sftpServer();
if (import.meta.main && server !== null) Deno.exit(await serve(server));
