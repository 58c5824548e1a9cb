/** Servers that are no PocketBase, or a sick one: each has its sentence, and none is waited for longer than the time limit. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { daemons } from "../../src/fleet/accounts.ts";
import { type PocketbaseServer, pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { listCommands } from "../../src/fleet/remote_commands.ts";
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
    {
      what: "nothing there",
      answer: () => new Response("no", { status: 404 }),
      message: /Cannot use .*: another program answers there \(HTTP 404\)/,
    },
    {
      what: "nothing there, as an old PocketBase does",
      answer: () => Response.json({ message: "Missing collection." }, { status: 404 }),
      message: /Cannot use .*: it is not PocketBase 0\.32 or later/,
    },
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

/** A server that lets everybody in, and answers all else with `answer`. */
async function hostile(answer: (url: URL) => unknown, ask: (server: PocketbaseServer) => Promise<void>): Promise<void> {
  const end = new AbortController();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, signal: end.signal, onListen() {} }, (request) => {
    const url = new URL(request.url);
    return Response.json(/auth-/.test(url.pathname) ? login : answer(url));
  });
  try {
    await ask(
      pocketbaseServer(
        pocketbaseSettings(`http://127.0.0.1:${server.addr.port}`, "a@example.org", "secret-word"),
        createSystem(),
      ),
    );
  } finally {
    end.abort();
    await server.finished;
  }
}

Deno.test("a server whose records never end is given up before they fill the memory", async () => {
  const items = Array.from({ length: 200 }, (_, index) => ({ id: String(index), settings: "x".repeat(35_000) }));
  let pages = 0;
  const answer = () => (pages++, { items });
  await hostile(answer, async (server) => {
    await assertRejects(() => server.all("jobs", {}, never), ServerFailure, "does not respond like a PocketBase server");
  });
  assert(pages < 20, `${pages} pages of 7 MB`);
});

Deno.test("commands of a hostile server have the shape that the page and a terminal need", async () => {
  const command = {
    daemon: 1,
    issued_by: 2,
    issued_as: 3,
    action: 4,
    argument: 5,
    state: 6,
    answer: 7,
    created: "\u001b[2J",
    updated: 8,
  };
  const answer = ({ pathname }: URL) => ({ items: pathname.includes("commands") ? [command] : [{ id: "a", name: "nas" }] });
  await hostile(answer, async (server) => {
    const [listed] = await listCommands(server, never);
    assertEquals(listed, {
      at: "1970-01-01T00:00:00.000Z",
      from: "an unknown computer",
      to: "an unknown computer",
      // Of the wrong type.
      action: "",
      argument: "",
      state: "waiting",
      answer: "it has expired: its computer did not connect within an hour",
      answered_at: null,
    });
  });
});

Deno.test("a server whose computers have no names is none of PocketBase", async () => {
  await hostile(() => ({ items: [{ id: "a", name: 5 }] }), async (server) => {
    await assertRejects(() => daemons(server, never), ServerFailure, "does not respond like a PocketBase server");
  });
});
