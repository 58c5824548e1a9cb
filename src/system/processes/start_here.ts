/** Starts a program from this thread, with pipes to all three of its streams. */
import type { Command } from "../system.ts";

/** A program that was started, here or in a Worker. */
export interface Started {
  readonly pid: number;
  readonly stdin: { write(bytes: Uint8Array): Promise<void>; close(): Promise<void> };
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly finished: Promise<{ readonly code: number; readonly signal: string | null }>;
  /** Sends a signal; ignored when the program has already ended. */
  kill(name: "SIGTERM" | "SIGKILL"): void;
}

/** Starts a program, named by its absolute path. @throws {Error} one of Deno's, when it cannot. */
export type Start = (command: Command) => Promise<Started>;

/**
 * For all systems but Windows, where Workers do it. In a terminal, the program is in a process group of its own:
 * Ctrl+C is meant for the daemon, which decides what happens to a running transfer. (On Windows it would not belong to the
 * daemon's job object then, and outlive it.) A service, whose streams lead elsewhere, is spared the price.
 */
export const startHere: Start = ({ program, args, cwd, env, brief }) => {
  const child = new Deno.Command(program, {
    args: [...args],
    ...(cwd === undefined ? {} : { cwd }),
    ...(env === undefined ? {} : { env: { ...env } }),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    // This forks the whole process, which takes twenty times as long.
    detached: Deno.build.os !== "windows" && brief !== true && isInTerminal(),
  }).spawn();
  return Promise.resolve({
    pid: child.pid,
    stdin: child.stdin.getWriter(),
    stdout: child.stdout,
    stderr: child.stderr,
    finished: child.status.then(({ code, signal }) => ({ code, signal })),
    kill: (name) => kill(child, name),
  });
};

/** Whether Ctrl+C may be typed to this process. */
function isInTerminal(): boolean {
  return inTerminal ??= (["stdin", "stdout", "stderr"] as const).some((stream) => Deno[stream].isTerminal());
}
let inTerminal: boolean | undefined;

function kill(child: Deno.ChildProcess, name: "SIGTERM" | "SIGKILL"): void {
  try {
    child.kill(name);
  } catch (error) {
    // It has already ended, which Deno reports in several forms.
    if (!(error instanceof TypeError || error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied)) {
      throw error;
    }
  }
}
