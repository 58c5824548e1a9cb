/** Servers that are no PocketBase, or a sick one: each has its sentence, and none is waited for longer than the time limit. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { ServerFailure } from "../../src/fleet/server_failure.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { pocketbaseSettings } from "./fleet_rig.ts";

const never = new AbortController().signal;

async function faultOf(answer: (request: Request) => Response | Promise<Response>, timeoutMs = 5000): Promise<ServerFailure> {
  const end = new AbortController();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, signal: end.signal, onListen() {} }, answer);
  const settings = { ...pocketbaseSettings(`http://127.0.0.1:${server.addr.port}`, "a@example.org", "secret-word"), timeoutMs };
  try {
    const failure = await assertRejects(() => pocketbaseServer(settings, createSystem()).account(never), ServerFailure);
    assert(!JSON.stringify([failure.message, failure.hint]).includes("secret-word"));
    return failure;
  } finally {
    end.abort();
    await server.finished;
  }
}

const login = { token: "t", record: { id: "a".repeat(15), name: "spring" } };

for (
  const { what, answer, message } of [
    {
      what: "a page of HTML",
      answer: () => new Response("<h1>hello</h1>"),
      message: /does not respond like a PocketBase server/,
    },
    {
      what: "JSON of another kind",
      answer: () => Response.json({ token: 1 }),
      message: /does not respond like a PocketBase server/,
    },
    { what: "nothing there", answer: () => new Response("no", { status: 404 }), message: /Cannot log in/ },
    { what: "an error", answer: () => new Response("broken", { status: 500 }), message: /HTTP 500/ },
    { what: "a redirect", answer: () => Response.redirect("http://192.0.2.1/", 302), message: /HTTP 302|Cannot/ },
    {
      what: "an answer without an end",
      answer: () =>
        new Response(
          new ReadableStream({ pull: (to) => to.enqueue(new TextEncoder().encode(" ".repeat(65_536))) }),
        ),
      message: /Cannot/,
    },
  ]
) {
  Deno.test(`a server that answers with ${what} has its sentence`, async () =>
    assertMatch((await faultOf(answer)).message, message));
}

Deno.test("a server that never answers is given up after the time limit", async () => {
  const waiting = Promise.withResolvers<Response>();
  const failure = await faultOf(() => waiting.promise, 300);
  waiting.resolve(new Response(""));
  assertEquals(failure.code, "timeout");
});

Deno.test("a server that says it has too many requests is asked again later", async () => {
  let asked = 0;
  const end = new AbortController();
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, signal: end.signal, onListen() {} },
    () => ++asked < 3 ? Response.json({}, { status: 429 }) : Response.json(login),
  );
  const settings = pocketbaseSettings(`http://127.0.0.1:${server.addr.port}`, "a@example.org", "secret-word");
  const account = await pocketbaseServer({ ...settings, retryAttempts: 3, retryDelayMs: 1 }, createSystem()).account(never);
  assertEquals([account.name, asked], ["spring", 3]);
  end.abort();
  await server.finished;
});
