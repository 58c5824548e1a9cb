/**
 * The method that works with every SSH server: SFTP over an `ssh` that is kept open, with many requests under way. Where the server
 * gives a shell, that hashes, flushes and names; where it does not, SFTP does all of it, and files are proven by fetching them back.
 */
import { perOwner } from "../../async/mutex.ts";
import { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import type { Method, MethodContext, Session } from "../method.ts";
import { openSftpBase } from "./sftp_base.ts";
import { SftpChannels } from "./sftp_channels.ts";
import { openSftp } from "./sftp_connection.ts";
import { sftpFiles } from "./sftp_files.ts";
import { sftpParts, sftpWriting } from "./sftp_parts.ts";
import { sftpPut, type SftpSending } from "./sftp_put.ts";
import { shellFiles } from "../shell/shell_files.ts";
import { shellParts } from "../shell/shell_parts.ts";
import { aboutTools, durabilityOf, probeShell, type ShellTools } from "../shell/shell_tools.ts";
import { type Sharing, sshSettings, toolPath } from "../ssh/ssh.ts";
import { connectSsh, controlSocket, type SshConnection } from "../ssh/ssh_connection.ts";
import { LongLine, sessionLine } from "../ssh/long_line.ts";

/** Its `proof` is `checksum` where the server gives a shell that hashes, else `read_back`. */
export const sftp: Method<"sftp"> = { name: "sftp", connect };

/**
 * How long a login that gives no usable shell is not asked for one again, milliseconds. Asking leaves a line in the server's
 * log, and some servers ban who does so often; but a shell or a hash program may come, and proves much faster.
 */
const ASK_AGAIN_MS = 3_600_000;

/** Those logins, with the time of the monotonic clock from which they are asked again. */
const askAgainAt = perOwner(() => new Map<string, number>());

async function connect(destination: SshDestination, context: MethodContext, signal: AbortSignal): Promise<Session> {
  await using stack = new AsyncDisposableStack();
  const { files, channels, flushes, ...stated } = await withShell(destination, context, stack, signal) ??
    await withoutShell(destination, context, stack, signal);
  const rest = stack.move();
  return {
    ...stated,
    ...files,
    method: "sftp",
    sendsStagedAgain: flushes,
    hashesSource: true,
    // A part is trusted: only a hash of the whole finds out that it was wrong.
    resumes: destination.verify === "checksum",
    streams: () => channels.streams(),
    put: sftpPut({ channels, files, flushes, destination, context }),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** What depends on whether there is a shell. */
interface Parts
  extends Pick<Session, "proof" | "durability" | "about" | "parts">, Pick<SftpSending, "files" | "channels" | "flushes"> {}

/** Null where no shell there can do what is needed. */
async function withShell(
  destination: SshDestination,
  context: MethodContext,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Parts | null> {
  const { system } = context;
  const { host, user, port } = destination.transport;
  const login = `${user ?? ""}@${host}:${port ?? ""}`;
  if (system.monotonic() < (askAgainAt(system).get(login) ?? -Infinity)) return null;
  let connection: SshConnection;
  let tools: ShellTools;
  await using trial = new AsyncDisposableStack();
  try {
    connection = trial.use(await connectSsh(destination, context, signal));
    tools = await probeShell(connection, signal);
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== "tool_missing") throw error;
    askAgainAt(system).set(login, system.monotonic() + ASK_AGAIN_MS);
    return null;
  }
  stack.use(trial.move());
  const { ssh, settings } = connection;
  const line = stack.use(sessionLine(connection, context));
  const channels = stack.use(
    new SftpChannels(line, null, ({ sharing }, signal) => openSftp(ssh, settings, sharing, system, signal)),
  );
  const files = shellFiles(connection, tools, context);
  return {
    channels,
    files,
    parts: shellParts(files, tools, { destination, system }, sftpWriting(channels, files)),
    flushes: false,
    proof: "checksum",
    durability: durabilityOf(tools),
    about: `sftp; ${aboutTools(tools)}`,
  };
}

async function withoutShell(
  destination: SshDestination,
  context: MethodContext,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<Parts> {
  const settings = sshSettings(destination, context.system);
  const ssh = await toolPath("ssh", context.system);
  const open = (sharing: Sharing, signal: AbortSignal) => openSftp(ssh, settings, sharing, context.system, signal);
  const logIn = async (stack: AsyncDisposableStack, signal: AbortSignal) => {
    const { path } = stack.use(await controlSocket(settings, ssh, context, signal));
    return { path, connection: stack.use(await open(path === null ? null : { role: "master", path }, signal)) };
  };
  const { path, connection } = await logIn(stack, signal);
  const line = stack.use(
    new LongLine({
      destination,
      context,
      sharing: path === null ? null : { role: "client", path },
      roundTripMs: () => connection.roundTripMs,
      isLost: () => connection.calls.lost !== null,
      async connectAgain(signal) {
        await using stack = new AsyncDisposableStack();
        const { path, connection } = await logIn(stack, signal);
        if (path === null) throw new Failure("configuration", "no connection can be shared");
        const rest = stack.move();
        return { path, isLost: () => connection.calls.lost !== null, [Symbol.asyncDispose]: () => rest.disposeAsync() };
      },
    }),
  );
  const channels = stack.use(new SftpChannels(line, connection, ({ sharing }, signal) => open(sharing, signal)));
  const base = await openSftpBase(connection.calls, channels, destination, context);
  const files = sftpFiles(base);
  return {
    channels,
    files,
    parts: sftpParts(base, files),
    flushes: true,
    proof: "read_back",
    durability: "unconfirmed",
    about: `sftp without a shell; files are read back to verify them, and ${
      connection.calls.flushes ? "flushed" : "not flushed, as the server has no fsync@openssh.com"
    }; renames are flushed as far as its file system does so with the small file after each batch`,
  };
}
