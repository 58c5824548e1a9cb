/** An SFTP connection: one channel of the shared connection, or a connection of its own where none is shared. */
import { onAbort } from "../../async/abort.ts";
import type { System } from "../../system/system.ts";
import { sftpArgs, type Sharing, type SshSettings } from "../ssh/ssh.ts";
import { type SftpCalls, sftpCalls, type SftpLimits } from "./sftp_calls.ts";
import { openSftpClient } from "./sftp_client.ts";

/** An open one. Disposing of it ends its program. */
export interface SftpConnection extends AsyncDisposable {
  readonly calls: SftpCalls;
  readonly limits: SftpLimits;
  /** The shortest so far. */
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
  // Where a server has no limits to tell, it is not even asked: the round trip shall be known.
  const [limits] = await Promise.all([calls.limits(), calls.home()]);
  const rest = stack.move();
  return {
    calls,
    limits,
    get roundTripMs() {
      return client.roundTripMs;
    },
    sending: byteWindow(WINDOW_BYTES),
    reading: byteWindow(WINDOW_BYTES),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

/** Room for some bytes. */
interface ByteWindow {
  /** Waits for room. @throws the signal's reason */
  take(bytes: number, signal: AbortSignal): Promise<void>;
  release(bytes: number): void;
}

/** Room for so many bytes. */
export function byteWindow(most: number): ByteWindow {
  const waiting: { readonly bytes: number; readonly enter: () => void }[] = [];
  let taken = 0;

  function letIn(): void {
    for (let next = waiting[0]; next && (taken === 0 || taken + next.bytes <= most); next = waiting[0]) {
      waiting.shift();
      taken += next.bytes;
      next.enter();
    }
  }

  return {
    async take(bytes, signal) {
      signal.throwIfAborted();
      if (waiting.length === 0 && (taken === 0 || taken + bytes <= most)) {
        taken += bytes;
        return;
      }
      const room = Promise.withResolvers<void>();
      const mine = { bytes, enter: room.resolve };
      waiting.push(mine);
      using _giveUp = onAbort(signal, () => {
        if (!waiting.includes(mine)) return;
        waiting.splice(waiting.indexOf(mine), 1);
        letIn();
        room.reject(signal.reason);
      });
      letIn();
      await room.promise;
    },
    release(bytes) {
      taken -= bytes;
      letIn();
    },
  };
}
