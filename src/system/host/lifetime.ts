/**
 * Signals, the service manager, and the end of the process.
 *
 * @module
 */
import { join } from "@std/path";
import { gaveUp, giveUp } from "../processes/give_up.ts";
import { endAllChildren } from "../processes/launch.ts";
import { runtimeFolder } from "./runtime_folder.ts";
import { isLent } from "./terminal.ts";
import type { Lifetime, SignalName } from "../system.ts";

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
  const listening = names.filter((name) => WINDOWS ? name.endsWith("INT") || name.endsWith("BREAK") : name !== "SIGBREAK")
    .map((name) => ({ name, listener: () => name === "SIGINT" && isLent() ? undefined : handler(name) }));
  for (const { name, listener } of listening) Deno.addSignalListener(name, listener);
  return () => {
    for (const { name, listener } of listening.splice(0)) Deno.removeSignalListener(name, listener);
  };
}

const WINDOWS = Deno.build.os === "windows";

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
