/**
 * The SFTP connections that a session sends files through: one is enough on a short line. An ssh channel carries 2 MiB a round trip, so a
 * long line needs several, as far as the server allows.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { SftpConnection } from "./sftp_connection.ts";

/** Disposing of it ends those that it has opened. */
export interface SftpChannels extends AsyncDisposable {
  /** Opens what so many bytes need, the first at least; gives how many files may be open at once. @throws {Failure} */
  ready(bytes: number, signal: AbortSignal): Promise<number>;
  /** The one with the least to do, for so many bytes; after `ready`. */
  pick(bytes: number): SftpConnection;
  done(connection: SftpConnection, bytes: number): void;
}

/** One more for each so many milliseconds of a round trip: 2 MiB in 25 ms are more than a fast disk takes. */
const CHANNEL_MS = 25;
const MOST_CHANNELS = 4;
/** Fewer bytes are under way at once in a single one. */
const WORTH_BYTES = 4 * 1024 * 1024;

/** `first` is there already or null, `open` opens another; `more` is false where each would be a login of its own. */
export function sftpChannels(
  first: SftpConnection | null,
  open: (signal: AbortSignal) => Promise<SftpConnection>,
  more: boolean,
): SftpChannels {
  const busy = new Map<SftpConnection, number>(first ? [[first, 0]] : []);
  let most = more ? MOST_CHANNELS : 1;
  let opening: Promise<unknown> = Promise.resolve();

  async function add(signal: AbortSignal): Promise<void> {
    busy.set(await open(signal), 0);
  }

  async function fill(bytes: number, signal: AbortSignal): Promise<void> {
    for (const connection of busy.keys()) {
      if (connection.calls.lost === null) continue;
      // The one that is the connection of all others is never replaced.
      if (connection === first) throw connection.calls.lost;
      busy.delete(connection);
      await connection[Symbol.asyncDispose]();
    }
    if (busy.size === 0) await add(signal);
    const [{ roundTripMs }] = busy.keys().toArray() as [SftpConnection];
    const wanted = bytes < WORTH_BYTES ? 1 : Math.min(most, Math.ceil(roundTripMs / CHANNEL_MS));
    const missing = Array.from({ length: Math.max(0, wanted - busy.size) }, () => add(signal));
    const failed = (await Promise.allSettled(missing)).filter(({ status }) => status === "rejected");
    // The server takes no more sessions: what is open must do.
    if (failed.length > 0 && !signal.aborted) most = Math.max(1, busy.size);
  }

  return {
    async ready(bytes, signal) {
      const mine = opening.catch(() => undefined).then(() => fill(bytes, signal));
      opening = mine;
      await mine;
      return busy.keys().reduce((sum, { limits }) => sum + limits.openFiles, 0);
    },
    pick(bytes) {
      const [least] = busy.entries().toArray().filter(([{ calls }]) => calls.lost === null).sort(([, a], [, b]) => a - b);
      const connection = least?.[0] ?? busy.keys().next().value;
      if (!connection) throw new Failure("interrupted", "The SFTP connection was closed");
      busy.set(connection, (busy.get(connection) ?? 0) + bytes);
      return connection;
    },
    done(connection, bytes) {
      if (busy.has(connection)) busy.set(connection, busy.get(connection)! - bytes);
    },
    async [Symbol.asyncDispose]() {
      await opening.catch(() => undefined);
      await Promise.all(busy.keys().toArray().filter((each) => each !== first).map((each) => each[Symbol.asyncDispose]()));
    },
  };
}
