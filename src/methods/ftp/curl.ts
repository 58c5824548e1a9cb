/**
 * Runs curl: one run is one connection, over which all its transfers go one after the other. The first that fails ends the run.
 */
import { Buffer } from "node:buffer";
import { anySignal } from "../../async/abort.ts";
import { bell } from "../../async/bell.ts";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { System } from "../../system/system.ts";
import { commandsOf, curlConfig, type FtpLogin, type Transfer } from "./curl_config.ts";
import { dialogueReader, type Ended } from "./dialogue.ts";
import { refusesMore } from "./ftp_failures.ts";

/** Curl with one account. */
export interface Curl {
  /** What it is, for people: `curl 8.5.0`. */
  readonly version: string;
  /**
   * Sends commands, sends files, fetches files and the names in folders; one {@linkcode Ended} for each transfer that was begun.
   * @throws {Failure} where curl itself cannot run.
   */
  talk(transfers: readonly Transfer[], signal: AbortSignal, told?: Told): Promise<Ended[]>;
}

/** What is told while a run goes on; `index` is that of the transfer. */
interface Told {
  /** The content of what is fetched. */
  readonly onPiece?: (index: number, piece: Uint8Array) => void;
  /** About how much of a file has been sent; asked for, curl prints it. */
  readonly onBytes?: (index: number, bytes: number) => void;
  /** `exit` is curl's exit code for it. */
  readonly onEnd?: (index: number, exit: number) => void;
  /** Limits for what is sent and for what is fetched, over all files of the run; null is none. */
  readonly bytesPerSecond?: number | null;
  readonly fetchedPerSecond?: number | null;
  /** Where relative names of files begin. */
  readonly cwd?: string;
}

/** The oldest curl that tells the exit code of each transfer. */
const OLDEST = [7, 75] as const;

/** Finds curl on this computer. @throws {Failure} `tool_missing` without one that fits. */
export async function findCurl(
  login: FtpLogin,
  timeoutMs: number,
  system: Pick<System, "which" | "run" | "spawn" | "platform" | "randomHex">,
  signal: AbortSignal,
): Promise<Curl> {
  const program = await system.which("curl");
  if (program === null) {
    throw new Failure("tool_missing", 'Cannot find the program "curl" on this computer', { hint: INSTALL });
  }
  const { stdout } = await system.run({ program, args: ["-q", "--version"] }, signal);
  const [, version = "", major = "", minor = ""] = /^curl ((\d+)\.(\d+)\S*)/.exec(stdout) ?? [];
  const protocols = /^Protocols: (.*)$/m.exec(stdout)?.[1]?.trim().split(" ") ?? [];
  const wanted = login.tls === null ? "ftp" : "ftps";
  if (!protocols.includes(wanted)) {
    throw new Failure("tool_missing", `The curl on this computer (${program}) was built without ${wanted}`, { hint: INSTALL });
  }
  if (Number(major) < OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) < OLDEST[1])) {
    throw new Failure(
      "tool_missing",
      `The curl on this computer is too old: ${version}, at least ${OLDEST.join(".")} is needed`,
      {
        hint: INSTALL,
      },
    );
  }
  const connectSeconds = Math.min(20, Math.max(2, Math.ceil(timeoutMs / 1000)));
  return {
    version: `curl ${version}`,
    async talk(transfers, signal, told = {}) {
      if (transfers.length === 0) return [];
      const { onPiece, onBytes, onEnd, bytesPerSecond = null, fetchedPerSecond = null, cwd } = told;
      const mark = `image-transfer-${system.randomHex(16)}`;
      const progress = onBytes !== undefined;
      const config = curlConfig(login, transfers, { mark, progress, bytesPerSecond, fetchedPerSecond, connectSeconds });
      const command = { program, args: ["-q", "--config", "-"], env: { LC_ALL: "C" }, ...(cwd === undefined ? {} : { cwd }) };
      const ends: Ended[] = [];
      using over = anySignal(signal);
      const commands = transfers.reduce((sum, transfer) => sum + commandsOf(transfer).length + OWN_COMMANDS, 0);
      const most = Math.min(MOST_SAID, FIRST_WORDS + commands * MOST_REPLY);
      const onExcess = () => over.abort(tooMuch("an endless reply", login));
      const dialogue = dialogueReader(onBytes && ((bytes) => onBytes(ends.length, bytes)), most, onExcess);
      const read = contentReader(mark, (piece) => onPiece?.(ends.length, piece), (exit, error) => {
        ends.push({ exit, error, exchanges: [] });
        onEnd?.(ends.length - 1, exit);
      });
      await using child = await system.spawn(command, over.signal, dialogue.read);
      const reading = (async () => {
        for await (const piece of child.stdout) read(piece);
      })();
      // Curl may end before it has read all of its configuration: what it says then matters, not that.
      const writing = child.write(config).then(() => child.closeStdin()).catch((error) => {
        if (!(error instanceof Deno.errors.BrokenPipe || error instanceof TypeError)) throw error;
      });
      await Promise.all([writing, reading]);
      const { code, signal: endedBy } = await child.finished;
      over.signal.throwIfAborted();
      const last = ends.pop();
      if (last === undefined) {
        const said = printable(child.stderr().trim().split("\n").at(-1) ?? "").slice(0, 300);
        const what = `curl ended with ${endedBy ?? `code ${code}`} before it did anything${said ? ` (${said})` : ""}`;
        throw new Failure("interrupted", what, { hint: "It is retried automatically. If it keeps happening, update curl." });
      }
      // Only the last can have failed; what was said before its first command belongs to others.
      const [first] = commandsOf(transfers[ends.length]!);
      return [...ends, { ...last, exchanges: ends.length === 0 ? dialogue.exchanges() : dialogue.exchanges(first) }];
    },
  };
}

const INSTALL = "Install curl (Windows 10 and later have it: C:\\Windows\\System32\\curl.exe).";

/** What curl tells of a login, and of a reply to one command; and of all of a run, at most. */
const FIRST_WORDS = 1024 * 1024;
const MOST_REPLY = 8 * 1024;
const MOST_SAID = 64 * 1024 * 1024;
/** `EPSV`, `RETR`… */
const OWN_COMMANDS = 6;

/** A server sends more than what it was asked for can be. */
export function tooMuch(what: string, { host }: Pick<FtpLogin, "host">): Failure {
  return new Failure("interrupted", `Lost ${printable(host)}: the server sent too much (${what})`, {
    hint: "It is retried automatically. If it persists, check the FTP server there.",
  });
}

/** Longer than any message of curl. */
const MOST_LINE_BYTES = 4096;

/** Reads the output of one run: `onPiece` is given the content of the present file, `onEnd` the exit code that ends it. */
export function contentReader(
  mark: string,
  onPiece: (piece: Uint8Array) => void,
  onEnd: (exit: number, error: string) => void,
): (piece: Uint8Array) => void {
  const pattern = `\n${mark} `;
  let held: Uint8Array = new Uint8Array();
  return (piece) => {
    const data = held.length === 0 ? piece : Buffer.concat([held, piece]);
    // One character for each byte: a text is searched many times faster than bytes are.
    const text = Buffer.from(data.buffer, data.byteOffset, data.length).toString("latin1");
    let begin = 0;
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, begin)) {
      if (at > begin) onPiece(data.subarray(begin, at));
      const end = text.indexOf("\n", at + pattern.length);
      if (end < 0) {
        if (data.length - at > MOST_LINE_BYTES) throw new TypeError("curl's line about a file does not end");
        held = data.slice(at);
        return;
      }
      const line = new TextDecoder().decode(data.subarray(at + pattern.length, end));
      const [, exit, error = ""] = /^(\d+) ?(.*)$/.exec(line) ?? [];
      onEnd(Number(exit), error);
      begin = end + 1;
    }
    // The mark may be cut in two.
    const tail = Math.max(begin, text.lastIndexOf("\n"));
    const sure = pattern.startsWith(text.slice(tail)) ? tail : data.length;
    if (sure > begin) onPiece(data.subarray(begin, sure));
    held = data.slice(sure);
  };
}

export interface Connections {
  /** Where the server takes no more connections, its runs wait until another one of ours has ended. */
  readonly curl: Curl;
  /** Takes as many as are free, at least one; they are free again when it is disposed of. */
  take(wanted: number): Disposable & { readonly count: number };
}

/** A server may take so long to notice that a connection has ended. */
const NOTICE_MS = 2_000;
const RETRY_MS = 200;

/** At most `most` are taken, and fewer once the server has refused one. */
export function connections(curl: Curl, most: number, clock: Pick<System, "sleep" | "monotonic">): Connections {
  let limit = most;
  let taken = 0;
  const running = new Set<object>();
  let lastEnd = -Infinity;
  const ended = bell(clock);

  async function run(...call: Parameters<Curl["talk"]>): ReturnType<Curl["talk"]> {
    const mine = {};
    running.add(mine);
    try {
      return await curl.talk(...call);
    } finally {
      running.delete(mine);
      ended.ring();
    }
  }

  async function talk(...call: Parameters<Curl["talk"]>): ReturnType<Curl["talk"]> {
    const [, signal] = call;
    for (let isFirst = true;; isFirst = false) {
      const others = [...running];
      const ends = await run(...call);
      if (!refusesMore(ends[0]!)) {
        lastEnd = clock.monotonic();
        return ends;
      }
      // One that began later may itself be refused: it is waited for only once.
      const holdsOne = isFirst ? running.size > 0 : others.some((other) => running.has(other));
      // Otherwise it is not ours that it has too many of.
      if (!holdsOne && clock.monotonic() - lastEnd > NOTICE_MS) return ends;
      limit = Math.min(limit, Math.max(1, others.length));
      if (running.size > 0) await ended.wait(NOTICE_MS, signal);
      await clock.sleep(RETRY_MS, signal);
    }
  }

  return {
    curl: { version: curl.version, talk },
    take(wanted) {
      const count = Math.max(1, Math.min(wanted, limit - taken));
      taken += count;
      return { count, [Symbol.dispose]: () => void (taken -= count) };
    },
  };
}
