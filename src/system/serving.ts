/**
 * HTTP and WebSockets, over `Deno.serve`.
 *
 * @module
 */
import type { Listening, ListenOptions, Serving } from "./system.ts";

/** See `Serving`. */
export const serving: Serving = {
  listen,
  upgradeWebSocket: (request) => Deno.upgradeWebSocket(request),
};

// Asynchronous by contract: the port may be taken, and a caller awaits and catches in one place.
// deno-lint-ignore require-await
async function listen(options: ListenOptions, signal: AbortSignal): Promise<Listening> {
  signal.throwIfAborted();
  const server = Deno.serve(
    {
      hostname: options.host,
      port: options.port,
      signal,
      onListen: () => undefined,
      onError(error) {
        options.onError?.(error);
        return new Response("Internal error\n", { status: 500 });
      },
      ...options.tls,
    },
    (request, { remoteAddr }) => options.handler(request, peerOf(remoteAddr)),
  );
  const { hostname, port } = server.addr;
  return { host: hostname, port, finished: server.finished };
}

function peerOf(address: Deno.Addr): { host: string; port: number } {
  return address.transport === "tcp" ? { host: address.hostname, port: address.port } : { host: "", port: 0 };
}
