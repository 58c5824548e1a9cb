/** This process: where it runs (account, folders, environment), its terminal, its signals, its service manager, and its end. */
import { homedir, hostname } from "node:os";
import process from "node:process";
import { isAbsolute, join } from "@std/path";
import { lock } from "../files/lock.ts";
import { endAllChildren, gaveUp, giveUp, hideVariable, which } from "../processes/launch.ts";
import type { Lifetime, Platform, SignalName, StandardStream, Surroundings, Terminal } from "../system.ts";
import { Failure } from "../../domain/failure.ts";

/** See `Surroundings`. Made once: the host name and the home folder do not change under a running daemon. */
export function createSurroundings(): Surroundings {
  const { os } = Deno.build;
  const platform: Platform = os === "windows" || os === "darwin" ? os : "linux";
  const env = (name: string) => Deno.env.get(name);
  return {
    platform,
    pid: Deno.pid,
    hostname: hostname(),
    uid: Deno.uid(),
    // A program started by a service manager may have no HOME: use the account's folder then, never the root.
    home: env(platform === "windows" ? "USERPROFILE" : "HOME") || homedir() || (platform === "windows" ? "C:\\" : "/"),
    separator: platform === "windows" ? "\\" : "/",
    executable: Deno.execPath(),
    compiled: Deno.build.standalone,
    secretEnv: (name) => {
      hideVariable(name);
      return env(name);
    },
    usage() {
      const { user, system } = process.cpuUsage();
      return { rssBytes: Deno.memoryUsage().rss, cpuSeconds: (user + system) / 1e6 };
    },
    env,
    embedded: (path) => Deno.readTextFile(embeddedUrl(path)),
    crash() {
      // As `kill -9` does; where a permission list forbids signals, an immediate exit comes closest.
      if (Deno.permissions.querySync({ name: "run" }).state === "granted") Deno.kill(Deno.pid, "SIGKILL");
      Deno.exit(137);
    },
    runtimeFolder,
    lock,
  };
}

/** From source, three folders up; in the binary, the bundle's folder stands beside the embedded ones (see `tests/build/build.ts`). */
export function embeddedUrl(path: string, here: string = import.meta.url): URL {
  return new URL(`${here.endsWith(".ts") ? "../../../" : "../"}${path}`, here);
}

export const lifetime: Lifetime = {
  onSignal,
  notifyServiceManager,
  giveUp,
  gaveUp,
  exit(code) {
    endAllChildren();
    Deno.exit(code);
  },
};

function onSignal(names: readonly SignalName[], handler: (name: SignalName) => void): () => void {
  const listening = names.filter((name) =>
    Deno.build.os === "windows" ? name.endsWith("INT") || name.endsWith("BREAK") : name !== "SIGBREAK"
  )
    .map((name) => ({ name, listener: () => name === "SIGINT" && lent ? undefined : handler(name) }));
  for (const { name, listener } of listening) Deno.addSignalListener(name, listener);
  return () => {
    for (const { name, listener } of listening.splice(0)) Deno.removeSignalListener(name, listener);
  };
}

/**
 * Sends a state in systemd's notify protocol (sd_notify(3)): one datagram of `NAME=value` lines to the socket in `NOTIFY_SOCKET`.
 * False where no service manager listens. Abstract addresses (`@…`, which systemd does not use by default) need Deno 2.9; before, false.
 */
async function notifyServiceManager(state: string): Promise<boolean> {
  const address = Deno.build.os === "linux" ? Deno.env.get("NOTIFY_SOCKET") : undefined;
  if (!address || !/^[/@]/.test(address)) return false;
  // A sender must be bound to an address of its own.
  const own = join(await runtimeFolder(), `n-${crypto.randomUUID().slice(0, 8)}`);
  const socket = Deno.listenDatagram({ transport: "unixpacket", path: own });
  try {
    await socket.send(new TextEncoder().encode(state), { transport: "unixpacket", path: address.replace(/^@/, "\0") });
    return true;
  } catch (error) {
    if (error instanceof TypeError && /null byte/.test(error.message)) return false;
    throw error;
  } finally {
    socket.close();
    await Deno.remove(own);
  }
}

/** How often a full, non-blocking pipe is tried again, every 10 ms, before the rest is given up. */
const PATIENCE = 500;

const terminals = new Map<StandardStream, boolean>();
/** True while Ctrl+C is meant for a program that has the terminal. */
let lent = false;

export const terminal: Terminal = {
  /** Asked for every line that is printed; it does not change. */
  isTerminal(stream) {
    const isOne = terminals.get(stream) ?? Deno[stream].isTerminal();
    terminals.set(stream, isOne);
    return isOne;
  },
  columns() {
    if (!terminal.isTerminal("stdout") && !terminal.isTerminal("stderr")) return null;
    try {
      return Deno.consoleSize().columns || null;
    } catch (error) {
      if (error instanceof Error) return null;
      throw error;
    }
  },
  print(stream, text) {
    const data = new TextEncoder().encode(text);
    let refused = 0;
    for (let written = 0; written < data.length;) {
      try {
        written += Deno[stream].writeSync(data.subarray(written));
        refused = 0;
      } catch (error) {
        if (error instanceof Deno.errors.BrokenPipe) return false;
        if (!(error instanceof Deno.errors.WouldBlock) || ++refused > PATIENCE) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      }
    }
    return true;
  },
  async readLine() {
    const bytes: number[] = [];
    const one = new Uint8Array(1);
    // Byte by byte: what follows the line belongs to the next reader.
    for (let got = await Deno.stdin.read(one);; got = await Deno.stdin.read(one)) {
      if (got === null && bytes.length === 0) return null;
      if (got === null || one[0] === 10) break;
      bytes.push(one[0] ?? 0);
    }
    return new TextDecoder().decode(new Uint8Array(bytes)).replace(/\r$/, "");
  },
  async lend(name, args) {
    const program = await which(name);
    if (program === null) throw cannotStart(name, "it is not on this computer's PATH");
    lent = true;
    try {
      const child = new Deno.Command(program, { args: [...args], stdin: "inherit", stdout: "inherit", stderr: "inherit" })
        .spawn();
      return (await child.status).code;
    } catch (cause) {
      if (cause instanceof Deno.errors.NotCapable) throw cannotStart(name, "this build is not allowed to start it", cause);
      throw cause;
    } finally {
      lent = false;
    }
  },
};

function cannotStart(name: string, reason: string, cause?: unknown): Failure {
  return new Failure("tool_missing", `Cannot start "${name}": ${reason}`, {
    hint: "Use another editor (EDITOR=nano or EDITOR=vi), or edit the file yourself, then run: image-transfer config validate",
    cause,
  });
}

/**
 * Returns, and makes, a folder of mode 0700 that belongs to this account and is gone after a reboot: systemd's
 * `RUNTIME_DIRECTORY`, else `image-transfer` in `XDG_RUNTIME_DIR`, else `/tmp/it-<uid>`. One that belongs to another account, is a
 * symlink, or is too long for a socket is skipped; if none is left, a new folder with a random name is made.
 */
export async function runtimeFolder(): Promise<string> {
  if (Deno.build.os === "windows") {
    const folder = join(Deno.env.get("LOCALAPPDATA") ?? Deno.env.get("TEMP") ?? "C:\\Windows\\Temp", "image-transfer", "run");
    await Deno.mkdir(folder, { recursive: true });
    return folder;
  }
  const ofService = Deno.env.get("RUNTIME_DIRECTORY")?.split(":")[0];
  const ofSession = Deno.env.get("XDG_RUNTIME_DIR");
  const candidates = [ofService, ofSession && join(ofSession, "image-transfer"), `/tmp/it-${Deno.uid()}`];
  for (const folder of candidates) {
    if (folder && isAbsolute(folder) && folder.length <= LONGEST && await isOurs(folder)) return folder;
  }
  return random ??= await Deno.makeTempDir({ dir: "/tmp", prefix: "it-" });
}

/** A socket's address ends with a NUL; room for `/`, a letter or three, the 40 digits of `%C`, and the 17 bytes that ssh adds to bind. */
const LONGEST = (Deno.build.os === "linux" ? 108 : 104) - 1 - 1 - 3 - 40 - 17;

let random: string | undefined;

async function isOurs(folder: string): Promise<boolean> {
  try {
    await Deno.mkdir(folder, { mode: 0o700 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) {
      if (error instanceof Error) return false;
      throw error;
    }
  }
  const facts = await Deno.lstat(folder);
  if (!facts.isDirectory || facts.uid !== Deno.uid()) return false;
  if (((facts.mode ?? 0) & 0o077) !== 0) await Deno.chmod(folder, 0o700);
  return true;
}

/** Any account may write there. */
export const EVERYBODYS_MEMORY = "/dev/shm";

/** True for `/dev/shm` and `/run`, where the folders of services and sessions are, and for what is below them. */
export function isInMemory(path: string): boolean {
  return /^\/(?:dev\/shm|run)(?:\/|$)/.test(path);
}
