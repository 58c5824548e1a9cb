/**
 * Keeps the daemon of a chaos night: starts it, ends it in every way, and remembers what it should never have done
 * (ended by itself, not ended when asked) and what it used at most.
 */
import type { CrashPoint } from "../../src/delivery/crash_point.ts";
import type { Installation, RunningDaemon } from "./daemon_process.ts";
import { treeOf } from "./process_tree.ts";

export interface DaemonKeeper extends AsyncDisposable {
  /** What went wrong so far. */
  readonly offences: readonly string[];
  /** Most of everything seen so far; Linux only, else zeros. */
  readonly most: Use;
  /** Starts it, unless it runs; with `crashAt` to vanish at that step. */
  start(crashAt?: CrashPoint): Promise<void>;
  kill(): Promise<void>;
  /** SIGTERM and its end. */
  stop(): Promise<void>;
  signal(signal: Deno.Signal): void;
  /** SIGHUP, if it is up: what has just been started would die of it. */
  hangUp(): void;
  /** From now on `start` waits for {@linkcode letStart}; false where a start is under way, and nothing is held. */
  holdStarts(): boolean;
  letStart(): void;
  running(): boolean;
  /** What it uses now. */
  use(): Promise<Use>;
  /** Everything it printed, over all its lives. */
  output(): string;
}

/** What a process has of the machine. */
interface Use {
  readonly rssMegabytes: number;
  readonly openFiles: number;
  readonly children: number;
}
const NOTHING: Use = { rssMegabytes: 0, openFiles: 0, children: 0 };

/** Long enough for the slowest machine; a daemon that has not ended by then never will. */
const NEVER_MS = 90_000;

export function daemonKeeper(installation: Installation, through: readonly string[]): DaemonKeeper {
  const offences: string[] = [];
  const most: Record<keyof Use, number> = { ...NOTHING };
  const lives: RunningDaemon[] = [];
  let current: RunningDaemon | null = null;
  let held: PromiseWithResolvers<void> | null = null;

  const isUp = () => current?.output().includes(" Watching ") ?? false;

  async function end(signal: Deno.Signal, expected: number): Promise<void> {
    const life = current;
    if (life === null) return;
    // Who has just been started does not listen to signals yet, and dies of them.
    const codes = isUp() ? [expected] : [expected, 143];
    current = null;
    life.kill("SIGCONT");
    life.kill(signal);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const never = new Promise<null>((resolve) => timer = setTimeout(() => resolve(null), NEVER_MS));
    const code = await Promise.race([life.ended, never]);
    clearTimeout(timer);
    if (code === null) {
      offences.push(`it did not end after ${signal}`);
      life.kill("SIGKILL");
      await life.ended;
    } else if (!codes.includes(code)) offences.push(`exit code ${code} after ${signal}: ${life.output().slice(-500)}`);
  }

  async function use(): Promise<Use> {
    const { rssMegabytes, openFiles } = current === null ? NOTHING : ownUse(current.pid);
    return current === null || openFiles === 0
      ? NOTHING
      : { rssMegabytes, openFiles, children: (await treeOf(current.pid)).length - 1 };
  }

  const sampling = setInterval(async () => {
    const now = await use();
    for (const key of Object.keys(most) as (keyof Use)[]) most[key] = Math.max(most[key], now[key]);
  }, 2000);

  return {
    offences,
    most,
    async start(crashAt) {
      await held?.promise;
      if (current) return;
      const env = crashAt === undefined ? {} : { IMAGE_TRANSFER_CRASH_AT: crashAt };
      const life = await installation.start({ wait: false, through, env });
      current = life;
      lives.push(life);
      void life.ended.then((code) => {
        if (current !== life) return;
        current = null;
        if (crashAt !== undefined && code === 137) return;
        offences.push(`it ended by itself with exit code ${code}: ${life.output().slice(-2000)}`);
      });
    },
    // setpriv becomes the daemon: what is killed is the daemon itself.
    kill: () => end("SIGKILL", 137),
    stop: () => end("SIGTERM", 0),
    signal: (signal) => current?.kill(signal),
    hangUp() {
      if (isUp()) current?.kill("SIGHUP");
    },
    holdStarts() {
      if (!isUp()) return false;
      held = Promise.withResolvers<void>();
      return true;
    },
    letStart: () => held?.resolve(),
    running: () => current !== null,
    use,
    output: () => lives.map((life) => life.output()).join(""),
    async [Symbol.asyncDispose]() {
      clearInterval(sampling);
      await end("SIGKILL", 137);
    },
  };
}

/** Zeros where it is gone, and elsewhere than on Linux. */
function ownUse(pid: number): Pick<Use, "rssMegabytes" | "openFiles"> {
  if (Deno.build.os !== "linux") return NOTHING;
  try {
    const pages = Number(Deno.readTextFileSync(`/proc/${pid}/statm`).split(" ")[1]);
    return { rssMegabytes: Math.round(pages * 4096 / 1e6), openFiles: [...Deno.readDirSync(`/proc/${pid}/fd`)].length };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || /No such process/.test(String(error))) return NOTHING;
    throw error;
  }
}
