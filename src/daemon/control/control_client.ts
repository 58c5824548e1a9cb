/**
 * The commands' end of the control channel: finds the running daemon by `control.json` and asks it. It is not
 * misled by the file of a daemon that was killed, and distinguishes a daemon that hangs from one that is not running.
 */
import { join } from "@std/path";
import { deadline } from "../../async/deadline.ts";
import { Failure, type FailureCode } from "../../domain/failure.ts";
import { unusableLock } from "../../system/files/lock.ts";
import { faultOf } from "../../system/fault.ts";
import type { System } from "../../system/system.ts";
import { type ControlFile, controlPath, parseControlFile, PID_HEADER, type SentFailure } from "./control_server.ts";
import type { AnswerOf, AskOf, CommandActions, CommandQuestions } from "../../reports/actions.ts";

/** A running daemon. Every call throws a `Failure`: `timeout`, `unreachable` (it has ended), or what the daemon says. */
export interface DaemonClient {
  readonly pid: number;
  readonly version: string;
  /** Where its page is; null without one. */
  readonly url: string | null;
  ask<Name extends keyof CommandQuestions>(name: Name): Promise<Awaited<ReturnType<CommandQuestions[Name]>>>;
  ask<Name extends keyof CommandActions>(name: Name, body: AskOf<CommandActions[Name]>): Promise<AnswerOf<CommandActions[Name]>>;
  /** Asks for a clean stop; `false` when it does not end within `waitMs`. */
  stop(waitMs: number): Promise<boolean>;
}

interface ControlClientOptions {
  readonly stateDirectory: string;
  readonly system: Pick<System, "readText" | "facts" | "lock" | "askLocal" | "sleep" | "monotonic">;
  /** Time limit for an answer, milliseconds; six times as long for requests that change something. */
  readonly timeoutMs?: number;
}

/** How long to wait for a daemon that has the lock but does not listen: it is starting or stopping. Milliseconds. */
const SETTLE_MS = 3_000;

/**
 * The daemon that runs with this state directory; null when none does.
 *
 * @throws {Failure} `permission_denied` when its `control.json` belongs to another account, `timeout` when it hangs,
 * `unreachable` when a process uses the state directory but does not respond.
 */
export async function findDaemon(
  { stateDirectory, system, timeoutMs = 10_000 }: ControlClientOptions,
  signal: AbortSignal,
): Promise<DaemonClient | null> {
  const start = system.monotonic();
  for (;;) {
    const file = await readControlFile();
    // Nobody is listening, or another program has the port: the file is from a daemon that was killed.
    if (file !== null && await ask(file, "GET", "/status") !== null) return client(file);
    if (await isFree()) return null;
    if (system.monotonic() - start > SETTLE_MS) {
      const path = controlPath(stateDirectory);
      if ((await system.facts(path))?.kind === "folder") {
        throw new Failure("exists", `Cannot read "${path}": a folder has that name`, {
          hint: "Move the folder away, then stop the daemon and start it again.",
        });
      }
      throw new Failure("unreachable", `A daemon uses "${stateDirectory}" but is not responding`, {
        hint: "It may be starting or stopping, or was started with --once. Try again in a moment.",
      });
    }
    signal.throwIfAborted();
    await system.sleep(100, signal);
  }

  async function readControlFile(): Promise<ControlFile | null> {
    const path = controlPath(stateDirectory);
    try {
      return parseControlFile(await system.readText(path));
    } catch (cause) {
      const fault = faultOf(cause);
      if (fault === "not_found" || fault === "not_a_folder" || fault === "is_a_folder") return null;
      throw notAllowed(path, cause);
    }
  }

  /** True when no process holds the state directory: the lock ends with its process, however that ends. */
  async function isFree(): Promise<boolean> {
    const path = join(stateDirectory, "lock");
    try {
      if (await system.facts(path) === null) return true;
      const lock = await system.lock(path);
      await lock?.[Symbol.asyncDispose]();
      return lock !== null;
    } catch (cause) {
      // On a disk that became read-only no daemon can start, and one that runs has left its control.json.
      if (faultOf(cause) === "read_only") return true;
      if (faultOf(cause) === "permission") throw notAllowed(path, cause);
      throw unusableLock(path, cause);
    }
  }

  /** Asks once; null if this daemon has exited. */
  async function ask(file: ControlFile, method: "GET" | "POST", path: string, body?: unknown): Promise<unknown> {
    const patience = method === "GET" ? timeoutMs : 6 * timeoutMs;
    using limit = deadline(patience, system, signal);
    const headers = { authorization: `Bearer ${file.secret}`, "content-type": "application/json" };
    const question = { method, path, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
    try {
      const answer = await system.askLocal(file.port, question, limit.signal);
      if (answer.headers.get(PID_HEADER) !== String(file.pid)) return null;
      if (answer.status === 404) {
        throw new Failure("configuration", `The running daemon, version ${file.version}, does not support this request`, {
          hint: "Restart it: its version differs from this command's.",
        });
      }
      const content: unknown = JSON.parse(answer.text);
      if (answer.status === 200) return content;
      const { code, message, hint } = (content as { error: SentFailure }).error;
      throw new Failure(code satisfies FailureCode, message, { hint });
    } catch (error) {
      if (limit.passed) throw hangs(file.pid, patience);
      if (error instanceof TypeError) return null;
      throw error;
    }
  }

  function client(file: ControlFile): DaemonClient {
    const { pid, version, url } = file;
    return {
      pid,
      version,
      url,
      async ask<T>(name: string, body?: unknown): Promise<T> {
        const answer = await ask(file, body === undefined ? "GET" : "POST", `/${name}`, body);
        if (answer === null) throw new Failure("unreachable", `The daemon (process ${pid}) has exited`);
        return answer as T;
      },
      async stop(waitMs) {
        const start = system.monotonic();
        await ask(file, "POST", "/stop", {});
        // The lock is released last; a new daemon, with another secret, may take it at once.
        while (!await isFree()) {
          const now = await readControlFile();
          if (now !== null && now.secret !== file.secret) return true;
          if (signal.aborted || system.monotonic() - start >= waitMs) return false;
          await system.sleep(100, signal);
        }
        return true;
      },
    };
  }
}

function notAllowed(path: string, cause: unknown): unknown {
  if (faultOf(cause) !== "permission") return cause;
  return new Failure("permission_denied", `Cannot use "${path}": permission denied`, {
    hint: "Run this command as the account that runs the daemon, or with sudo. If that file is yours, correct its mode.",
    cause,
  });
}

function hangs(pid: number, ms: number): Failure {
  return new Failure("timeout", `The daemon (process ${pid}) has not responded for ${ms / 1000} s: it hangs or is very busy`, {
    hint: "Try again. If this persists, end that process and start it again; nothing is lost.",
  });
}
