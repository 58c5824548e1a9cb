import { assert, assertEquals, assertRejects } from "@std/assert";
import { workerCalls, workerUrl } from "../../../src/system/workers/worker_calls.ts";
import type { EchoCalls } from "./echo_worker.ts";

const echo = (restMs?: number) =>
  workerCalls<EchoCalls>({
    name: "echo_worker",
    here: import.meta.url,
    what: "The echo",
    ...(restMs === undefined ? {} : { restMs }),
  });

Deno.test("workerCalls() starts the Worker with the first call, and answers each call when it is done", async () => {
  using worker = echo();
  assertEquals(worker.running, false);
  const waiting = worker.call("waits");
  assertEquals([await worker.call("sum", 1, 2), await worker.call("sum", 3, 4), worker.running], [3, 7, true]);
  await worker.call("release");
  assertEquals(await waiting, "released");
});

Deno.test("workerCalls() throws what the call threw there, with its class and code", async () => {
  using worker = echo();
  const error = await assertRejects(() => worker.call("missing"), Deno.errors.NotFound);
  assertEquals((error as Error & { code: string }).code, "ENOENT");
  await assertRejects(() => worker.call("throwsText"), Error, "no error at all");
});

Deno.test("workerCalls() rejects what is not answered when the Worker breaks, and starts another", async () => {
  using worker = echo();
  assertEquals([await worker.call("count"), await worker.call("count")], [1, 2]);
  const waiting = assertRejects(() => worker.call("waits"), Error, "The echo broke off: Uncaught Error: out of order");
  await worker.call("breaks");
  await waiting;
  assertEquals([worker.running, await worker.call("count")], [false, 1]);
});

Deno.test("workerCalls() rejects what is not answered when it is ended, with the reason", async () => {
  using worker = echo();
  const waiting = assertRejects(() => worker.call("waits"), Error, "not wanted");
  worker.end(new Error("not wanted"));
  await waiting;
  assertEquals(worker.running, false);
});

Deno.test("workerCalls() ends the Worker when it has nothing to do, not while it is busy", async () => {
  using worker = echo(10);
  const waiting = worker.call("waits");
  assertEquals(await worker.call("count"), 1);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assertEquals(await worker.call("count"), 2);
  await worker.call("release");
  await waiting;
  for (let tries = 0; worker.running && tries < 500; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert(!worker.running);
  assertEquals(await worker.call("count"), 1);
});

Deno.test("workerUrl() is beside the source, and beside the bundle in the binary", () => {
  assertEquals(workerUrl("walk_worker", "file:///p/src/system/walk.ts"), "file:///p/src/system/walk_worker.ts");
  assertEquals(workerUrl("walk_worker", "file:///tmp/x/bundle/main.js"), "file:///tmp/x/bundle/walk_worker.js");
});
