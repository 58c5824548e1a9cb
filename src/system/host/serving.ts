/**
 * HTTP and WebSockets, over `Deno.serve`.
 *
 * @module
 */
import { X509Certificate } from "node:crypto";
import type { Listening, ListenOptions, LocalAnswer, LocalQuestion, Serving } from "../system.ts";

export const serving: Serving = {
  listen,
  askLocal,
  askRemote,
  certifies,
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
      ...SMALL_ANSWERS,
    },
    (request, { remoteAddr }) => options.handler(request, peerOf(remoteAddr)),
  );
  const { hostname, port } = server.addr;
  return { host: hostname, port, finished: server.finished };
}

async function askLocal(port: number, question: LocalQuestion, signal: AbortSignal): Promise<LocalAnswer> {
  // Without a proxy: HTTP_PROXY, common in institutes, would otherwise receive what is meant for this computer.
  using client = Deno.createHttpClient({ proxy: { transport: "tcp", hostname: "127.0.0.1", port } });
  const { path, ...rest } = question;
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { ...rest, redirect: "manual", client, signal });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

async function askRemote(url: string, question: Omit<LocalQuestion, "path">, signal: AbortSignal): Promise<LocalAnswer> {
  const response = await fetch(url, { ...question, redirect: "manual", signal });
  const decoder = new TextDecoder();
  let text = "";
  for await (const piece of response.body ?? []) {
    text += decoder.decode(piece, { stream: true });
    // Leaving the loop closes the connection.
    if (text.length > MOST_ANSWER) break;
  }
  return { status: response.status, headers: response.headers, text };
}

const MOST_ANSWER = 1024 * 1024;
/** Compressed if the browser accepts it, for slow mobile connections. Deno 2.7 always does so, and does not know the key. */
const SMALL_ANSWERS = { automaticCompression: true };

function peerOf(address: Deno.Addr): { host: string; port: number } {
  return address.transport === "tcp" ? { host: address.hostname, port: address.port } : { host: "", port: 0 };
}

function certifies(cert: string, host: string): boolean {
  try {
    const named = new X509Certificate(cert);
    return (named.checkHost(host) ?? named.checkIP(host)) !== undefined;
  } catch {
    // Not a certificate, so it names no host. Serving with it fails with a message.
    return false;
  }
}
