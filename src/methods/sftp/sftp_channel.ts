/**
 * One `sftp -b -` that stays open: commands go in, and each answer is told from the next by a fence, a command that fails
 * on purpose and shows a random marker on both outputs. So every error text belongs to its command.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { Child, Command, System } from "../../system/system.ts";
import { hostNamed, type Reached, sshFailure } from "../ssh/ssh_failures.ts";
import { untilAborted } from "../../async/abort.ts";
import { type Bell, bell } from "../../async/bell.ts";

/** What sftp printed for one command; `errors` is empty where it worked. */
export interface Reply {
  readonly output: string;
  readonly errors: string;
}

/** How long commands may take, and who hears how far they are. */
export interface RunOptions {
  /** Longest time without any answer, milliseconds. */
  readonly idleTimeoutMs: number;
  /** Asked when that time is over: whether something moves all the same. */
  readonly moving?: () => boolean | Promise<boolean>;
  /** Called for the commands that are done so far. */
  readonly onReplies?: (done: number) => void;
}

/** One at a time may call `run`; once lost it stays lost. */
export interface SftpChannel extends AsyncDisposable {
  readonly busy: boolean;
  /** Why it can no longer be used; null while it can. */
  readonly lost: Failure | null;
  /** True once it has answered. */
  readonly answered: boolean;
  /**
   * Runs commands made by `sftpCommand`, one after the other. Aborted, the channel is closed, for what it does cannot be stopped.
   *
   * @throws {Failure} when the connection ends or nothing moves any more.
   */
  run(commands: readonly string[], options: RunOptions, signal: AbortSignal): Promise<Reply[]>;
}

/** Most commands under way: their errors, of 1,024 bytes at most, must fit into what is kept of the error output. */
const CHUNK_COMMANDS = 40;
const CHUNK_LENGTH = 8000;
/** The error output may come a little after the standard output. */
const ERRORS_TIMEOUT_MS = 2000;

/** What ssh itself prints, about other channels for example: no answer to any command. */
const SSH_MESSAGES = /^(channel \d+: |mux_|Warning: |debug\d: |Shared connection |\*\* ).*\n?/gm;

/** Starts the program; nothing has been asked of it yet. */
export async function openSftpChannel(
  command: Command,
  destination: Reached,
  system: Pick<System, "spawn" | "sleep" | "monotonic">,
): Promise<SftpChannel> {
  const life = new AbortController();
  return new Channel(await system.spawn(command, life.signal), destination, system);
}

class Channel implements SftpChannel {
  lost: Failure | null = null;
  answered = false;
  busy = false;
  readonly #marker = crypto.randomUUID();
  readonly #reading: Promise<void>;
  #fences = 0;
  #text = "";
  readonly #changed: Bell;

  constructor(
    readonly child: Child,
    readonly destination: Reached,
    readonly system: Pick<System, "sleep" | "monotonic">,
  ) {
    this.#changed = bell(system);
    this.#reading = this.#read();
  }

  async run(commands: readonly string[], options: RunOptions, signal: AbortSignal): Promise<Reply[]> {
    if (this.busy) throw new Error("An sftp channel runs one batch at a time");
    this.busy = true;
    const replies: Reply[] = [];
    try {
      for (const chunk of chunks(commands)) {
        signal.throwIfAborted();
        replies.push(...await this.#runChunk(chunk, options, signal));
        options.onReplies?.(replies.length);
      }
      return replies;
    } finally {
      this.busy = false;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lose(new Failure("stopped", `The connection to ${this.destination.name} was closed`));
    await this.child.end();
    await this.#reading;
  }

  async #runChunk(commands: readonly string[], options: RunOptions, signal: AbortSignal): Promise<Reply[]> {
    if (this.lost) throw this.lost;
    const first = this.#fences;
    this.#fences += commands.length + 1;
    const lines = [this.#fence(first), ...commands.flatMap((command, index) => [command, this.#fence(first + index + 1)])];
    this.child.write(lines.map((line) => `${line}\n`).join("")).catch(() => this.#end());
    try {
      await untilAborted(this.#until(() => this.#at(this.#text, this.#fences - 1) >= 0, options, signal), signal);
    } catch (error) {
      this.#lose(
        error instanceof Failure ? error : new Failure("stopped", `The connection to ${this.destination.name} was closed`),
      );
      await this.child.end();
      throw error;
    }
    this.answered = true;
    const errors = await this.#errors(this.#fences - 1);
    // Only their end is kept: a command whose error was cut off would look like one that worked.
    if (this.#at(errors, first) < 0) {
      this.#lose(new Failure("interrupted", `Lost contact with sftp for ${this.destination.name}: it printed too many errors`));
      throw this.lost;
    }
    const replies = commands.map((_, index) => ({
      // The first line is the echo of the command.
      output: this.#between(this.#text, first + index).replace(/^[^\n]*\n?/, ""),
      errors: this.#between(errors, first + index).replace(SSH_MESSAGES, "").trim(),
    }));
    this.#text = this.#text.slice(this.#at(this.#text, this.#fences - 1));
    return replies;
  }

  #fence(number: number): string {
    return `-lcd "/${this.#marker}-${number}"`;
  }

  /** Where the line of a fence begins; -1 before it has come whole. */
  #at(text: string, number: number): number {
    const at = text.indexOf(`/${this.#marker}-${number}"`);
    return at < 0 || text.indexOf("\n", at) < 0 ? -1 : text.lastIndexOf("\n", at) + 1;
  }

  /** The lines between a fence and the next. */
  #between(text: string, number: number): string {
    const from = this.#at(text, number);
    const to = this.#at(text, number + 1);
    return from < 0 || to < 0 ? "" : text.slice(text.indexOf("\n", from) + 1, to).replaceAll("\r\n", "\n");
  }

  /** The error output, once it holds this fence. */
  async #errors(number: number): Promise<string> {
    const began = this.system.monotonic();
    for (let pause = 0;; pause = 2) {
      const errors = this.child.stderr();
      if (this.#at(errors, number) >= 0) return errors;
      if (this.lost) throw this.lost;
      if (this.system.monotonic() - began > ERRORS_TIMEOUT_MS) {
        throw new Failure("interrupted", `Unexpected response from sftp for ${this.destination.name}`);
      }
      await this.system.sleep(pause);
    }
  }

  async #until(reached: () => boolean, { idleTimeoutMs, moving }: RunOptions, signal: AbortSignal): Promise<void> {
    while (!reached()) {
      if (this.lost) throw this.lost;
      signal.throwIfAborted();
      if (await this.#changed.wait(idleTimeoutMs, signal) || await moving?.()) continue;
      throw new Failure(
        "timeout",
        `No response from ${hostNamed(this.destination)} for ${Math.round(idleTimeoutMs / 1000)} seconds`,
        {
          hint: "It is retried automatically. If it persists, check the load and the disks of that computer.",
        },
      );
    }
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const piece of this.child.stdout) {
        this.#text += decoder.decode(piece, { stream: true });
        this.#changed.ring();
      }
    } finally {
      await this.#end();
    }
  }

  async #end(): Promise<void> {
    const { code } = await this.child.finished;
    // What it says to a fence is no reason.
    const said = this.child.stderr().split("\n").filter((line) => !line.includes(this.#marker)).join("\n");
    this.#lose(sshFailure("sftp", { code, stderr: said }, this.destination));
  }

  #lose(failure: Failure): void {
    this.lost ??= failure;
    this.#changed.ring();
  }
}

/** Few enough at a time that all their errors are kept. */
function chunks(commands: readonly string[]): string[][] {
  const result: string[][] = [];
  let length = Infinity;
  for (const command of commands) {
    if (length + command.length > CHUNK_LENGTH || (result.at(-1)?.length ?? 0) >= CHUNK_COMMANDS) {
      result.push([]);
      length = 0;
    }
    result.at(-1)?.push(command);
    length += command.length;
  }
  return result;
}
