/**
 * Starts programs and ends them. Everything started here is tracked until it has ended, so that a clean stop leaves nothing running.
 *
 * @module
 */
import { HOOK_PROGRAM } from "../../domain/hook.ts";
import { onAbort } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { Failure } from "../../domain/failure.ts";
import { clock } from "../host/clock.ts";
import { gaveUp } from "./give_up.ts";
import { type Start, type Started, startHere } from "./start_here.ts";
import { workerStart } from "./start_in_worker.ts";
import type { Command } from "../system.ts";
import { forget, which } from "./which.ts";

/** A running program with its raw pipes. */
export interface Launched {
  readonly pid: number;
  readonly stdin: Started["stdin"];
  readonly stdout: ReadableStream<Uint8Array>;
  readonly stderr: ReadableStream<Uint8Array>;
  readonly finished: Promise<{ code: number; signal: string | null }>;
  /** Asks it to end, kills it two seconds later; resolves when it is gone (or cannot be killed: a dead disk). */
  end(): Promise<void>;
}

const PATIENCE_MS = 2_000;

/** How {@linkcode launch} is called. */
export type Launch = (command: Command, signal: AbortSignal) => Promise<Launched>;

/** Starts a program; ended when the signal is aborted. @throws {Failure} `tool_missing` */
export const launch: Launch = launchWith(Deno.build.os === "windows" ? workerStart() : startHere);

export function launchWith(start: Start): Launch {
  return async (command, signal) => {
    signal.throwIfAborted();
    dropLoaderVariables();
    const started = await startFound(start, { ...command, env: { ...hiddenVariables(), ...command.env } }, signal);
    running.add(started);
    const { pid, stdin, stdout, stderr } = started;
    const finished = started.finished.finally(() => running.delete(started));
    let ending: Promise<void> | null = null;
    const end = () => ending ??= endGently(started, finished);
    const listening = onAbort(signal, () => void end());
    finished.then(() => listening[Symbol.dispose]());
    return { pid, stdin, stdout, stderr, finished, end };
  };
}

/** Programs find this variable of our environment empty from now on: it holds a secret that is none of their business. */
export function hideVariable(name: string): void {
  hidden.add(name);
}

const hidden = new Set<string>();

function hiddenVariables(): Record<string, string> {
  return Object.fromEntries([...hidden].map((name) => [name, ""]));
}

/** Kills everything that runs: for the end of this process. Programs of Workers may find their pipes closed first, which ends them, too. */
export function endAllChildren(): void {
  for (const started of running) started.kill("SIGKILL");
}

const running = new Set<Started>();

/** Looks for the program again if it is not where it was. */
async function startFound(start: Start, { program: name, ...rest }: Command, signal: AbortSignal): Promise<Started> {
  for (let former: string | null = null;;) {
    const program = await which(name);
    if (program === null) throw missing(name, "it is not on this computer's PATH");
    signal.throwIfAborted();
    try {
      return await permitted(start, { program, ...rest });
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound) || program === former) throw error;
      former = program;
      forget(name);
    }
  }
}

async function permitted(start: Start, command: Command): Promise<Started> {
  try {
    return await start(command);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    if (gaveUp(command.program)) {
      const why = "nothing needed it when image-transfer started, so the permission was given back";
      throw new Failure("tool_missing", `Cannot start "${command.program}": ${why}`, {
        hint: "Restart image-transfer: its configuration needs this program now.",
        cause: error,
      });
    }
    throw new Failure("tool_missing", `Cannot start "${command.program}": this build is not allowed to start it`, {
      hint:
        `Give a hook's program the name ${HOOK_PROGRAM} and put it in a folder on the PATH, or run image-transfer from source.`,
      cause: error,
    });
  }
}

function missing(program: string, reason: string): Failure {
  return new Failure("tool_missing", `Cannot start "${program}": ${reason}`, {
    hint: `Install ${program}, or put its folder on the PATH of the account that image-transfer runs as.`,
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

/** The variables that are dropped for children, where this build may drop them. */
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

async function endGently(started: Started, finished: Promise<unknown>): Promise<void> {
  for (const name of ["SIGTERM", "SIGKILL"] as const) {
    started.kill(name);
    if (await within(finished.then(() => true), PATIENCE_MS, clock, false)) return;
  }
}
