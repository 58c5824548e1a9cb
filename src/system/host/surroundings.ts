/** This process: where it runs (account, folders, environment), its signals, its service manager, and its end. */
import { homedir, hostname } from "node:os";
import process from "node:process";
import { join } from "@std/path";
import { lock } from "../files/lock.ts";
import { endAllChildren, gaveUp, giveUp, hideVariable } from "../processes/launch.ts";
import type { Lifetime, Platform, SignalName, Surroundings } from "../system.ts";
import { runtimeFolder } from "./runtime_folder.ts";
import { isLent } from "./terminal.ts";

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
    .map((name) => ({ name, listener: () => name === "SIGINT" && isLent() ? undefined : handler(name) }));
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
