/**
 * Runs curl: one run is one connection, over which all its transfers go one after the other. The first that fails ends the run.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Child, System } from "../../system/system.ts";
import { contentReader } from "./content_reader.ts";
import { curlConfig, type FtpLogin, type RunOptions, type Transfer } from "./curl_config.ts";
import { dialogueReader, type Ended } from "./dialogue.ts";

/** Curl with one account. */
export interface Curl {
  /** What it is, for people: `curl 8.5.0`. */
  readonly version: string;
  /**
   * Sends commands and files; one {@linkcode Ended} for each transfer that was begun.
   * @throws {Failure} where curl itself cannot run.
   */
  talk(transfers: readonly Transfer[], signal: AbortSignal, told?: Told): Promise<Ended[]>;
  /**
   * Fetches files, or the names in folders: `onPiece` is given their content. One entry for each that was begun. The limit is over all of
   * them; null is none.
   * @throws {Failure} as {@linkcode talk}
   */
  fetch(
    transfers: readonly Transfer[],
    onPiece: (index: number, piece: Uint8Array) => void,
    bytesPerSecond: number | null,
    signal: AbortSignal,
  ): Promise<Ended[]>;
}

/** What is told while a run goes on. */
export interface Told {
  /** About how much of a file has been sent; asked for, curl prints it. */
  readonly onBytes?: (index: number, bytes: number) => void;
  readonly onEnd?: (index: number, ended: Ended) => void;
  /** Over all files of the run; null is no limit. */
  readonly bytesPerSecond?: number | null;
  /** Where relative names of files begin. */
  readonly cwd?: string;
}

/** The oldest curl that tells the exit code of each transfer. */
const OLDEST = [7, 75] as const;

/** Finds curl on this computer. @throws {Failure} `tool_missing` without one that fits. */
export async function findCurl(
  login: FtpLogin,
  timeoutMs: number,
  system: Pick<System, "which" | "run" | "spawn" | "platform">,
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
  return curlWith(program, `curl ${version}`, login, timeoutMs, system);
}

const INSTALL = "Install curl (Windows 10 and later have it: C:\\Windows\\System32\\curl.exe).";

/** The curl that was found, with the account that it uses. */
interface Found {
  readonly program: string;
  readonly login: FtpLogin;
  readonly connectSeconds: number;
  readonly system: Pick<System, "spawn">;
}

/** One run to its end; gives the program that has ended. `read` makes what takes its output. */
async function run(
  { program, login, connectSeconds, system }: Found,
  transfers: readonly Transfer[],
  options: Pick<RunOptions, "dialogue" | "progress" | "bytesPerSecond"> & { readonly cwd?: string | undefined },
  read: (mark: string) => (piece: Uint8Array) => void,
  signal: AbortSignal,
): Promise<Child> {
  const mark = `image-transfer-${crypto.randomUUID()}`;
  const config = curlConfig(login, transfers, { ...options, mark, connectSeconds });
  const { cwd } = options;
  const command = { program, args: ["-q", "--config", "-"], env: { LC_ALL: "C" }, ...(cwd === undefined ? {} : { cwd }) };
  await using child = await system.spawn(command, signal);
  await Promise.all([feed(child, config), drain(child, read(mark))]);
  await child.finished;
  signal.throwIfAborted();
  return child;
}

function curlWith(
  program: string,
  version: string,
  login: FtpLogin,
  timeoutMs: number,
  system: Pick<System, "spawn">,
): Curl {
  const connectSeconds = Math.min(20, Math.max(2, Math.ceil(timeoutMs / 1000)));
  const found: Found = { program, login, connectSeconds, system };
  return {
    version,
    async talk(transfers, signal, told = {}) {
      if (transfers.length === 0) return [];
      const ends: Ended[] = [];
      const child = await run(
        found,
        transfers,
        { dialogue: true, progress: told.onBytes !== undefined, bytesPerSecond: told.bytesPerSecond ?? null, cwd: told.cwd },
        (mark) =>
          dialogueReader(mark, (ended) => {
            ends.push(ended);
            told.onEnd?.(ends.length - 1, ended);
          }, (bytes) => told.onBytes?.(ends.length, bytes)).read,
        signal,
      );
      return ends.length > 0 ? ends : await broken(child);
    },
    async fetch(transfers, onPiece, bytesPerSecond, signal) {
      if (transfers.length === 0) return [];
      const ends: Ended[] = [];
      const child = await run(
        found,
        transfers,
        { dialogue: false, progress: false, bytesPerSecond },
        (mark) =>
          contentReader(
            mark,
            (piece) => onPiece(ends.length, piece),
            (exit, error) => ends.push({ exit, error, exchanges: [] }),
          ).read,
        signal,
      );
      if (ends.length === 0) return await broken(child);
      const last = ends.at(-1)!;
      return last.exit === 0 ? ends : [...ends.slice(0, -1), { ...last, exchanges: lastWords(child.stderr()) }];
    },
  };
}

/** Curl may end before it has read all of it: what it says then matters, not that. */
async function feed(child: Child, config: string): Promise<void> {
  try {
    await child.write(config);
    await child.closeStdin();
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe || error instanceof TypeError)) throw error;
  }
}

async function drain(child: Child, take: (piece: Uint8Array) => void): Promise<void> {
  for await (const piece of child.stdout) take(piece);
}

/** The dialogue of a run whose output was needed for files, as far as it was kept. */
function lastWords(stderr: string): Ended["exchanges"] {
  const ends: Ended[] = [];
  dialogueReader("\0", (ended) => ends.push(ended), () => undefined).read(new TextEncoder().encode(`${stderr}\n\0 0 \n`));
  return ends[0]?.exchanges ?? [];
}

async function broken(child: Child): Promise<never> {
  const { code, signal } = await child.finished;
  const said = printable(child.stderr().trim().split("\n").at(-1) ?? "").slice(0, 300);
  throw new Failure(
    "interrupted",
    `curl ended with ${signal ?? `code ${code}`} before it did anything${said ? ` (${said})` : ""}`,
    {
      hint: "It is retried automatically. If it goes on, update curl.",
    },
  );
}
