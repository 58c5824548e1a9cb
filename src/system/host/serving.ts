/**
 * HTTP and WebSockets, to and from this process. `Deno.serve` has no time limits and no bound on connections, so half a request, sent often
 * enough, takes all file descriptors of the process. So connections are accepted, counted and timed first, and each is passed on to a
 * `Deno.serve` of its own.
 */
import { X509Certificate } from "node:crypto";
import { anySignal, onAbort, unlessAborted } from "../../async/abort.ts";
import type { Listening, ListenOptions, RemoteStream, Serving } from "../system.ts";
import { join } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { clock } from "./clock.ts";
import { runtimeFolder } from "./surroundings.ts";

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

/** What strangers may take up; times in milliseconds. */
export interface ServerLimits {
  /** Connections at a time, WebSockets included, and how many of them come from one other computer. */
  readonly connections: number;
  readonly ofOnePeer: number;
  /** From the connection, or the first byte of a further request, to the end of its headers. */
  readonly headMs: number;
  /** From the end of the headers to the end of the body. */
  readonly bodyMs: number;
  /** How long nothing may pass on a connection that waits for its next request or carries an answer. */
  readonly idleMs: number;
}

export const SERVER_LIMITS: ServerLimits = {
  connections: 128,
  ofOnePeer: 32,
  headMs: 5_000,
  bodyMs: 30_000,
  idleMs: 60_000,
};

const ACCEPT_AGAIN_MS = 1_000;
/** How long what is being sent when the server ends may still take. */
const LAST_WORDS_MS = 1_000;
/** Compressed if the browser accepts it, for slow mobile connections. Deno 2.7 always does so, and does not know the key. */
const SMALL_ANSWERS = { automaticCompression: true };

/** Listens until the signal is aborted. Whoever has not sent a whole request yields to a new connection when there are too many. */
export async function boundedServer(options: ListenOptions, signal: AbortSignal, limits = SERVER_LIMITS): Promise<Listening> {
  signal.throwIfAborted();
  const { host: hostname, port, tls } = options;
  // Without one where no folder can be kept from others: on Windows, and where nothing can be written.
  const folder = Deno.build.os === "windows" ? null : await runtimeFolder().catch(() => null);
  const tools: ConnectionTools = { options, limits, folder };
  const listener = tls === undefined ? Deno.listen({ hostname, port }) : Deno.listenTls({ hostname, port, ...tls });
  const open = new Set<Connection>();
  const over = Promise.withResolvers<void>();
  onAbort(signal, () => {
    listener.close();
    for (const connection of open) connection.endSoon();
    void Promise.all([...open].map(({ closed }) => closed)).then(() => over.resolve());
  });
  void acceptAll(listener, options, signal, (accepted) => {
    const peer = accepted.remoteAddr.hostname;
    if (!makeRoom(open, peer, limits)) return close(accepted);
    const connection = new Connection(accepted, peer, tools);
    open.add(connection);
    void connection.finished.then(() => open.delete(connection));
  });
  return { host: listener.addr.hostname, port: listener.addr.port, finished: over.promise };
}

async function acceptAll(
  listener: Deno.Listener<Deno.TcpConn | Deno.TlsConn, Deno.NetAddr>,
  { onError }: ListenOptions,
  signal: AbortSignal,
  take: (accepted: Deno.TcpConn | Deno.TlsConn) => void,
): Promise<void> {
  let fails = false;
  while (!signal.aborted) {
    try {
      take(await listener.accept());
      fails = false;
    } catch (error) {
      if (signal.aborted) return;
      // One outage is told once, however long it lasts.
      if (!fails) onError?.(error);
      fails = true;
      await clock.sleep(ACCEPT_AGAIN_MS, signal);
    }
  }
}

/** Programs on this computer all come from one address, as do all users of a reverse proxy here: only the bound on all holds for them. */
function makeRoom(open: ReadonlySet<Connection>, peer: string, { connections, ofOnePeer }: ServerLimits): boolean {
  const ofPeer = [...open].filter((one) => one.peer === peer);
  const isHere = peer === "::1" || /^(?:::ffff:)?127\./.test(peer);
  const candidates = !isHere && ofPeer.length >= ofOnePeer ? ofPeer : [...open];
  if (candidates.length < (candidates === ofPeer ? ofOnePeer : connections)) return true;
  // The oldest one of those in the least useful phase; a set is in the order of its beginnings.
  for (const phase of ["head", "body", "idle"] as const) {
    const oldest = candidates.filter((one) => one.phase === phase).sort((a, b) => a.since - b.since)[0];
    if (oldest === undefined) continue;
    oldest.end();
    return true;
  }
  return false;
}

interface ConnectionTools {
  readonly options: ListenOptions;
  readonly limits: ServerLimits;
  /** Where only this account can reach a socket; null without. */
  readonly folder: string | null;
}

/** head, body: a request arrives; busy: it is being answered; idle: its answer goes out, or nothing happens; socket: a WebSocket. */
type Phase = "head" | "body" | "busy" | "idle" | "socket";

/** One connection of a stranger, and the server that only it can reach. */
class Connection {
  phase: Phase = "head";
  since = performance.now();
  /** Resolves when nothing of it is left. On Deno 2.7 a write that waits for the other side outlives the close. */
  readonly finished: Promise<void>;
  /** Resolves when both its ends are closed. */
  readonly closed: Promise<void>;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #inner: Inner | null = null;
  readonly #end = anySignal();

  constructor(readonly outer: Deno.TcpConn | Deno.TlsConn, readonly peer: string, readonly tools: ConnectionTools) {
    this.#expect("head", tools.limits.headMs);
    this.finished = this.#carry().catch((error) => {
      // Whoever breaks a connection off gets no attention; what we cannot open is ours to say.
      if (this.#inner === null && !this.#end.signal.aborted && !BROKEN_OFF.some((kind) => error instanceof kind)) {
        this.tools.options.onError?.(error);
      }
    }).finally(() => this.end()).then(() => this.#inner?.finished);
    this.closed = unlessAborted(this.finished, this.#end.signal, undefined).then(() => this.#inner?.finished);
  }

  end(): void {
    this.#end.abort();
    this.#expect("busy", null);
    close(this.outer);
    this.#inner?.end();
  }

  /** Sends what is under way. */
  endSoon(): void {
    if (this.#inner === null) return this.end();
    this.#inner.stop();
    this.#expect(this.phase, LAST_WORDS_MS);
  }

  #expect(phase: Phase, ms: number | null): void {
    if (phase !== this.phase) this.since = performance.now();
    clearTimeout(this.#timer);
    // What has been ended makes no more room.
    this.phase = this.#end.signal.aborted ? "busy" : phase;
    if (ms !== null && !this.#end.signal.aborted) this.#timer = setTimeout(() => this.end(), ms);
  }

  async #carry(): Promise<void> {
    const head = await readHead(this.outer);
    if (head === null) return;
    const inner = await openInner(this.tools.folder, (request) => this.#answer(request));
    this.#inner = inner;
    if (this.#end.signal.aborted) return inner.end();
    await writeAll(inner.connection, head);
    const { headMs, idleMs } = this.tools.limits;
    void pass(this.outer, inner.connection, () => {
      if (this.phase === "idle") this.#expect("head", headMs);
      if (this.phase === "socket") this.#expect("socket", idleMs);
    }).catch(() => this.end());
    // An answer may follow the end of what was asked; nothing follows the end of the answers.
    await pass(inner.connection, this.outer, () => {
      if (this.phase === "idle" || this.phase === "socket") this.#expect(this.phase, idleMs);
    });
  }

  async #answer(request: Request): Promise<Response> {
    const { options: { handler }, limits } = this.tools;
    const hasBody = request.body !== null;
    this.#expect(hasBody ? "body" : "busy", hasBody ? limits.bodyMs : null);
    const { port } = this.outer.remoteAddr as Deno.NetAddr;
    try {
      const response = await handler(hasBody ? this.#timed(request) : request, { host: this.peer, port });
      this.#expect(response.status === 101 ? "socket" : "idle", limits.idleMs);
      return response;
    } catch (error) {
      this.tools.options.onError?.(error);
      this.#expect("idle", limits.idleMs);
      return new Response("Internal error\n", { status: 500 });
    }
  }

  /** The request with a body whose end ends its time limit. Not made from the request itself: Deno then warns of its signal. */
  #timed({ url, method, headers, body }: Request): Request {
    const reader = body!.getReader();
    let missing = Number(headers.get("content-length"));
    const timed = new ReadableStream({
      pull: async (controller) => {
        try {
          const { value } = await reader.read();
          missing -= value?.length ?? 0;
          if (value !== undefined) return controller.enqueue(value);
          // Deno 2.7 takes the end of the connection for the end of the body.
          if (missing > 0) throw new Deno.errors.UnexpectedEof();
          if (this.phase === "body") this.#expect("busy", null);
          controller.close();
        } catch (cause) {
          controller.error(new Failure("unreachable", "The request was broken off", { cause }));
        }
      },
      cancel: (reason) => reader.cancel(reason),
    });
    return new Request(url.replace(/^http\+unix:/, "http:"), { method, headers, body: timed });
  }
}

const PIECE = 32 * 1024;
const [LF, CR] = [10, 13];

/** What comes up to an empty line or more, so that half a request costs no server; null where the other side leaves before. */
async function readHead(from: Deno.Conn): Promise<Uint8Array | null> {
  const buffer = new Uint8Array(PIECE);
  let [length, lineLength] = [0, 0];
  // A longer one is for the server to refuse.
  while (length < PIECE) {
    const count = await from.read(buffer.subarray(length));
    if (count === null) return null;
    for (const byte of buffer.subarray(length, length += count)) {
      if (byte === LF && lineLength === 0) return buffer.subarray(0, length);
      if (byte === LF) lineLength = 0;
      else if (byte !== CR) lineLength++;
    }
  }
  return buffer;
}

async function pass(from: Deno.Conn, to: Deno.Conn, passing: () => void): Promise<void> {
  const buffer = new Uint8Array(PIECE);
  for (let count = await from.read(buffer); count !== null; count = await from.read(buffer)) {
    passing();
    await writeAll(to, buffer.subarray(0, count));
  }
  await to.closeWrite();
}

async function writeAll(to: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await to.write(rest));
}

type Inner = Awaited<ReturnType<typeof connectTo>>;

let sockets = 0;

/** A server for one connection, and our end of it. */
async function openInner(folder: string | null, answer: (request: Request) => Promise<Response>): Promise<Inner> {
  const stopping = new AbortController();
  const base = { signal: stopping.signal, onListen: () => undefined, ...SMALL_ANSWERS };
  if (folder !== null) {
    const path = join(folder, `h${Deno.pid}-${sockets++}`);
    const server = Deno.serve({ ...base, path }, answer);
    return await connectTo(server, stopping, async () => {
      try {
        return await Deno.connect({ transport: "unix", path });
      } finally {
        await Deno.remove(path);
      }
    });
  }
  let ours = 0;
  const server = Deno.serve({ ...base, hostname: "127.0.0.1", port: 0 }, (request, { remoteAddr }) => {
    // Other accounts can reach this port as well.
    return remoteAddr.port === ours ? answer(request) : new Response(null, { status: 403 });
  });
  return await connectTo(server, stopping, async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.addr.port });
    ours = connection.localAddr.port;
    return connection;
  });
}

async function connectTo(
  server: Deno.HttpServer<Deno.Addr>,
  stopping: AbortController,
  connect: () => Promise<Deno.Conn>,
) {
  /** Takes no further request. */
  const stop = () => stopping.abort();
  // A server that cannot accept (too many files are open) fails, and the connection to it with it.
  const finished = server.finished.catch(() => undefined);
  try {
    const connection = await connect();
    const end = () => {
      close(connection);
      stop();
    };
    return { connection, finished, stop, end };
  } catch (error) {
    stop();
    await finished;
    throw error;
  }
}

function close(connection: Deno.Conn): void {
  try {
    connection.close();
  } catch (error) {
    // Closed already.
    if (!(error instanceof Deno.errors.BadResource)) throw error;
  }
}

const { ConnectionReset, BrokenPipe, UnexpectedEof, InvalidData, Interrupted, BadResource } = Deno.errors;
const BROKEN_OFF = [ConnectionReset, BrokenPipe, UnexpectedEof, InvalidData, Interrupted, BadResource];
