/**
 * The sockets of our own ControlMasters: short names in the runtime folder, each with a lock that lives as long as the
 * process that made it. So a later start finds the masters of a run that crashed, and ends them: else a half-dead rsync
 * behind one could write after its staging folder was swept.
 *
 * @module
 */
import { join } from "@std/path";
import { anySignal, untilAborted } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import type { SshDestination } from "../../config/settings.ts";
import type { MethodContext } from "../method.ts";
import { sshExitArgs, type SshSettings } from "./ssh.ts";

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
  context: MethodContext,
  signal: AbortSignal,
): Promise<ControlSocket> {
  const { system } = context;
  const none: ControlSocket = { path: null, [Symbol.asyncDispose]: () => Promise.resolve() };
  if (system.platform === "windows") return none;
  const folder = await system.runtimeFolder();
  const key = await keyOf(settings.destination, context.stagingRoot);
  await endOrphans(folder, key, settings, ssh, context, signal);

  const path = join(folder, `${key}${system.randomHex(4)}`);
  if (new TextEncoder().encode(path).length > LONGEST_PATH) {
    context.log("debug", `No shared connections to ${settings.destination.name}: the path ${path} is too long for a socket`);
    return none;
  }
  const lock = await system.lock(`${path}.lock`);
  if (lock === null) return none;
  return {
    path,
    async [Symbol.asyncDispose]() {
      await system.remove(path);
      await system.remove(`${path}.lock`);
      await lock[Symbol.asyncDispose]();
    },
  };
}

async function endOrphans(
  folder: string,
  key: string,
  settings: SshSettings,
  ssh: string,
  { system, log }: MethodContext,
  signal: AbortSignal,
): Promise<void> {
  const { entries } = await system.list(folder);
  const locks = entries.map(({ name }) => name).filter((name) => name.startsWith(key) && name.endsWith(".lock"));
  for (const name of locks) {
    const path = join(folder, name.slice(0, -".lock".length));
    await using lock = await system.lock(`${path}.lock`);
    // Somebody alive holds it: a session of this process, or a command beside the daemon.
    if (lock === null) continue;
    if (await system.facts(path)) {
      log("info", `Ending the connection to ${settings.destination.name} that an earlier run left open`);
      using ending = anySignal(signal);
      const exit = system.run({ program: ssh, args: sshExitArgs(settings, path) }, ending.signal);
      await untilAborted(within(exit, EXIT_TIMEOUT_MS, system, null), signal);
      await system.remove(path);
    }
    await system.remove(`${path}.lock`);
  }
}

/** The same for the same destination of the same installation, whatever the run. */
async function keyOf(destination: SshDestination, stagingRoot: string): Promise<string> {
  const { host, user, port } = destination.transport;
  const parts = [stagingRoot, destination.job, destination.name, host, user, port];
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(JSON.stringify(parts)));
  return `${new Uint8Array(hash, 0, 4).toHex()}-`;
}
