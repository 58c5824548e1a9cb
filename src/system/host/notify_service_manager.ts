/**
 * systemd's notify protocol: one datagram of `NAME=value` lines to the socket named in `NOTIFY_SOCKET` (sd_notify(3)).
 *
 * @module
 */
import { join } from "@std/path";
import { runtimeFolder } from "./runtime_folder.ts";

/**
 * Sends a state; false where no service manager listens.
 * Abstract addresses (`@…`, which systemd itself does not use by default) need Deno 2.9: before, they count as nobody.
 */
export async function notifyServiceManager(state: string): Promise<boolean> {
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
