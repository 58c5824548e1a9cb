/**
 * What carries contents over a long line. OpenSSH lets 2 MiB of a channel be under way, so over a round trip of 200 ms a channel carries
 * 10 MB/s, however fast the line is: several channels of one connection carry several times as much. Where a connection carries less
 * than its channels could, its TCP window may be the limit: one more connection is tried, and kept if more arrives.
 *
 * More channels and connections are never needed: where they are refused, those that are open must do, and for an hour no more logins
 * are tried for that account.
 */
import { perOwner } from "../../async/mutex.ts";
import type { Login, SshDestination } from "../../config/settings.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { isLimited } from "../bandwidth.ts";
import type { MethodContext } from "../method.ts";
import type { Sharing } from "./ssh.ts";

export interface Channel {
  readonly sharing: Sharing;
  begin(): void;
  carried(bytes: number): void;
  end(): void;
  /** False once its connection turned out to be of no use. */
  isOfUse(): boolean;
  /** The server did not give it: no more are asked for than there are. */
  refused(): void;
  leave(): void;
}

export interface Further extends AsyncDisposable {
  /** The socket of its master. */
  readonly path: string;
  readonly isLost: () => boolean;
}

export interface LongLineParts {
  readonly destination: SshDestination;
  readonly context: Pick<MethodContext, "system" | "log" | "logIn">;
  /** Of the session's connection; null where each channel is a connection of its own. */
  readonly sharing: Sharing;
  /** The shortest so far; Infinity while it is not known. */
  readonly roundTripMs: () => number;
  readonly isLost: () => boolean;
  /** Logs in once more, for further channels; used only where the connection is shared. */
  readonly connectAgain: (signal: AbortSignal) => Promise<Further>;
}

/** Under way in a channel at once (CHAN_SES_WINDOW_DEFAULT of OpenSSH). */
const CHANNEL_BYTES = 2 * 1024 * 1024;
/** One more for each so many milliseconds of a round trip: 2 MiB in 25 ms are more than a fast disk takes. */
const CHANNEL_MS = 25;
/** Of one connection: servers allow ten sessions (MaxSessions), and three may be shells of ours. */
export const MOST_CHANNELS = 6;
const MOST_CONNECTIONS = 4;
/** A nearer host is never logged in to once more: a slow one on the same network takes as long to answer. */
const FAR_MS = 50;
/** A rate is measured while the same channels are busy for so many round trips, as opening takes some, and at least so long. */
const MEASURED_ROUND_TRIPS = 10;
const MEASURED_MS = 1000;
/** A connection that carries less than this part of what its channels could is not limited by them. */
const LIMITED = 0.6;
/** Bytes per second: at more, the processors may be the limit. */
const FAST = 50_000_000;
/** So many times as much must be carried for a further connection to be kept. */
const GAIN = 1.25;
/** How long an account is not logged in to once more after that was of no use, milliseconds. */
const NOT_AGAIN_MS = 3_600_000;

/** Those accounts, with the time of the monotonic clock from which it may be tried. */
const notBefore = perOwner(() => new Map<string, number>());

/** How many channels so many bytes are worth; 1 on a short line, and while the round trip is not known (Infinity). */
export function channelsWorth(roundTripMs: number, bytes: number, connections = 1): number {
  if (roundTripMs === Infinity) return 1;
  const useful = connections * Math.min(MOST_CHANNELS, Math.ceil(roundTripMs / CHANNEL_MS));
  return Math.max(1, Math.min(useful, Math.ceil(bytes / CHANNEL_BYTES)));
}

export function sessionLine(
  connection: Omit<LongLineParts, "context" | "roundTripMs"> & { readonly roundTripMs: number },
  context: LongLineParts["context"],
): LongLine {
  const { destination, sharing, isLost, connectAgain } = connection;
  return new LongLine({ destination, context, sharing, isLost, connectAgain, roundTripMs: () => connection.roundTripMs });
}

interface Connection {
  readonly sharing: Sharing;
  readonly further: Further | null;
  channels: number;
  /** What the server allows, as far as is known. */
  most: number;
}

/** The channels of a session. Opens nothing yet. */
export class LongLine implements AsyncDisposable {
  readonly #connections: Connection[];
  readonly #busy = new Map<Channel, Connection>();
  readonly #life = new AbortController();
  /** Since the last change of what is busy. */
  #measured: { since: number; bytes: number } = { since: 0, bytes: 0 };
  #trial: { readonly connection: Connection; readonly before: number } | null = null;
  #opening: Promise<void> | null = null;

  constructor(readonly parts: LongLineParts) {
    const most = parts.sharing === null ? 1 : MOST_CHANNELS;
    this.#connections = [{ sharing: parts.sharing, further: null, channels: 0, most }];
  }

  /** How many channels so many bytes are worth. */
  worth(bytes: number): number {
    const room = this.#connections.reduce((sum, { most }) => sum + most, 0);
    return Math.min(room, channelsWorth(this.parts.roundTripMs(), bytes, this.#connections.length));
  }

  /** One that may log in by itself where the connection takes no more. */
  first(): Channel {
    const [connection] = this.#connections;
    return this.#channel(connection!, connection!.sharing);
  }

  /** One more, of the connection that has the fewest; null where none takes one more. */
  another(): Channel | null {
    for (const each of [...this.#connections]) if (each.further?.isLost()) this.#giveUp(each, "it was lost");
    const free = this.#connections.filter(({ channels, most }) => channels < most);
    if (free.length === 0) return null;
    const connection = free.reduce((least, each) => each.channels < least.channels ? each : least);
    return this.#channel(connection, connection.sharing && { ...connection.sharing, role: "channel" });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#life.abort();
    await this.#opening;
    if (!this.parts.isLost() && this.#connections.some(({ further }) => further?.isLost())) this.#notAgain("it was lost");
    await Promise.all(this.#connections.splice(0).map(({ further }) => further?.[Symbol.asyncDispose]()));
  }

  #channel(connection: Connection, sharing: Sharing): Channel {
    connection.channels++;
    const channel: Channel = {
      sharing,
      begin: () => this.#change(() => this.#busy.set(channel, connection)),
      carried: (bytes) => this.#carried(bytes),
      end: () => this.#change(() => this.#busy.delete(channel)),
      isOfUse: () => connection.most > 0,
      refused: () => {
        connection.most = Math.max(connection.further === null ? 1 : 0, connection.channels - 1);
      },
      leave: () => {
        if (this.#busy.has(channel)) channel.end();
        connection.channels--;
        this.#endIfUseless(connection);
      },
    };
    return channel;
  }

  #change(change: () => void): void {
    change();
    this.#measured = { since: this.parts.context.system.monotonic(), bytes: 0 };
  }

  #carried(bytes: number): void {
    this.#measured.bytes += bytes;
    const { since, bytes: sum } = this.#measured;
    const roundTripMs = this.parts.roundTripMs();
    const ms = this.parts.context.system.monotonic() - since;
    if (roundTripMs < FAR_MS) return;
    if (ms < MEASURED_MS || ms < MEASURED_ROUND_TRIPS * roundTripMs) return;
    this.#change(() => this.#judge(sum / ms * 1000, this.#busy.size * CHANNEL_BYTES / roundTripMs * 1000));
  }

  /** What was carried, and what the channels that were busy could carry, bytes per second. */
  #judge(rate: number, possible: number): void {
    if (this.#trial !== null) {
      const { connection, before } = this.#trial;
      if (![...this.#busy.values()].includes(connection)) return;
      this.#trial = null;
      if (rate < GAIN * before) return this.#giveUp(connection, "no more arrives with it");
    }
    if (rate > FAST || rate > LIMITED * possible || !this.#mayOpen()) return;
    const { logIn } = this.parts.context;
    const leave = logIn ? logIn() : () => undefined;
    // Another one logs in to that host just now, or it is in trouble.
    if (leave === null) return;
    this.#opening = this.#open(rate).finally(() => {
      this.#opening = null;
      leave();
    });
  }

  #mayOpen(): boolean {
    const { sharing, destination, context: { system } } = this.parts;
    if (sharing === null || isLimited(destination)) return false;
    if (this.#opening !== null || this.#connections.length >= MOST_CONNECTIONS) return false;
    // A server that refuses channels is sparing with logins, too.
    if (this.#connections.some(({ most }) => most < MOST_CHANNELS)) return false;
    return system.monotonic() >= (notBefore(system).get(accountOf(destination.transport)) ?? -Infinity);
  }

  async #open(before: number): Promise<void> {
    const { context: { log }, connectAgain } = this.parts;
    try {
      const further = await connectAgain(this.#life.signal);
      const sharing: Sharing = { role: "channel", path: further.path };
      const connection: Connection = { sharing, further, channels: 0, most: MOST_CHANNELS };
      this.#connections.push(connection);
      this.#trial = { connection, before };
      log("debug", `Opened connection ${this.#connections.length}: one carried ${Math.round(before / 1000)} kB/s`);
    } catch (error) {
      if (!this.#life.signal.aborted) this.#notAgain(reasonOf(error));
    }
  }

  #giveUp(connection: Connection, reason: string): void {
    connection.most = 0;
    this.#notAgain(reason);
    this.#endIfUseless(connection);
  }

  #notAgain(reason: string): void {
    const { destination, context: { system, log } } = this.parts;
    notBefore(system).set(accountOf(destination.transport), system.monotonic() + NOT_AGAIN_MS);
    log("debug", `No further connection for an hour: ${reason}`);
  }

  #endIfUseless(connection: Connection): void {
    if (connection.further === null || connection.most > 0 || connection.channels > 0) return;
    const at = this.#connections.indexOf(connection);
    if (at < 0) return;
    this.#connections.splice(at, 1);
    const failed = (error: unknown) => this.parts.context.log("debug", `Cannot end a further connection: ${reasonOf(error)}`);
    connection.further[Symbol.asyncDispose]().then(undefined, failed);
  }
}

function accountOf({ host, user, port }: Login): string {
  return JSON.stringify([host, user, port]);
}
