/**
 * One connection to a host, shared by everything a session does: a few remote shells, each for one script at a time, and a socket
 * through which rsync, scp and SFTP get channels without a login of their own. The first shell is the ControlMaster
 * itself: one process and one login less, and it ends when its input does, so nothing outlives the daemon.
 *
 * The socket has a short name in the runtime folder, and a lock that lives as long as the process that made it. So a later start finds the
 * masters of a run that crashed, and ends them: else a half-dead rsync behind one could write after its staging folder was swept.
 * On Windows, and where a socket cannot be made, every shell is a connection of its own; `sharing` is null then.
 */
import { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import type { System } from "../../system/system.ts";
import { runtimePlace } from "../former_runs.ts";
import type { MethodContext } from "../method.ts";
import { type Answer, openShell, type RemoteShell } from "../shell/remote_shell.ts";
import { connectSeconds, type Sharing, sshArgs, sshExitArgs, type SshSettings, sshSettings, toolPath } from "./ssh.ts";
import type { Further } from "./long_line.ts";
import { noUsableShell } from "./ssh_failures.ts";
import { type Bell, bell } from "../../async/bell.ts";
import { anySignal, untilAborted } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";

/** Disposing of it ends its shells, and with them whatever uses its socket. */
export interface SshConnection extends AsyncDisposable {
  readonly destination: SshDestination;
  readonly settings: SshSettings;
  readonly ssh: string;
  readonly sharing: Sharing;
  readonly startupOutput: string;
  /** The shortest so far; Infinity while it is not known. */
  readonly roundTripMs: number;
  readonly isLost: () => boolean;
  /** Logs in once more, to a connection for further channels. @throws {Failure} */
  readonly connectAgain: (signal: AbortSignal) => Promise<Further>;
  /**
   * Runs a script in the next free shell. `timeoutMs` defaults to several times the destination's time-out, since a
   * busy disk may need long to flush.
   *
   * @throws {Failure} when the connection is lost; the session must then be opened anew.
   */
  run(script: string, signal: AbortSignal, timeoutMs?: number): Promise<Answer>;
}

/** Succeeds in `sh` alone: a start-up file that runs `exec zsh` puts a shell in its place that reads scripts otherwise. */
const IS_SH = `two='a b'; set -- $two; [ "$#" = 2 ]`;

/** Shells at once: one for long work (hashing), one more to halve it, one for short questions meanwhile. */
const MOST_SHELLS = 3;
/** At least so long a script may take. */
const PATIENCE_MS = 60_000;

/** Logs in. The first answer of the shell proves that there is one. @throws {Failure} */
export async function connectSsh(
  destination: SshDestination,
  context: MethodContext,
  signal: AbortSignal,
): Promise<SshConnection> {
  const { system } = context;
  const settings = sshSettings(destination, system);
  const ssh = await toolPath("ssh", system);
  await using stack = new AsyncDisposableStack();
  const place = stack.use(await controlSocket(settings, ssh, context, signal));
  const start = (sharing: Sharing) =>
    openShell({ program: ssh, args: sshArgs(settings, sharing, "exec sh") }, destination, system);
  const logIn = async (path: string | null, signal: AbortSignal): Promise<RemoteShell> => {
    await using stack = new AsyncDisposableStack();
    const shell = stack.use(await start(path === null ? null : { role: "master", path }));
    const { status } = await shell.run(IS_SH, connectSeconds(destination) * 2000, signal);
    if (status !== 0) {
      throw noUsableShell(destination, "another shell than sh answers: a start-up file of the account runs `exec`");
    }
    stack.move();
    return shell;
  };
  const first = stack.use(await logIn(place.path, signal));

  const sharing: Sharing = place.path === null ? null : { role: "client", path: place.path };
  const pool = new ShellPool(first, () => start(sharing), system);
  stack.use(pool);
  const connectAgain = async (signal: AbortSignal): Promise<Further> => {
    await using stack = new AsyncDisposableStack();
    const { path } = stack.use(await controlSocket(settings, ssh, context, signal));
    if (path === null) throw new Failure("configuration", "no connection can be shared");
    const shell = stack.use(await logIn(path, signal));
    const rest = stack.move();
    return { path, isLost: () => shell.lost !== null, [Symbol.asyncDispose]: () => rest.disposeAsync() };
  };
  const rest = stack.move();
  return {
    destination,
    settings,
    ssh,
    sharing,
    startupOutput: first.startupOutput,
    get roundTripMs() {
      return first.roundTripMs;
    },
    isLost: () => first.lost !== null,
    connectAgain,
    run: (script, signal, timeoutMs) => pool.run(script, timeoutMs ?? Math.max(PATIENCE_MS, destination.timeoutMs * 4), signal),
    [Symbol.asyncDispose]: () => rest.disposeAsync(),
  };
}

class ShellPool implements AsyncDisposable {
  readonly #more: RemoteShell[] = [];
  /** Shells that died on their own; they still have pipes to close. */
  readonly #ended: RemoteShell[] = [];
  /** Rung for all who wait: the first to look finds the free one, the others wait again. */
  readonly #freed: Bell;
  #opening = 0;
  #closed = false;

  constructor(readonly first: RemoteShell, readonly open: () => Promise<RemoteShell>, system: Pick<System, "sleep">) {
    this.#freed = bell(system);
    first.onIdle = () => this.#freed.ring();
  }

  async run(script: string, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
    for (;;) {
      signal.throwIfAborted();
      // The master is gone: whatever still hangs on it is lost too.
      if (this.first.lost) throw this.first.lost;
      const shell = [this.first, ...this.#more].find((shell) => !shell.busy && shell.lost === null);
      if (shell) return await shell.run(script, timeoutMs, signal);
      if (this.#more.length + this.#opening < MOST_SHELLS - 1) await this.#addShell();
      else await this.#freed.wait(Infinity, signal);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#more.splice(0), ...this.#ended].map((shell) => shell[Symbol.asyncDispose]()));
  }

  async #addShell(): Promise<void> {
    this.#opening++;
    try {
      const shell = await this.open();
      if (this.#closed) return await shell[Symbol.asyncDispose]();
      shell.onIdle = () => {
        if (shell.lost) this.#putAside(shell);
        this.#freed.ring();
      };
      this.#more.push(shell);
    } finally {
      this.#opening--;
      this.#freed.ring();
    }
  }

  #putAside(shell: RemoteShell): void {
    const at = this.#more.indexOf(shell);
    if (at >= 0) this.#ended.push(...this.#more.splice(at, 1));
  }
}

/** A name for a socket, ours until disposed of. `path` is null where masters cannot be used. */
interface ControlSocket extends AsyncDisposable {
  readonly path: string | null;
}

/** OpenSSH adds a dot and 16 characters while it makes the socket; `sun_path` holds 104 bytes on macOS, 108 on Linux. */
const LONGEST_PATH = 104 - 1 - 17;
const EXIT_TIMEOUT_MS = 5000;

/** Ends what a former run left for this destination, and gives a fresh name. On Windows, OpenSSH knows no masters. */
export async function controlSocket(
  settings: SshSettings,
  ssh: string,
  { system, stagingRoot, log }: MethodContext,
  signal: AbortSignal,
): Promise<ControlSocket> {
  const none: ControlSocket = { path: null, [Symbol.asyncDispose]: () => Promise.resolve() };
  if (system.platform === "windows") return none;
  // The same for the same destination of the same installation, whatever the run.
  const { job, name, transport: { host, user, port } } = settings.destination;
  const place = await runtimePlace("", [stagingRoot, job, name, host, user, port], async (left) => {
    log("info", `Ending the connection to ${name} that an earlier run left open`);
    using ending = anySignal(signal);
    const exit = system.run({ program: ssh, args: sshExitArgs(settings, left) }, ending.signal);
    await untilAborted(within(exit, EXIT_TIMEOUT_MS, system, null), signal);
  }, system);
  const isTooLong = new TextEncoder().encode(place.path).length > LONGEST_PATH;
  if (isTooLong) log("debug", `No shared connections to ${name}: the path ${place.path} is too long for a socket`);
  if (!isTooLong && place.isLocked) return place;
  await place[Symbol.asyncDispose]();
  return none;
}
