import { assertEquals, assertStringIncludes } from "@std/assert";
import { serving } from "../../../src/system/host/serving.ts";

Deno.test("hearRemote() ends an answer that goes on when its signal is aborted, read or not, also after a garbage collection", async () => {
  const url = JSON.stringify(new URL("../../../src/system/host/serving.ts", import.meta.url).href);
  // What is not ended would be waited for without end: then this says so.
  const script = `import { serving } from ${url};
    setTimeout(() => { console.log("not ended"); Deno.exit(); }, 30_000);
    let cancelled;
    const hung = () => new Response(new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode("x")),
      cancel: () => cancelled(),
    }));
    const server = await serving.listen({ host: "127.0.0.1", port: 0, handler: hung }, new AbortController().signal);
    for (const isRead of [true, false]) {
      const end = new AbortController();
      const closed = new Promise((resolve) => cancelled = resolve);
      const question = { method: "POST", headers: {}, body: "x" };
      const { pieces } = await serving.hearRemote("http://127.0.0.1:" + server.port, question, end.signal);
      if (isRead) await pieces.next();
      for (let n = 0; n < 3; n++) { gc(); await new Promise((resolve) => setTimeout(resolve, 1)); }
      end.abort(new Error("late"));
      if (isRead) await pieces.next().catch(({ message }) => console.log(message));
      await closed;
      console.log("closed");
    }
    Deno.exit();`;
  const args = ["eval", "--ext=ts", "--v8-flags=--expose-gc", script];
  const { stdout } = await new Deno.Command(Deno.execPath(), { args, stderr: "inherit" }).output();
  assertEquals(new TextDecoder().decode(stdout), "late\nclosed\nclosed\n");
});

Deno.test("hearRemote() says why nothing answers, and keeps the address to itself", async () => {
  const { port, finished } = await listenBriefly();
  await finished;
  const question = { method: "GET", headers: {} } as const;
  const hidden = await serving.hearRemote(`http://LOCALHOST:${port}/secret?auth=secret`, question, new AbortController().signal)
    .then(() => "", String);
  assertStringIncludes(hidden, "refused");
  assertEquals([hidden.includes("secret"), hidden.includes("localhost")], [false, false]);
});

async function listenBriefly() {
  const stop = new AbortController();
  const listening = await serving.listen({ host: "127.0.0.1", port: 0, handler: () => new Response() }, stop.signal);
  stop.abort();
  return listening;
}
