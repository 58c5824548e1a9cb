/** A daemon with its web server, running in this process on real files, and a browser without a window: it keeps cookies. */
import { join } from "@std/path";
import type { LiveMessage } from "../../src/reports/api_types.ts";
import type { System } from "../../src/system/system.ts";
import { type DaemonRig, daemonRig } from "../support/daemon_rig.ts";
import { tempFolder } from "../support/temp.ts";

export interface WebRig extends DaemonRig {
  /** Where the server is, without a path: `http://127.0.0.1:4711`. */
  readonly origin: string;
  readonly port: number;
  readonly token: string;
  /** Name and value of a session's cookie. */
  readonly cookie: string;
  /** Asks with a session, as the page does. */
  get(path: string, headers?: Record<string, string>): Promise<Response>;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  json<T>(path: string): Promise<T>;
}

/** Starts one with a home folder of its own; see {@linkcode daemonRig}. */
export async function webRig(config: Record<string, unknown> = {}, instead: Partial<System> = {}): Promise<WebRig> {
  const home = await tempFolder();
  const rig = await daemonRig({ web: { listen: "127.0.0.1:0" }, ...config }, { instead: { home: home.path, ...instead } });
  const end = rig[Symbol.asyncDispose].bind(rig);
  const start = new URL(rig.daemon.opening()?.once ?? "http://nowhere/");
  const token = (JSON.parse(await Deno.readTextFile(join(rig.settings().stateDirectory, "web.json"))) as { token: string }).token;
  // A daemon that has ended at once, because its ledger is damaged, say, has no page any more.
  const { cookie } = await login(
    `${start.origin}/?token=${config["web"] === undefined ? token : start.searchParams.get("token")}`,
  )
    .catch((error) => rig.daemon.stopped.then(() => ({ cookie: "" }), () => Promise.reject(error)));
  const headersOf = (more: Record<string, string>) => ({ cookie, ...more });
  return Object.assign(rig, {
    origin: start.origin,
    port: Number(start.port),
    token,
    cookie,
    async [Symbol.asyncDispose]() {
      await end();
      await home[Symbol.asyncDispose]();
    },
    get: (path: string, headers: Record<string, string> = {}) =>
      fetch(`${start.origin}${path}`, { headers: headersOf(headers), redirect: "manual" }),
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      fetch(`${start.origin}${path}`, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers: headersOf({ "content-type": "application/json", origin: start.origin, ...headers }),
        redirect: "manual",
      }),
    async json<T>(path: string): Promise<T> {
      const response = await fetch(`${start.origin}${path}`, { headers: { cookie } });
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return await response.json() as T;
    },
  });
}

/** Begins a session by an address with a token in it. */
export async function login(address: string): Promise<{ readonly cookie: string; readonly response: Response }> {
  const response = await fetch(address, { redirect: "manual" });
  await response.body?.cancel();
  return { cookie: (response.headers.get("set-cookie") ?? "").split(";")[0]!, response };
}

interface RawAnswer {
  readonly status: number;
  readonly text: string;
}

/** Sends these bytes as they are: what `fetch` would not send; over TLS with `caCerts`. */
export async function raw(port: number, lines: readonly string[], body = "", caCerts?: string[]): Promise<RawAnswer> {
  const connection = caCerts === undefined
    ? await Deno.connect({ hostname: "127.0.0.1", port })
    : await Deno.connectTls({ hostname: "localhost", port, caCerts });
  const request = [...lines, "connection: close", "", body].join("\r\n");
  let text = "";
  try {
    await Promise.all([
      (async () => {
        for (let bytes = new TextEncoder().encode(request); bytes.length > 0;) {
          bytes = bytes.subarray(await connection.write(bytes));
        }
      })(),
      (async () => {
        for await (
          const piece of connection.readable.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>)
        ) {
          text += piece;
        }
      })(),
    ]);
  } catch (error) {
    // Who is refused while still sending gets the answer, then a reset.
    if (!(error instanceof Deno.errors.ConnectionReset || error instanceof Deno.errors.BrokenPipe)) throw error;
  }
  return { status: Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0), text };
}

interface LiveClient extends AsyncDisposable {
  readonly messages: LiveMessage[];
  readonly closed: Promise<CloseEvent>;
  /** Waits until one of the messages, also of those that came, is what is asked for. */
  until(wanted: (message: LiveMessage) => boolean): Promise<LiveMessage>;
  readonly socket: WebSocket;
}

/** A page's WebSocket. Deno's own can set headers. */
export async function live(rig: Pick<WebRig, "origin" | "cookie">, headers: Record<string, string> = {}): Promise<LiveClient> {
  const options = { headers: { cookie: rig.cookie, origin: rig.origin, ...headers } } as unknown as string[];
  const socket = new WebSocket(`${rig.origin.replace("http", "ws")}/api/live`, options);
  const messages: LiveMessage[] = [];
  socket.onmessage = ({ data }) => void messages.push(JSON.parse(data) as LiveMessage);
  const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => resolve();
    socket.onerror = (event) => reject(new Error(event instanceof ErrorEvent ? event.message : "refused"));
  });
  return {
    messages,
    closed,
    socket,
    async until(wanted) {
      for (let turn = 0; turn < 3000; turn++) {
        const found = messages.find(wanted);
        if (found) return found;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
      throw new Error(`no such message: ${wanted}; ${JSON.stringify(messages).slice(-2000)}`);
    },
    async [Symbol.asyncDispose]() {
      socket.close();
      await closed;
    },
  };
}
