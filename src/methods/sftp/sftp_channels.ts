/**
 * The sftp channels of one session: opened as needed, through a shared connection where there is one, each for one batch of commands at a time.
 *
 * @module
 */
import type { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import type { System } from "../../system/system.ts";
import type { Reply, RunOptions, SftpChannel } from "./sftp_channel.ts";
import { openSftpChannel } from "./sftp_channel.ts";
import { hostOf, type Sharing, sshOptions, type SshSettings } from "../ssh/ssh.ts";
import { type Bell, bell } from "../../async/bell.ts";

/** At most two more than `parallel_transfers`, fewer where the server takes fewer. */
export interface SftpChannels extends AsyncDisposable {
  /** Runs commands on a free channel. @throws {Failure} */
  run(commands: readonly string[], signal: AbortSignal, options?: Partial<RunOptions>): Promise<Reply[]>;
}

/**
 * Channels to a destination. `first` is how the first one connects (as master, say), `sharing` the others.
 * Nothing is started before the first `run`.
 */
export function createSftpChannels(
  sftp: string,
  settings: SshSettings,
  first: Sharing,
  sharing: Sharing,
  system: Pick<System, "spawn" | "sleep" | "monotonic">,
): SftpChannels {
  const { destination } = settings;
  return new Channels(
    (opened) => {
      const { bandwidthLimit } = destination;
      // sftp counts in 1024 bits a second.
      const limit = bandwidthLimit === null ? [] : ["-l", String(Math.max(1, Math.floor(bandwidthLimit * 8 / 1024)))];
      const args = [...sshOptions(settings, opened === 0 ? first : sharing), ...limit, "-b", "-", "--", hostOf(destination)];
      return openSftpChannel({ program: sftp, args }, destination, system);
    },
    first?.role === "master",
    destination,
    system,
  );
}

class Channels implements SftpChannels {
  readonly #channels: SftpChannel[] = [];
  /** Rung for all who wait: the first to look finds the free one, the others wait again. */
  readonly #freed: Bell;
  #most: number;
  #opened = 0;
  #opening = 0;
  #over: Failure | null = null;
  #closed = false;

  constructor(
    readonly open: (opened: number) => Promise<SftpChannel>,
    /** The first is the connection of the others: when it is lost, all are. */
    readonly firstConnects: boolean,
    readonly destination: SshDestination,
    system: Pick<System, "sleep">,
  ) {
    this.#freed = bell(system);
    this.#most = destination.parallelTransfers + 2;
  }

  async run(commands: readonly string[], signal: AbortSignal, options: Partial<RunOptions> = {}): Promise<Reply[]> {
    if (commands.length === 0) return [];
    const all = { idleTimeoutMs: Math.max(60_000, this.destination.timeoutMs), ...options };
    for (;;) {
      const channel = await this.#take(signal);
      try {
        return await channel.run(commands, all, signal);
      } catch (error) {
        // The server takes no more sessions: what is open must do.
        if (channel.answered || signal.aborted || this.#channels.length < 2) throw error;
        this.#most = Math.max(1, this.#channels.length - 1);
      } finally {
        this.#reserved.delete(channel);
        if (channel.lost) await this.#drop(channel, channel.lost);
        this.#freed.ring();
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#channels.toReversed().map((channel) => channel[Symbol.asyncDispose]()));
  }

  readonly #reserved = new Set<SftpChannel>();

  async #take(signal: AbortSignal): Promise<SftpChannel> {
    for (;;) {
      signal.throwIfAborted();
      if (this.#over) throw this.#over;
      // The last first, so that the connection of the others is the least often stopped in the middle.
      const free = this.#channels.findLast((channel) => !this.#reserved.has(channel) && channel.lost === null);
      if (free) {
        this.#reserved.add(free);
        return free;
      }
      if (this.#channels.length + this.#opening < this.#most) return await this.#add();
      await this.#freed.wait(Infinity, signal);
    }
  }

  async #add(): Promise<SftpChannel> {
    this.#opening++;
    try {
      const channel = await this.open(this.#opened++);
      if (this.#closed) await channel[Symbol.asyncDispose]();
      this.#channels.push(channel);
      this.#reserved.add(channel);
      return channel;
    } finally {
      this.#opening--;
    }
  }

  async #drop(channel: SftpChannel, failure: Failure): Promise<void> {
    const index = this.#channels.indexOf(channel);
    if (index === 0 && this.firstConnects) this.#over = failure;
    if (index >= 0) this.#channels.splice(index, 1);
    await channel[Symbol.asyncDispose]();
  }
}
