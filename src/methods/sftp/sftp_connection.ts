/**
 * An SFTP connection: one channel of the shared connection, or a connection of its own where none is shared.
 *
 * @module
 */
import type { System } from "../../system/system.ts";
import { sftpArgs, type Sharing, type SshSettings } from "../ssh/ssh.ts";
import { type ByteWindow, byteWindow } from "./byte_window.ts";
import { type SftpCalls, sftpCalls, type SftpLimits } from "./sftp_calls.ts";
import { openSftpClient } from "./sftp_client.ts";

/** An open one. Disposing of it ends its program. */
export interface SftpConnection extends AsyncDisposable {
  readonly calls: SftpCalls;
  readonly limits: SftpLimits;
  /** How long the server took for a short answer. */
  readonly roundTripMs: number;
  /** For the contents of all files that are sent or read at once. */
  readonly sending: ByteWindow;
  readonly reading: ByteWindow;
}

/** An ssh channel carries 2 MiB a round trip; a little more waits in front of it, so that it never runs dry. */
const WINDOW_BYTES = 3 * 1024 * 1024;

/** Opens one. @throws {Failure} */
export async function openSftp(
  ssh: string,
  settings: SshSettings,
  sharing: Sharing,
  system: Pick<System, "spawn" | "sleep" | "monotonic">,
  signal: AbortSignal,
): Promise<SftpConnection> {
  await using stack = new AsyncDisposableStack();
  const command = { program: ssh, args: sftpArgs(settings, sharing) };
  const client = stack.use(await openSftpClient(command, settings.destination, system, signal));
  const calls = sftpCalls(client);
  const began = system.monotonic();
  const roundTrip = calls.home().then(() => system.monotonic() - began);
  const [limits, roundTripMs] = await Promise.all([calls.limits(), roundTrip]);
  const rest = stack.move();
  return {
    calls,
    limits,
    roundTripMs,
    sending: byteWindow(WINDOW_BYTES),
    reading: byteWindow(WINDOW_BYTES),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}
