import { assertEquals, assertStringIncludes } from "@std/assert";
import { callHook } from "../../../src/events/hooks/call_hook.ts";
import type { Hook, HookEvent } from "../../../src/domain/hook.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { tempFolder } from "../../support/temp.ts";
import { aCommand, aHook, aHookEvent, aWebhook } from "./makers.ts";

const NEVER = new AbortController().signal;
const system = createSystem();
const call = (hook: Partial<Hook>, event: Partial<HookEvent> = {}) =>
  callHook(aHook(hook), aHookEvent(event), "id-1", system, NEVER);

/** Real programs on every system: this Deno runs the text. */
const deno = (text: string, ...args: string[]) => aCommand(Deno.execPath(), "eval", text, ...args);

Deno.test("a command gets its placeholders, as arguments and in its environment, whatever they hold", async () => {
  const path = "/data/$(touch x) {name} ; `id`\n.fits";
  const text =
    "console.log(JSON.stringify([Deno.args, Deno.env.get('IMAGE_TRANSFER_PATH'), Deno.env.get('IMAGE_TRANSFER_ERROR')]))";
  const { result, said } = await call({ receiver: deno(text, "--", "{event}", "{path}", "{nobody}") }, { path });
  assertEquals([result, JSON.parse(said)], ["ok", [["delivered", path, "{nobody}"], path, ""]]);
});

Deno.test("a command starts in its folder", async () => {
  await using folder = await tempFolder();
  const receiver = { kind: "command", argv: [Deno.execPath(), "eval", "console.log(Deno.cwd())"], cwd: folder.path } as const;
  assertEquals((await call({ receiver })).said, await Deno.realPath(folder.path));
});

Deno.test("a command that fails is called again, and what it printed is told", async () => {
  const { result, said } = await call({ receiver: deno("console.error('no network'); Deno.exit(3)") });
  assertEquals([result, said], ["retry", "it exited with code 3: no network"]);
});

Deno.test("a command that hangs is ended at its time limit", async () => {
  const { result, said } = await call({ receiver: deno("await new Promise((go) => setTimeout(go, 60_000))"), timeoutMs: 1000 });
  assertEquals([result, said], ["retry", "no answer within 1 second"]);
});

Deno.test("a program that does not exist keeps the event until it does", async () => {
  const { result, said } = await call({ receiver: aCommand("no-such-program") });
  assertEquals(result, "wait");
  assertStringIncludes(said, 'Cannot start "no-such-program"');
});

/** A server that answers each request with the next of these. */
function server(...answers: (() => Response | Promise<Response>)[]) {
  const requests: { readonly id: string | null; readonly body: unknown }[] = [];
  const made = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    requests.push({ id: request.headers.get("x-image-transfer-id"), body: await request.json() });
    return await (answers.length > 1 ? answers.shift() : answers[0])!();
  });
  return { url: `http://127.0.0.1:${made.addr.port}/hook`, requests, [Symbol.asyncDispose]: () => made.shutdown() };
}

const ANSWERS: [status: number, result: string][] = [
  [200, "ok"],
  [204, "ok"],
  [302, "wait"],
  [400, "refused"],
  [401, "wait"],
  [404, "wait"],
  [422, "refused"],
  [429, "wait"],
  [500, "wait"],
];

for (const [status, expected] of ANSWERS) {
  Deno.test(`a webhook that answers ${status}: ${expected}`, async () => {
    await using there = server(() => new Response(null, { status, headers: status === 302 ? { location: "/elsewhere" } : {} }));
    assertEquals((await call({ receiver: aWebhook(there.url) })).result, expected);
    // A redirect is not followed: the body and its signature are for this address only.
    assertEquals(there.requests.map(({ id }) => id), ["id-1"]);
  });
}

Deno.test("a webhook that is away, or hangs, keeps the event; its address, which may be a secret, is not told", async () => {
  const gone = server(() => new Response());
  await gone[Symbol.asyncDispose]();
  const addresses = [gone.url, gone.url.replace("127.0.0.1", "LOCALHOST")].map((url) => aWebhook(url));
  for (const receiver of [...addresses, { ...aWebhook(`${gone.url}?auth=hook`), format: "ntfy" } as const]) {
    const { result, said } = await call({ receiver });
    assertEquals([result, /^it cannot be reached: .*refused/.test(said), said.includes("hook")], ["wait", true, false], said);
  }
  const hanging = Promise.withResolvers<Response>();
  const there = server(() => hanging.promise);
  assertEquals(await call({ receiver: aWebhook(there.url), timeoutMs: 200 }), {
    result: "wait",
    said: "no answer within 0.2 seconds",
  });
  hanging.resolve(new Response());
  await there[Symbol.asyncDispose]();
});

for (const [status, expected] of [[200, "ok"], [500, "wait"]] as const) {
  Deno.test(`a webhook that answers ${status}, but with a body that does not end: ${expected}`, async () => {
    const begun = () => new ReadableStream({ start: (controller) => controller.enqueue(new TextEncoder().encode("x")) });
    await using there = server(() => new Response(begun(), { status }));
    assertEquals((await call({ receiver: aWebhook(there.url), timeoutMs: 2000 })).result, expected);
  });
}
