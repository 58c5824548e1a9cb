/**
 * HTTP and WebSockets, over `Deno.serve`.
 *
 * @module
 */
import { X509Certificate } from "node:crypto";
import { onAbort } from "../../async/abort.ts";
import type { Listening, ListenOptions, LocalAnswer, LocalQuestion, Serving } from "../system.ts";
import { clock } from "./clock.ts";
import type { RemoteQuestion, RemoteStream } from "./host.ts";

export const serving: Serving = {
  listen,
  askLocal,
  askRemote,
  hearRemote,
  certifies,
  upgradeWebSocket: (request) => Deno.upgradeWebSocket(request),
};

// Asynchronous by contract: the port may be taken, and a caller awaits and catches in one place.
// deno-lint-ignore require-await
async function listen(options: ListenOptions, signal: AbortSignal): Promise<Listening> {
  signal.throwIfAborted();
  const first = serve(options, signal);
  const { hostname, port } = first.server.addr;
  return { host: hostname, port, finished: keepServing(first, { ...options, port }, signal) };
}

/** A server, and what ends it when the signal is aborted: one that has ended on its own must not be ended again. */
interface Served {
  readonly server: Deno.HttpServer<Deno.NetAddr>;
  readonly following: Disposable;
}

function serve(options: ListenOptions, signal: AbortSignal): Served {
  const end = new AbortController();
  const server = Deno.serve(
    {
      hostname: options.host,
      port: options.port,
      signal: end.signal,
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
  return { server, following: onAbort(signal, () => end.abort(signal.reason)) };
}

/** A server of Deno ends at the first connection that it cannot accept, as when the process has too many files open: another one takes its place. */
async function keepServing(first: Served, options: ListenOptions, signal: AbortSignal): Promise<void> {
  for (let served: Served | null = first; !signal.aborted;) {
    try {
      served ??= serve(options, signal);
      return await served.server.finished;
    } catch (error) {
      // One outage is told once, however long it lasts.
      if (served !== null) options.onError?.(error);
      served?.following[Symbol.dispose]();
      served = null;
      await clock.sleep(SERVE_AGAIN_MS, signal);
    }
  }
}

const SERVE_AGAIN_MS = 1_000;

async function askLocal(port: number, question: LocalQuestion, signal: AbortSignal): Promise<LocalAnswer> {
  // Without a proxy: HTTP_PROXY, common in institutes, would otherwise receive what is meant for this computer.
  using client = Deno.createHttpClient({ proxy: { transport: "tcp", hostname: "127.0.0.1", port } });
  const { path, ...rest } = question;
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { ...rest, redirect: "manual", client, signal });
  return { status: response.status, headers: response.headers, text: await response.text() };
}

async function askRemote(url: string, question: RemoteQuestion, signal: AbortSignal): Promise<LocalAnswer> {
  const { status, headers, pieces } = await hearRemote(url, question, signal);
  let text = "";
  for await (const piece of pieces) {
    text += piece;
    // Leaving the loop closes the connection.
    if (text.length > (question.mostCharacters ?? MOST_ANSWER)) break;
  }
  return { status, headers, text };
}

async function hearRemote(
  url: string,
  { ca, mostCharacters: _most, ...question }: RemoteQuestion,
  signal: AbortSignal,
): Promise<RemoteStream> {
  const client = ca === undefined ? {} : { client: trusting(ca) };
  try {
    const { status, headers, body } = await fetch(url, { ...question, redirect: "manual", signal, ...client });
    return { status, headers, pieces: textOf(body, signal) };
  } catch (error) {
    throw error instanceof TypeError ? withoutAddress(error) : error;
  }
}

/** The address may be a secret. Deno 2.9 has the reason in the cause. */
function withoutAddress(error: TypeError): TypeError {
  const { message } = error.cause instanceof Error ? error.cause : error;
  return new TypeError(message.replace(/^error sending request for url \(\S*\): (client error \(\w+\): )?/, ""));
}

/** Ends with the signal, read or not: Deno itself no longer listens to that once the response has been collected as garbage. */
function textOf(body: ReadableStream<Uint8Array> | null, signal: AbortSignal): RemoteStream["pieces"] {
  const reader = body?.getReader();
  const decoder = new TextDecoder();
  // It may have failed already.
  const close = () => void reader?.cancel().catch(() => undefined);
  const listening = onAbort(signal, close);
  const end = () => {
    listening[Symbol.dispose]();
    close();
    return { done: true, value: undefined } as const;
  };
  return {
    async next() {
      const { value } = await reader?.read() ?? {};
      signal.throwIfAborted();
      return value === undefined ? end() : { value: decoder.decode(value, { stream: true }) };
    },
    return: () => Promise.resolve(end()),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}

/** One for all requests that trust the same certificates, so that connections are used again. */
let trusted: { readonly ca: string; readonly client: Deno.HttpClient } | null = null;

function trusting(ca: string): Deno.HttpClient {
  if (trusted?.ca === ca) return trusted.client;
  const client = Deno.createHttpClient({ caCerts: [ca] });
  trusted?.client.close();
  trusted = { ca, client };
  return client;
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
