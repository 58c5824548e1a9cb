/**
 * The SFTP connections that a session sends files through: one on a short line, several on a long one, as far as the server allows.
 */
import { Failure } from "../../domain/failure.ts";
import type { Channel, LongLine } from "../ssh/long_line.ts";
import type { SftpConnection } from "./sftp_connection.ts";

/**
 * `kept` is there already, and the connection of all others; or null. `open` opens another. Disposing of it ends those that it has opened.
 */
export class SftpChannels implements AsyncDisposable {
  /** The open ones, each with what is still to be sent through it. */
  readonly #open: Map<SftpConnection, { readonly channel: Channel; bytes: number }>;
  readonly #life = new AbortController();
  #opening: Promise<unknown> = Promise.resolve();

  constructor(
    readonly line: LongLine,
    readonly kept: SftpConnection | null,
    readonly open: (channel: Channel, signal: AbortSignal) => Promise<SftpConnection>,
  ) {
    this.#open = new Map(kept ? [[kept, { channel: line.first(), bytes: 0 }]] : []);
  }

  /** Opens what so many bytes need, the first at least; gives how many files may be open at once. @throws {Failure} */
  async ready(bytes: number, signal: AbortSignal): Promise<number> {
    const mine = this.#opening.catch(() => undefined).then(() => this.#fill(bytes, signal));
    // The next batch may be a large one.
    this.#opening = mine.then(() => this.#fill(Infinity, this.#life.signal));
    this.#opening.catch(() => undefined); // A lost connection shows in the next call.
    await mine;
    return this.#open.keys().reduce((sum, { limits }) => sum + limits.openFiles, 0);
  }

  /** The one with the least to do, for so many bytes; after `ready`. */
  pick(bytes: number): SftpConnection {
    const all = this.#open.entries().toArray();
    const alive = all.filter(([{ calls }]) => calls.lost === null);
    const [least = all[0]] = alive.sort(([, a], [, b]) => a.bytes - b.bytes);
    if (!least) throw new Failure("interrupted", "The SFTP connection was closed");
    const [connection, its] = least;
    if (its.bytes === 0 && bytes > 0) its.channel.begin();
    its.bytes += bytes;
    return connection;
  }

  /** So many bytes have arrived. */
  carried(connection: SftpConnection, bytes: number): void {
    this.#open.get(connection)?.channel.carried(bytes);
  }

  done(connection: SftpConnection, bytes: number): void {
    const its = this.#open.get(connection);
    if (!its) return;
    its.bytes -= bytes;
    if (its.bytes === 0 && bytes > 0) its.channel.end();
  }

  /** How many much data is worth, as far as is known. */
  streams(): number {
    return this.line.worth(Infinity);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort();
    await this.#opening.catch(() => undefined);
    await Promise.all(this.#open.keys().toArray().filter((each) => each !== this.kept).map((each) => this.#drop(each)));
  }

  async #fill(bytes: number, signal: AbortSignal): Promise<void> {
    for (const [connection, { channel, bytes }] of this.#open) {
      const { lost } = connection.calls;
      if (lost !== null && connection === this.kept) throw lost;
      if (lost !== null || (bytes === 0 && !channel.isOfUse())) await this.#drop(connection);
    }
    if (this.#open.size === 0) await this.#add(this.line.first(), signal);
    const missing = Array.from({ length: Math.max(0, this.line.worth(bytes) - this.#open.size) }, () => this.line.another());
    await Promise.all(missing.filter((channel) => channel !== null).map((channel) => this.#add(channel, signal)));
  }

  /** One that is not given is not needed, unless it is the first. */
  async #add(channel: Channel, signal: AbortSignal): Promise<void> {
    try {
      this.#open.set(await this.open(channel, signal), { channel, bytes: 0 });
    } catch (error) {
      const isNeeded = this.#open.size === 0 || signal.aborted;
      if (!isNeeded) channel.refused();
      channel.leave();
      if (isNeeded) throw error;
    }
  }

  async #drop(connection: SftpConnection): Promise<void> {
    this.#open.get(connection)?.channel.leave();
    this.#open.delete(connection);
    await connection[Symbol.asyncDispose]();
  }
}
