/**
 * The SFTP connections that a session sends files through: one on a short line, several on a long one, as far as the server allows.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { channelsWorth } from "../ssh/long_line.ts";
import type { SftpConnection } from "./sftp_connection.ts";

/** Disposing of it ends those that it has opened. */
export interface SftpChannels extends AsyncDisposable {
  /** Opens what so many bytes need, the first at least; gives how many files may be open at once. @throws {Failure} */
  ready(bytes: number, signal: AbortSignal): Promise<number>;
  /** The one with the least to do, for so many bytes; after `ready`. */
  pick(bytes: number): SftpConnection;
  done(connection: SftpConnection, bytes: number): void;
  /** How many much data is worth, as far as is known. */
  streams(): number;
}

type Open = (signal: AbortSignal) => Promise<SftpConnection>;

/** `first` is there already, or opens the first; `more` opens another, or is null where each would be a login of its own. */
export function sftpChannels(first: SftpConnection | Open, more: Open | null): SftpChannels {
  const kept = typeof first === "function" ? null : first;
  const busy = new Map<SftpConnection, number>(kept ? [[kept, 0]] : []);
  let most = more === null ? 1 : Infinity;
  let roundTripMs = Infinity;
  let opening: Promise<unknown> = Promise.resolve();
  const life = new AbortController();

  const worth = (bytes: number) => Math.min(most, channelsWorth(roundTripMs, bytes));

  async function add(open: Open, signal: AbortSignal): Promise<void> {
    const connection = await open(signal);
    busy.set(connection, 0);
  }

  async function fill(bytes: number, signal: AbortSignal): Promise<void> {
    for (const connection of busy.keys()) {
      if (connection.calls.lost === null) continue;
      // The one that is the connection of all others is never replaced.
      if (connection === kept) throw connection.calls.lost;
      busy.delete(connection);
      await connection[Symbol.asyncDispose]();
    }
    if (busy.size === 0 && typeof first === "function") await add(first, signal);
    roundTripMs = busy.keys().reduce((least, each) => Math.min(least, each.roundTripMs), roundTripMs);
    if (more === null) return;
    const missing = Array.from({ length: Math.max(0, worth(bytes) - busy.size) }, () => add(more, signal));
    const failed = (await Promise.allSettled(missing)).filter(({ status }) => status === "rejected");
    // The server takes no more sessions: what is open must do.
    if (failed.length > 0 && !signal.aborted) most = Math.max(1, busy.size);
  }

  return {
    async ready(bytes, signal) {
      const mine = opening.catch(() => undefined).then(() => fill(bytes, signal));
      // The next batch may be a large one.
      opening = mine.then(() => fill(Infinity, life.signal));
      opening.catch(() => undefined); // A lost connection shows in the next call.
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
    streams: () => worth(Infinity),
    async [Symbol.asyncDispose]() {
      life.abort();
      await opening.catch(() => undefined);
      await Promise.all(busy.keys().toArray().filter((each) => each !== kept).map((each) => each[Symbol.asyncDispose]()));
    },
  };
}
