/**
 * Finds programs, starts them and ends them. Everything started here is tracked until it has ended, so that a clean stop leaves nothing running.
 */
import { basename, isAbsolute, join } from "@std/path";
import { onAbort, untilAborted } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { Failure } from "../../domain/failure.ts";
import { HOOK_PROGRAM } from "../../domain/hook.ts";
import { clock } from "../host/clock.ts";
import type { Command } from "../system.ts";
import { type WorkerCalls, workerCalls } from "../workers/worker_calls.ts";
import { type Start, type Started, startHere } from "./start_here.ts";
import type { Output, StartCalls } from "./start_worker.ts";

const WINDOWS = Deno.build.os === "windows";
const PATIENCE_MS = 2_000;
/** What was found on the PATH is not looked for again for so long. */
const REMEMBERED_MS = 60_000;
/** As many programs as a Worker has threads for: two to read, one to write. */
const PROGRAMS_EACH = Math.max(1, Math.floor(4 * navigator.hardwareConcurrency / 3));
const REST_MS = 5_000;

const LOADER_VARIABLES: readonly string[] = [
  "LD_LIBRARY_PATH",
  "LD_PRELOAD",
  "LD_AUDIT",
  "LD_DEBUG",
  "LD_BIND_NOW",
  "LD_PROFILE",
  "DYLD_LIBRARY_PATH",
  "DYLD_INSERT_LIBRARIES",
  "DYLD_FRAMEWORK_PATH",
  "DYLD_FALLBACK_LIBRARY_PATH",
];

export interface Launched extends Omit<Started, "kill"> {
  /** Asks it to end, kills it two seconds later; resolves when it is gone (or cannot be killed: a dead disk). */
  end(): Promise<void>;
}

export type Launch = (command: Command, signal: AbortSignal) => Promise<Launched>;

const running = new Set<Started>();
const hidden = new Set<string>();
const givenUp = new Set<string>();
const found = new Map<string, { readonly path: string; readonly at: number }>();

/** Starts a program; ended when the signal is aborted. @throws {Failure} `tool_missing` */
export const launch: Launch = launchWith(WINDOWS ? workerStart() : startHere);

export function launchWith(start: Start): Launch {
  return async (command, signal) => {
    signal.throwIfAborted();
    dropLoaderVariables();
    const env = { ...Object.fromEntries([...hidden].map((name) => [name, ""])), ...command.env };
    const started = await startFound(start, { ...command, env }, signal);
    running.add(started);
    const { pid, stdin, stdout, stderr } = started;
    const finished = started.finished.finally(() => running.delete(started));
    let ending: Promise<void> | null = null;
    const endGently = async () => {
      for (const name of ["SIGTERM", "SIGKILL"] as const) {
        started.kill(name);
        if (await within(finished.then(() => true), PATIENCE_MS, clock, false)) return;
      }
    };
    const end = () => ending ??= endGently();
    const listening = onAbort(signal, () => void end());
    finished.then(() => listening[Symbol.dispose]());
    return { pid, stdin, stdout, stderr, finished, end };
  };
}

/** Programs find this variable of our environment empty from now on: it holds a secret that is none of their business. */
export function hideVariable(name: string): void {
  hidden.add(name);
}

/** Kills everything that runs: for the end of this process. Programs of Workers may find their pipes closed first, which ends them, too. */
export function endAllChildren(): void {
  for (const started of running) started.kill("SIGKILL");
}

/** See `Lifetime.giveUp`. What a permitted program does is not limited (`find` can start others): this keeps mistakes small. */
export function giveUp(programs: readonly string[]): void {
  if (!Deno.build.standalone) return;
  for (const program of programs) {
    Deno.permissions.revokeSync({ name: "run", command: program });
    givenUp.add(program);
  }
}

export function gaveUp(program: string): boolean {
  return givenUp.has(program) || givenUp.has(basename(program).replace(/\.(exe|com)$/i, ""));
}

/** The absolute path of a program that may be executed, or null. On Windows only `.exe` and `.com`: never a script. */
export async function which(program: string): Promise<string | null> {
  const known = found.get(keyOf(program));
  if (known !== undefined && clock.monotonic() - known.at < REMEMBERED_MS) return known.path;
  const path = await look(program);
  if (path !== null) found.set(keyOf(program), { path, at: clock.monotonic() });
  return path;
}

function keyOf(program: string): string {
  return `${Deno.env.get("PATH") ?? ""}\0${program}`;
}

async function look(program: string): Promise<string | null> {
  const names = WINDOWS && !/\.(exe|com)$/i.test(program) ? [`${program}.exe`, `${program}.com`] : [program];
  const folders = isAbsolute(program) ? [""] : (Deno.env.get("PATH") ?? "").split(WINDOWS ? ";" : ":");
  if (!isAbsolute(program) && /[/\\]/.test(program)) return null;
  for (const folder of folders) {
    // An empty or relative entry of the PATH means the current folder, which may hold anything.
    if (!isAbsolute(program) && !isAbsolute(folder)) continue;
    for (const name of names) {
      const path = folder === "" ? name : join(folder, name);
      try {
        const { isFile, mode } = await Deno.stat(path);
        if (isFile && (WINDOWS || mode === null || (mode & 0o111) !== 0)) return path;
      } catch (error) {
        if (!(error instanceof Error)) throw error;
      }
    }
  }
  return null;
}

/** Looks for the program again if it is not where it was. */
async function startFound(start: Start, { program: name, ...rest }: Command, signal: AbortSignal): Promise<Started> {
  for (let former: string | null = null;;) {
    const program = await which(name);
    if (program === null) {
      throw new Failure("tool_missing", `Cannot start "${name}": it is not on this computer's PATH`, {
        hint: `Install ${name}, or put its folder on the PATH of the account that image-transfer runs as.`,
      });
    }
    signal.throwIfAborted();
    try {
      return await start({ program, ...rest });
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw notPermitted(program, error);
      if (!(error instanceof Deno.errors.NotFound) || program === former) throw error;
      former = program;
      found.delete(keyOf(name));
    }
  }
}

function notPermitted(program: string, cause: Error): Failure {
  if (gaveUp(program)) {
    const why = "nothing needed it when image-transfer started, so the permission was given back";
    const hint = "Restart image-transfer: its configuration needs this program now.";
    return new Failure("tool_missing", `Cannot start "${program}": ${why}`, { hint, cause });
  }
  return new Failure("tool_missing", `Cannot start "${program}": this build is not allowed to start it`, {
    hint: `Give a hook's program the name ${HOOK_PROGRAM} and put it in a folder on the PATH, or run image-transfer from source.`,
    cause,
  });
}

/**
 * With a permission list, Deno refuses every child while one of the dynamic loader's variables is set
 * (`LD_PRELOAD` could change what a permitted program does). Programs of the system need none of them.
 */
function dropLoaderVariables(): void {
  if (Deno.permissions.querySync({ name: "run" }).state === "granted") return;
  for (const name of LOADER_VARIABLES) {
    if (Deno.permissions.querySync({ name: "env", variable: name }).state === "granted") Deno.env.delete(name);
  }
}

/**
 * Starts programs from as many Workers as they need. On Windows a thread of the runtime waits at every pipe, and the runtime has four of them
 * for each processor, for its files as well: with four programs that run long on two processors, no thread is left to read a file. Each Worker
 * has its own runtime, and so its own threads.
 */
export function workerStart(programsEach: number = PROGRAMS_EACH): Start {
  const hosts: Host[] = [];
  return async (command) => {
    let host = hosts.find(({ programs }) => programs < programsEach);
    if (host === undefined) {
      const options = { name: "start_worker", here: import.meta.url, what: "Starting programs", restMs: REST_MS };
      hosts.push(host = { worker: workerCalls<StartCalls>(options), programs: 0 });
    }
    host.programs += 1;
    try {
      return await startThere(command, host);
    } catch (error) {
      host.programs -= 1;
      throw error;
    }
  };
}

interface Host {
  readonly worker: WorkerCalls<StartCalls>;
  /** How many run there, or have unread output. */
  programs: number;
}

/** The Worker keeps the program until it has ended and both its outputs are read to the end, or cancelled. */
async function startThere(command: Command, host: Host): Promise<Started> {
  const { worker } = host;
  // The Worker broke, and its programs have lost their pipes: there is nothing left to do for them.
  const ignored = () => undefined;
  const { id, pid } = await worker.call("start", command);
  worker.call("forgotten", id).catch(ignored);
  const open = new Set<Output | "status">(["stdout", "stderr", "status"]);
  const over = (part: Output | "status") => {
    if (!open.delete(part) || open.size > 0) return;
    worker.call("forget", id).catch(ignored);
    host.programs -= 1;
  };
  const ended = new AbortController();
  const finished = worker.call("finished", id).catch(() => ({ code: 1, signal: null })).finally(() => {
    ended.abort(new Deno.errors.BrokenPipe("the program has ended"));
    over("status");
  });
  /** Throws `BrokenPipe` when the program ends before it has read everything. */
  const unlessEnded = async (give: () => Promise<void>) => {
    ended.signal.throwIfAborted();
    await untilAborted(give(), ended.signal);
  };
  const output = (name: Output) =>
    new ReadableStream<Uint8Array>({
      async pull(controller) {
        const piece = await worker.call("read", id, name).catch(() => null);
        // It was cancelled meanwhile.
        if (!open.has(name)) return;
        if (piece !== null) return controller.enqueue(piece);
        over(name);
        controller.close();
      },
      async cancel() {
        const cancelled = worker.call("cancel", id, name);
        over(name);
        await cancelled.catch(ignored);
      },
    }, { highWaterMark: 0 });
  return {
    pid,
    stdin: {
      write: (bytes) => unlessEnded(() => worker.call("write", id, bytes)),
      close: () => unlessEnded(() => worker.call("close", id)),
    },
    stdout: output("stdout"),
    stderr: output("stderr"),
    finished,
    kill(name) {
      if (!ended.signal.aborted) worker.call("kill", id, name).catch(ignored);
    },
  };
}
