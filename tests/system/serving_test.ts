import { assertEquals, assertMatch, assertRejects } from "@std/assert";
import { createSystem } from "../../src/system/create_system.ts";
import { faultOf } from "../../src/system/fault.ts";

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
