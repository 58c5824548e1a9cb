import { get, type IncomingHttpHeaders } from "node:http";
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createSystem } from "../../../src/system/create_system.ts";
import { faultOf } from "../../../src/system/fault.ts";

const system = createSystem();

Deno.test("listen() serves on a free port until its signal is aborted, and tells who asks", async () => {
  const stop = new AbortController();
  const { host, port, finished } = await system.listen(
    { host: "127.0.0.1", port: 0, handler: (request, peer) => new Response(`${new URL(request.url).pathname} ${peer.host}`) },
    stop.signal,
  );
  assertEquals(await (await fetch(`http://${host}:${port}/path`)).text(), "/path 127.0.0.1");
  stop.abort();
  await finished;
  await assertRejects(() => fetch(`http://${host}:${port}/path`), TypeError);
});

Deno.test("listen() on a port that is taken throws, with the fault busy", async () => {
  const stop = new AbortController();
  const handler = () => new Response();
  const { port, finished } = await system.listen({ host: "127.0.0.1", port: 0, handler }, stop.signal);
  const error = await assertRejects(() => system.listen({ host: "127.0.0.1", port, handler }, stop.signal));
  assertEquals(faultOf(error), "busy");
  stop.abort();
  await finished;
});

Deno.test("listen() tells nothing of a handler's error to the client", async () => {
  const stop = new AbortController();
  const errors: unknown[] = [];
  const { port, finished } = await system.listen({
    host: "127.0.0.1",
    port: 0,
    handler: () => {
      throw new Error("secret detail");
    },
    onError: (error) => errors.push(error),
  }, stop.signal);
  const response = await fetch(`http://127.0.0.1:${port}/`);
  assertEquals([response.status, await response.text()], [500, "Internal error\n"]);
  assertMatch(String(errors), /secret detail/);
  stop.abort();
  await finished;
});

Deno.test("listen() serves again after a connection could not be accepted", async () => {
  const stop = new AbortController();
  const { listen } = Deno;
  const errors: unknown[] = [];
  // What Deno does when the process has too many files open.
  const breaking = (options: Deno.ListenOptions & { transport?: "tcp" }) => {
    const listener = listen(options);
    const accept = listener.accept.bind(listener);
    let fails = true;
    return Object.assign(listener, {
      accept: () => fails ? Promise.reject(new Error("Too many open files", { cause: fails = false })) : accept(),
    });
  };
  Object.assign(Deno, { listen: breaking });
  try {
    const { port, finished } = await system.listen({
      host: "127.0.0.1",
      port: 0,
      handler: () => new Response("here"),
      onError: (error) => errors.push(String(error)),
    }, stop.signal);
    assertEquals(await (await fetch(`http://127.0.0.1:${port}/`)).text(), "here");
    assertEquals(errors, ["Error: Too many open files"]);
    stop.abort();
    await finished;
  } finally {
    Object.assign(Deno, { listen });
  }
});

Deno.test("listen() compresses what a browser can take compressed", async () => {
  const stop = new AbortController();
  const text = "a page ".repeat(1_000);
  const { port, finished } = await system.listen({
    host: "127.0.0.1",
    port: 0,
    handler: () => new Response(text, { headers: { "content-type": "text/javascript; charset=utf-8", etag: '"a"' } }),
  }, stop.signal);
  for (const [asked, bytes] of [["gzip", [1, 1_000]], ["identity", [text.length, text.length]]] as const) {
    const { headers, body } = await rawGet(port, asked);
    assertEquals(headers["content-encoding"], asked === "gzip" ? "gzip" : undefined);
    assert(body.length >= bytes[0] && body.length <= bytes[1], `${asked}: ${body.length}`);
  }
  stop.abort();
  await finished;
});

/** `fetch` would undo the compression unseen. */
function rawGet(port: number, encoding: string): Promise<{ headers: IncomingHttpHeaders; body: Uint8Array }> {
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, headers: { "accept-encoding": encoding } }, (response) => {
      const pieces: Uint8Array[] = [];
      response.on("data", (piece) => pieces.push(piece));
      response.on("end", () => resolve({ headers: response.headers, body: concat(pieces) }));
    }).on("error", reject);
  });
}

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(pieces.flatMap((piece) => [...piece]));
}

Deno.test("upgradeWebSocket() makes a request a WebSocket", async () => {
  const stop = new AbortController();
  const { port, finished } = await system.listen({
    host: "127.0.0.1",
    port: 0,
    handler: (request) => {
      const { socket, response } = system.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => {
        socket.send(`echo ${data}`);
        socket.close();
      };
      return response;
    },
  }, stop.signal);
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  client.onopen = () => client.send("hello");
  const answer = await new Promise((resolve) => client.onmessage = ({ data }) => resolve(data));
  await new Promise((resolve) => client.onclose = resolve);
  assertEquals(answer, "echo hello");
  stop.abort();
  await finished;
});
