/**
 * One `sh` at the far end of an `ssh` that stays open: scripts go in one after the other, each answer comes back between
 * two lines that hold a random marker, so what start-up files print is never taken for an answer. A script that is no
 * longer waited for runs to its end all the same; the shell counts as busy until then.
 */
import { CAUSES, failure } from "../../domain/causes.ts";
import { Failure } from "../../domain/failure.ts";
import type { Child, Command, System } from "../../system/system.ts";
import { hostNamed, type Reached, sshFailure } from "../ssh/ssh_failures.ts";
import { untilAborted } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";

export interface Answer {
  readonly status: number;
  readonly output: string;
}

/**
 * Runs a script in the base path and gives its output; `what` reads `Cannot <what>: …`.
 *
 * @throws {Failure} when the base path is not there, the script fails, or the connection is lost.
 */
export type RunInBase = (what: string, script: string, signal: AbortSignal) => Promise<string>;

/** Exit status of a script whose own work failed; what it printed says why. */
export const FAILED = 92;

/** Starts the program (an `ssh` that runs `exec sh`); nothing has been asked of it yet. */
export async function openShell(
  command: Command,
  destination: Reached,
  system: Pick<System, "spawn" | "sleep" | "monotonic" | "randomHex">,
): Promise<RemoteShell> {
  const child = await system.spawn(command, new AbortController().signal);
  return new RemoteShell(child, system.randomHex(16), destination, system);
}

/** Set at the start of every shell: messages in English, bytes as they are, tools where NAS systems hide them. */
const PRELUDE =
  `LC_ALL=C; export LC_ALL; PATH="$PATH:/usr/local/bin:/opt/bin:/opt/homebrew/bin"; export PATH; unset CDPATH IFS; set +e +u\n`;

const LONGEST = 64 * 1024 * 1024;

interface Request {
  readonly begin: string;
  readonly end: string;
  readonly settle: (answer: Answer) => void;
  readonly reject: (failure: Failure) => void;
}

/** Once lost it stays lost: a new one must be opened. Disposing of it ends the `ssh`, and a script that runs with it. */
export class RemoteShell implements AsyncDisposable {
  /** Why this shell can no longer be used; null while it can. */
  lost: Failure | null = null;
  /** What start-up files printed before the first answer. */
  startupOutput = "";
  /** The shortest time from a question to the beginning of its answer so far, milliseconds; Infinity before the second script. */
  roundTripMs = Infinity;
  onIdle: (() => void) | null = null;
  #request: Request | null = null;
  #begun = false;
  #answered = false;
  #count = 0;
  #askedAt = 0;
  #text = "";
  /** How much of the text is known not to hold the end. */
  #scanned = 0;
  readonly #reading: Promise<void>;

  constructor(
    readonly child: Child,
    readonly marker: string,
    readonly destination: Reached,
    readonly system: Pick<System, "sleep" | "monotonic">,
  ) {
    this.#reading = this.#read();
  }

  get busy(): boolean {
    return this.#request !== null;
  }

  /**
   * Runs a script of our own making, in a subshell without input. Never two at a time.
   *
   * @throws {Failure} when the connection ends, or nothing was answered for `timeoutMs`. The signal's reason when aborted.
   */
  async run(script: string, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    if (this.lost) throw this.lost;
    if (this.#request) throw new Error("A remote shell runs one script at a time");
    const name = `${this.marker} ${++this.#count}`;
    const answer = new Promise<Answer>((settle, reject) => {
      this.#request = { begin: `\n${name} begin\n`, end: `\n${name} end `, settle, reject };
    });
    // It may fail while the text is still being written, with nobody waiting yet.
    answer.catch(() => undefined);
    const text = `printf '\\n%s begin\\n' '${name}'\n(\n${script}\n) </dev/null\nprintf '\\n%s end %s\\n' '${name}' "$?"\n`;
    this.#askedAt = this.system.monotonic();
    this.child.write(this.#count === 1 ? PRELUDE + text : text).catch(() => this.#end());

    const answered = await within(untilAborted(answer, signal), timeoutMs, this.system, null);
    if (answered === null) {
      const seconds = Math.round(timeoutMs / 1000);
      this.#lose(failure(CAUSES.no_answer, `No response from ${hostNamed(this.destination)} for ${seconds} seconds`));
    }
    return answered ?? await answer;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#lose(new Failure("stopped", `The connection to ${this.destination.name} was closed`));
    await this.child.end();
    await this.#reading;
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    try {
      for await (const piece of this.child.stdout) {
        this.#text += decoder.decode(piece, { stream: true });
        this.#take();
      }
    } finally {
      await this.#end();
    }
  }

  #take(): void {
    const request = this.#request;
    if (request && !this.#begun) {
      const at = this.#text.indexOf(request.begin, this.#scanned);
      if (at >= 0) {
        if (!this.#answered) this.startupOutput = this.#text.slice(0, at).trim();
        // Before the first answer comes the login.
        else this.roundTripMs = Math.min(this.roundTripMs, this.system.monotonic() - this.#askedAt);
        this.#begun = true;
        this.#answered = true;
        // The line end in front of the last line belongs to the text, so that an empty answer is found too.
        this.#text = this.#text.slice(at + request.begin.length - 1);
        this.#scanned = 0;
      }
    }
    if (request && this.#begun) {
      const at = this.#text.indexOf(request.end, this.#scanned);
      const lineEnd = at < 0 ? -1 : this.#text.indexOf("\n", at + request.end.length);
      if (lineEnd >= 0) {
        const status = Number(this.#text.slice(at + request.end.length, lineEnd));
        const output = this.#text.slice(1, Math.max(1, at));
        this.#text = this.#text.slice(lineEnd);
        this.#scanned = 0;
        this.#begun = false;
        this.#request = null;
        request.settle({ status, output });
        this.onIdle?.();
        return;
      }
      this.#scanned = at >= 0 ? at : Math.max(0, this.#text.length - request.end.length);
    } else {
      // Noise: only its end may be the beginning of a marker, or of use to explain why there is no shell.
      this.#text = this.#text.slice(-4096);
    }
    if (this.#text.length > LONGEST) {
      this.#lose(new Failure("interrupted", `The shell of ${this.destination.name} sent too much output`));
      this.#text = "";
      void this.child.end();
    }
  }

  /** The far end is gone: says why, once. */
  async #end(): Promise<void> {
    const { code } = await this.child.finished;
    if (this.lost) return;
    const finished = { code, stderr: this.child.stderr(), stdout: this.#answered ? "" : this.#text };
    const failure = sshFailure("ssh", finished, this.destination);
    const noShell = !this.#answered && code !== 255 && failure.code === "interrupted";
    this.#lose(noShell ? sshFailure("ssh", { ...finished, code: 127 }, this.destination) : failure);
  }

  #lose(failure: Failure): void {
    if (this.lost) return;
    this.lost = failure;
    this.#request?.reject(failure);
    this.#request = null;
    this.onIdle?.();
  }
}
