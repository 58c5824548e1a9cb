/**
 * systemd's notify protocol: one datagram of `NAME=value` lines to the socket named in `NOTIFY_SOCKET` (sd_notify(3)).
 *
 * @module
 */

/** Sends a state; false where no service manager listens. */
export async function notifyServiceManager(state: string): Promise<boolean> {
  const address = Deno.build.os === "linux" ? Deno.env.get("NOTIFY_SOCKET") : undefined;
  if (!address || !/^[/@]/.test(address)) return false;
  // A sender must be bound to an address; an abstract one leaves no file behind.
  const own = `\0image-transfer/${crypto.randomUUID()}`;
  const socket = Deno.listenDatagram({ transport: "unixpacket", path: own });
  try {
    await socket.send(new TextEncoder().encode(state), { transport: "unixpacket", path: address.replace(/^@/, "\0") });
    return true;
  } finally {
    socket.close();
  }
}
