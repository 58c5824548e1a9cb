/** HTTP and WebSockets, to and from this process. */
import { X509Certificate } from "node:crypto";
import { onAbort } from "../../async/abort.ts";
import type { RemoteStream, Serving } from "../system.ts";
import { boundedServer } from "./bounded_server.ts";

const MOST_ANSWER = 1024 * 1024;

export const serving: Serving = {
  listen: (options, signal) => boundedServer(options, signal),
  async askLocal(port, { path, mostCharacters = Infinity, ...rest }, signal) {
    // Without a proxy: HTTP_PROXY, common in institutes, would otherwise receive what is meant for this computer.
    using client = Deno.createHttpClient({ proxy: { transport: "tcp", hostname: "127.0.0.1", port } });
    const question = { ...rest, redirect: "manual", client, signal } as const;
    const { status, headers, body } = await fetch(`http://127.0.0.1:${port}${path}`, question);
    return { status, headers, text: await firstOf(textOf(body, signal), mostCharacters) };
  },
  async askRemote(url, question, signal) {
    const { status, headers, pieces } = await serving.hearRemote(url, question, signal);
    return { status, headers, text: await firstOf(pieces, question.mostCharacters ?? MOST_ANSWER) };
  },
  async hearRemote(url, { ca, mostCharacters: _most, ...question }, signal) {
    const client = ca === undefined ? {} : { client: trusting(ca) };
    try {
      const { status, headers, body } = await fetch(url, { ...question, redirect: "manual", signal, ...client });
      return { status, headers, pieces: textOf(body, signal) };
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      // The address may be a secret. Deno 2.9 has the reason in the cause.
      const { message } = error.cause instanceof Error ? error.cause : error;
      throw new TypeError(message.replace(/^error sending request for url \(\S*\): (client error \(\w+\): )?/, ""));
    }
  },
  certifies(cert, host) {
    try {
      const named = new X509Certificate(cert);
      return (named.checkHost(host) ?? named.checkIP(host)) !== undefined;
    } catch {
      // Not a certificate, so it names no host. Serving with it fails with a message.
      return false;
    }
  },
  upgradeWebSocket: (request) => Deno.upgradeWebSocket(request),
};

/** A little more than so many characters of a longer answer. */
async function firstOf(pieces: RemoteStream["pieces"], mostCharacters: number): Promise<string> {
  let text = "";
  for await (const piece of pieces) {
    text += piece;
    // Leaving the loop closes the connection.
    if (text.length > mostCharacters) break;
  }
  return text;
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
