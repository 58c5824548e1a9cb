import { assertEquals } from "@std/assert";
import { boundedServer, SERVER_LIMITS, type ServerLimits } from "../../../src/system/host/serving.ts";
import type { ListenOptions } from "../../../src/system/system.ts";

/** A server on a free port, and what talks to it byte by byte. */
async function rig(handler: ListenOptions["handler"], limits: Partial<ServerLimits> = {}) {
  const stop = new AbortController();
  const errors: unknown[] = [];
  const { port, finished } = await boundedServer(
    { host: "127.0.0.1", port: 0, handler, onError: (error) => errors.push(error) },
    stop.signal,
    { ...SERVER_LIMITS, ...limits },
  );
  const connections: Deno.Conn[] = [];
  return {
    port,
    errors,
    stop: () => stop.abort(),
    finished,
    /** Connects, and sends this much of a request. */
    async send(text: string): Promise<Deno.Conn> {
      const connection = await Deno.connect({ hostname: "127.0.0.1", port });
      connections.push(connection);
      await connection.write(new TextEncoder().encode(text));
      return connection;
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await finished;
      for (const connection of connections) connection.close();
    },
  };
}

/** All that comes until the server ends the connection. */
async function rest(connection: Deno.Conn): Promise<string> {
  const buffer = new Uint8Array(65536);
  let text = "";
  try {
    for (let count = await connection.read(buffer); count !== null; count = await connection.read(buffer)) {
      text += new TextDecoder().decode(buffer.subarray(0, count));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
  }
  return text;
}

const HALF = "GET / HTTP/1.1\r\nhost: x\r\n";

Deno.test("half a request, any number of times, leaves room for a whole one, and all descriptors but a few", async () => {
  await using r = await rig(() => new Response("here"));
  const halves: Deno.Conn[] = [];
  for (let i = 0; i < 400; i++) halves.push(await r.send(i % 2 === 0 ? HALF : ""));
  assertEquals(await (await fetch(`http://127.0.0.1:${r.port}/`)).text(), "here");
  // All but the last ones have been ended.
  await Promise.all(halves.slice(0, 400 - SERVER_LIMITS.connections).map(rest));
  assertEquals(r.errors, []);
});

Deno.test("headers, bodies and connections that carry nothing have time limits", async () => {
  const answers: string[] = [];
  const handler = async (request: Request) => {
    answers.push(await request.text().catch(({ message }) => message));
    return new Response("here");
  };
  await using r = await rig(handler, { headMs: 100, bodyMs: 100, idleMs: 100 });
  assertEquals(await rest(await r.send("")), "");
  assertEquals(await rest(await r.send(HALF)), "");
  assertEquals(await rest(await r.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\nhalf")), "");
  assertEquals(answers, ["The request was broken off"]);
  assertEquals((await rest(await r.send(`${HALF}\r\n`))).slice(-4), "here");
  // The second request of a connection has no more time for its headers than the first one.
  assertEquals((await rest(await r.send(`${HALF}\r\n${HALF}`))).split("here").length, 2);
  assertEquals(r.errors, []);
});

Deno.test("who does not read its answer is left after a while", async () => {
  const left = Promise.withResolvers<void>();
  const endless = () =>
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(65536)),
      cancel: () => left.resolve(),
    });
  await using r = await rig(() => new Response(endless()), { idleMs: 200 });
  await r.send(`${HALF}\r\n`);
  await left.promise;
});

Deno.test("a request that is being answered, and a WebSocket, yield to nobody", async () => {
  const answered = Promise.withResolvers<Response>();
  const asked = Promise.withResolvers<void>();
  const handler = (request: Request) => {
    if (request.headers.get("upgrade") === "websocket") {
      const { socket, response } = Deno.upgradeWebSocket(request);
      socket.onmessage = ({ data }) => socket.send(data);
      return response;
    }
    asked.resolve();
    return answered.promise;
  };
  await using r = await rig(handler, { connections: 2 });
  const socket = new WebSocket(`ws://127.0.0.1:${r.port}/`);
  await new Promise((resolve) => socket.onopen = resolve);
  const busy = await r.send(`${HALF}connection: close\r\n\r\n`);
  await asked.promise;
  assertEquals(await rest(await r.send(HALF)), "");
  const echo = new Promise((resolve) => socket.onmessage = ({ data }) => resolve(data));
  socket.send("still here");
  assertEquals(await echo, "still here");
  answered.resolve(new Response("whole"));
  assertEquals((await rest(busy)).endsWith("whole"), true);
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
});

Deno.test("half an answer that is sent when the server ends is sent", async () => {
  const asked = Promise.withResolvers<void>();
  const r = await rig(() => {
    asked.resolve();
    return new Response("x".repeat(300_000));
  });
  const connection = await r.send(`${HALF}connection: close\r\n\r\n`);
  await asked.promise;
  const text = rest(connection);
  await text;
  r.stop();
  await r.finished;
  assertEquals((await text).endsWith("x".repeat(300_000)), true);
  connection.close();
});
