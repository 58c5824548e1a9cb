/**
 * The SFTP connections that a session sends files through: one on a short line, several on a long one, as far as the server allows.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { Channel, LongLine } from "../ssh/long_line.ts";
import type { SftpConnection } from "./sftp_connection.ts";

/** Disposing of it ends those that it has opened. */
export interface SftpChannels extends AsyncDisposable {
  /** Opens what so many bytes need, the first at least; gives how many files may be open at once. @throws {Failure} */
  ready(bytes: number, signal: AbortSignal): Promise<number>;
  /** The one with the least to do, for so many bytes; after `ready`. */
  pick(bytes: number): SftpConnection;
  /** So many bytes have arrived. */
  carried(connection: SftpConnection, bytes: number): void;
  done(connection: SftpConnection, bytes: number): void;
  /** How many much data is worth, as far as is known. */
  streams(): number;
}

/** An open one. */
interface Open {
  readonly channel: Channel;
  /** To be sent. */
  bytes: number;
}

/** `kept` is there already, and the connection of all others; or null. `open` opens another. */
export function sftpChannels(
  line: LongLine,
  kept: SftpConnection | null,
  open: (channel: Channel, signal: AbortSignal) => Promise<SftpConnection>,
): SftpChannels {
  const all = new Map<SftpConnection, Open>(kept ? [[kept, { channel: line.first(), bytes: 0 }]] : []);
  let opening: Promise<unknown> = Promise.resolve();
  const life = new AbortController();

  /** False where it is not given. */
  async function add(channel: Channel, signal: AbortSignal): Promise<boolean> {
    try {
      all.set(await open(channel, signal), { channel, bytes: 0 });
      return true;
    } catch (error) {
      const isNeeded = all.size === 0 || signal.aborted;
      if (!isNeeded) channel.refused();
      channel.leave();
      if (isNeeded) throw error;
      return false;
    }
  }

  async function drop(connection: SftpConnection): Promise<void> {
    all.get(connection)?.channel.leave();
    all.delete(connection);
    await connection[Symbol.asyncDispose]();
  }

  async function fill(bytes: number, signal: AbortSignal): Promise<void> {
    for (const [connection, { channel, bytes }] of all) {
      const { lost } = connection.calls;
      if (lost !== null && connection === kept) throw lost;
      if (lost !== null || (bytes === 0 && !channel.isOfUse())) await drop(connection);
    }
    if (all.size === 0) await add(line.first(), signal);
    const missing = Array.from({ length: Math.max(0, line.worth(bytes) - all.size) }, () => line.another());
    await Promise.all(missing.filter((channel) => channel !== null).map((channel) => add(channel, signal)));
  }

  return {
    async ready(bytes, signal) {
      const mine = opening.catch(() => undefined).then(() => fill(bytes, signal));
      // The next batch may be a large one.
      opening = mine.then(() => fill(Infinity, life.signal));
      opening.catch(() => undefined); // A lost connection shows in the next call.
      await mine;
      return all.keys().reduce((sum, { limits }) => sum + limits.openFiles, 0);
    },
    pick(bytes) {
      const [least] = all.entries().toArray().filter(([{ calls }]) => calls.lost === null)
        .sort(([, a], [, b]) => a.bytes - b.bytes);
      const connection = least?.[0] ?? all.keys().next().value;
      const its = connection && all.get(connection);
      if (!its) throw new Failure("interrupted", "The SFTP connection was closed");
      if (its.bytes === 0) its.channel.begin();
      its.bytes += bytes;
      return connection;
    },
    carried: (connection, bytes) => all.get(connection)?.channel.carried(bytes),
    done(connection, bytes) {
      const its = all.get(connection);
      if (!its) return;
      its.bytes -= bytes;
      if (its.bytes === 0) its.channel.end();
    },
    streams: () => line.worth(Infinity),
    async [Symbol.asyncDispose]() {
      life.abort();
      await opening.catch(() => undefined);
      await Promise.all(all.keys().toArray().filter((each) => each !== kept).map(drop));
    },
  };
}
