/**
 * One `ssh -s … sftp` that stays open, with many requests under way: each has a number, and its answer is told by that. So a round trip
 * is paid once for many files, not once or more for each.
 */
import { untilAborted } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Child, Command, System } from "../../system/system.ts";
import { connectSeconds } from "../ssh/ssh.ts";
import { hostNamed, type Reached, sshFailure } from "../ssh/ssh_failures.ts";
import {
  type Answer,
  decodeAnswer,
  decodeVersion,
  encodeRequest,
  type Field,
  PacketSplitter,
  ProtocolError,
  REQUEST,
  SFTP_VERSION,
} from "./sftp_protocol.ts";

/** A connection to an SFTP server. Once lost it stays lost. */
export interface SftpClient extends AsyncDisposable {
  /** For messages. */
  readonly destination: Reached;
  /** What the server can do besides version 3. */
  readonly extensions: ReadonlySet<string>;
  /** Why it can no longer be used; null while it can. */
  readonly lost: Failure | null;
  /** Resolves when ssh has taken what was asked so far. */
  readonly written: Promise<void>;
  /** The shortest time from a question to its answer so far, milliseconds. */
  readonly roundTripMs: number;
  /**
   * Sends a request and gives its answer; requests are sent in the order of the calls. `data` is the last field of a WRITE; it is
   * copied at once.
   *
   * @throws {Failure} when the connection ends, nothing is answered any more, or what is answered is no SFTP.
   */
  request(type: number, fields: readonly Field[], data?: Uint8Array): Promise<Answer>;
  /** The server's answer makes no sense: ends the connection. */
  misbehaved(what: string): Failure;
}

/** What a login shell may print in front of the server's first packet is shown up to here. */
const SHOWN = 100;
/** Starts the program and waits for the server's version. @throws {Failure} */
export async function openSftpClient(
  command: Command,
  destination: Reached,
  system: Pick<System, "spawn" | "sleep" | "monotonic">,
  signal: AbortSignal,
): Promise<SftpClient> {
  const life = new AbortController();
  await using stack = new AsyncDisposableStack();
  const client = stack.use(new Client(await system.spawn(command, life.signal), destination, system));
  const patienceMs = connectSeconds(destination) * 2000;
  const greeted = await within(untilAborted(client.greet(), signal), patienceMs, system, null);
  if (greeted === null) throw client.silent(patienceMs);
  stack.move();
  return client;
}

interface Waiting {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (failure: Failure) => void;
}

class Client implements SftpClient {
  lost: Failure | null = null;
  roundTripMs = Infinity;
  extensions: ReadonlySet<string> = new Set();
  readonly #life = new AbortController();
  readonly #greeting = Promise.withResolvers<true>();
  #greeted = false;
  readonly #waiting = new Map<number, Waiting>();
  #lastId = 0;
  readonly #outgoing = new Outgoing();
  #writing = false;
  written: Promise<void> = Promise.resolve();
  #heardAt = 0;
  /** When something was asked while nothing else was; null once it is answered. */
  #askedAt: number | null = null;
  #watching = false;
  readonly #reading: Promise<void>;

  constructor(
    readonly child: Child,
    readonly destination: Reached,
    readonly system: Pick<System, "sleep" | "monotonic">,
  ) {
    this.#greeting.promise.catch(() => undefined); // Heard by `greet`, if anybody calls it.
    this.#reading = this.#read();
  }

  greet(): Promise<true> {
    this.#send(encodeRequest(REQUEST.INIT, null, [SFTP_VERSION]));
    return this.#greeting.promise;
  }

  request(type: number, fields: readonly Field[], data?: Uint8Array): Promise<Answer> {
    if (this.lost) return Promise.reject(this.lost);
    const id = this.#lastId = (this.#lastId + 1) % 2 ** 32;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    if (this.#waiting.size === 0) this.#askedAt = this.#heardAt = this.system.monotonic();
    this.#waiting.set(id, { resolve, reject });
    this.#send(encodeRequest(type, id, fields, data), data);
    void this.#watch();
    return promise;
  }

  misbehaved(what: string): Failure {
    const failure = new Failure("interrupted", `Unexpected response from the SFTP server of ${this.destination.name}: ${what}`, {
      hint: "It is retried automatically. If it persists, check the SFTP server there.",
    });
    this.#lose(failure);
    void this.child.end();
    return failure;
  }

  silent(patienceMs: number): Failure {
    const seconds = Math.round(patienceMs / 1000);
    return failure(CAUSES.no_answer, `No response from ${hostNamed(this.destination)} for ${seconds} seconds`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lose(new Failure("stopped", `The connection to ${this.destination.name} was closed`));
    await this.child.end();
    await this.#reading;
  }

  #send(...pieces: readonly (Uint8Array | undefined)[]): void {
    for (const piece of pieces) if (piece) this.#outgoing.add(piece);
    if (!this.#writing) this.written = this.#write();
  }

  /** Writes what waits, and what comes to wait meanwhile. */
  async #write(): Promise<void> {
    this.#writing = true;
    // Requests that are made together are written together.
    await Promise.resolve();
    for (let next = this.#outgoing.take(); next !== null && this.lost === null; next = this.#outgoing.take()) {
      try {
        await this.child.write(next);
        this.#outgoing.giveBack(next);
      } catch {
        // The program has ended: that says why.
        await this.#end();
      }
    }
    this.#writing = false;
  }

  async #read(): Promise<void> {
    const splitter = new PacketSplitter();
    const first: Uint8Array[] = [];
    try {
      for await (const piece of this.child.stdout) {
        if (this.lost) continue;
        this.#heardAt = this.system.monotonic();
        if (!this.#greeted) first.push(piece);
        for (const packet of splitter.push(piece)) this.#take(packet);
        if (this.#greeted) first.length = 0;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      if (this.#greeted) this.misbehaved(error.message);
      else this.#noisy(first);
    } finally {
      await this.#end();
    }
  }

  #take(packet: Uint8Array): void {
    if (!this.#greeted) {
      const { version, extensions } = decodeVersion(packet);
      if (version < SFTP_VERSION) return this.#outdated(version);
      this.extensions = extensions;
      this.#greeted = true;
      return this.#greeting.resolve(true);
    }
    const { id, answer } = decodeAnswer(packet);
    const waiting = this.#waiting.get(id);
    if (!waiting) throw new ProtocolError("it answers what was not asked");
    this.#waiting.delete(id);
    if (this.#askedAt !== null) this.roundTripMs = Math.min(this.roundTripMs, this.#heardAt - this.#askedAt);
    this.#askedAt = null;
    waiting.resolve(answer);
  }

  #outdated(version: number): void {
    const message = `Cannot use SFTP with ${this.destination.name}: its server speaks version ${version} only`;
    this.#lose(new Failure("tool_missing", message, { hint: "Update the SSH server there, or use another transfer_method." }));
    void this.child.end();
  }

  /** The login shell there printed something: the server's answers come behind it. */
  #noisy(first: readonly Uint8Array[]): void {
    const text = first.map((piece) => new TextDecoder().decode(piece)).join("").slice(0, SHOWN);
    const stderr = `Received message too long: "${printable(text.trim())}"`;
    this.#lose(sshFailure("ssh", { code: 1, stderr }, this.destination));
    void this.child.end();
  }

  /** Ends a connection whose requests stay without any answer. */
  async #watch(): Promise<void> {
    if (this.#watching) return;
    this.#watching = true;
    // A busy disk may need long to flush.
    const patienceMs = Math.max(60_000, this.destination.timeoutMs);
    while (this.#waiting.size > 0 && this.lost === null) {
      const leftMs = this.#heardAt + patienceMs - this.system.monotonic();
      if (leftMs > 0) {
        await this.system.sleep(leftMs, this.#life.signal);
        continue;
      }
      this.#lose(this.silent(patienceMs));
      void this.child.end();
    }
    this.#watching = false;
  }

  async #end(): Promise<void> {
    const { code } = await this.child.finished;
    this.#lose(sshFailure("ssh", { code, stderr: this.child.stderr() }, this.destination));
  }

  #lose(failure: Failure): void {
    if (this.lost) return;
    this.lost = failure;
    this.#outgoing.clear();
    this.#life.abort();
    this.#greeting.reject(failure);
    for (const { reject } of this.#waiting.values()) reject(failure);
    this.#waiting.clear();
  }
}

/** Written at a time. */
const WRITE_BYTES = 256 * 1024;
/** Buffers that are kept while nothing is sent: some more than a window of bytes that are under way. */
const MOST_SPARE = 16;

/** What is to be written, in order. */
export class Outgoing {
  #full: Uint8Array[] = [];
  #filling: Uint8Array | null = null;
  #filled = 0;
  readonly #spare: Uint8Array[] = [];

  /** Copies the bytes. */
  add(bytes: Uint8Array): void {
    for (let from = 0; from < bytes.length;) {
      this.#filling ??= this.#spare.pop() ?? new Uint8Array(WRITE_BYTES);
      const part = bytes.subarray(from, from + WRITE_BYTES - this.#filled);
      this.#filling.set(part, this.#filled);
      this.#filled += part.length;
      from += part.length;
      if (this.#filled === WRITE_BYTES) this.#turn();
    }
  }

  /** What is next, or null; it is valid until it is given back. */
  take(): Uint8Array | null {
    if (this.#full.length === 0 && this.#filled > 0) this.#turn();
    return this.#full.shift() ?? null;
  }

  giveBack(taken: Uint8Array): void {
    if (this.#spare.length < MOST_SPARE) this.#spare.push(new Uint8Array(taken.buffer as ArrayBuffer));
  }

  clear(): void {
    this.#full = [];
    this.#filled = 0;
  }

  #turn(): void {
    this.#full.push(this.#filling!.subarray(0, this.#filled));
    this.#filling = null;
    this.#filled = 0;
  }
}
