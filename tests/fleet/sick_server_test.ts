/**
 * A real PocketBase behind a front that answers nonsense, too much, half, or for ever: at every step it is told as a fault within the
 * time limit, little of it is read, and nothing is lost or changed by it.
 */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { JOBS, LOGS } from "../../src/fleet/collections.ts";
import { fetchJobs } from "../../src/fleet/jobs_of_server.ts";
import { logSpool, uploadLogs } from "../../src/fleet/log_upload.ts";
import { pocketbaseServer } from "../../src/fleet/pocketbase_server.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { fleetServer, never } from "./link_rig.ts";

type Answer = (count: (bytes: number) => void) => Response;

/** A body of these pieces; it breaks off, goes on or ends after them. */
function body(
  piece: () => Uint8Array<ArrayBuffer> | "break" | "end" | null,
  count: (bytes: number) => void,
): ReadableStream<Uint8Array> {
  return new ReadableStream({
    pull(to) {
      const next = piece();
      if (next === null) return new Promise(() => {});
      if (next === "break") return to.error(new Error("broken on purpose"));
      if (next === "end") return to.close();
      count(next.length);
      to.enqueue(next);
    },
  });
}

const bytes = (text: string) => new TextEncoder().encode(text);
const once = (first: string, then: "break" | "end" | null) => {
  let isFirst = true;
  return () => {
    if (!isFirst) return then;
    isFirst = false;
    return bytes(first);
  };
};
// Deno 2.7 compresses answers otherwise, and counts what was not sent.
const PLAIN = { "cache-control": "no-transform" };
const json = { headers: { ...PLAIN, "content-type": "application/json" } };

const SICK: Readonly<Record<string, Answer>> = {
  "a page for people": (count) =>
    new Response(body(once("<h1>Sign in to the guest network</h1>", "end"), count), { headers: PLAIN }),
  "JSON of another kind": (count) => new Response(body(once('{"items":[1,null],"token":7}', "end"), count), json),
  "nothing at all": () => new Response("", json),
  "half an answer": (count) => new Response(body(once('{"items":[{"name":"gui', "end"), count), json),
  "an answer that breaks off": (count) => new Response(body(once('{"items":[{"name":"gui', "break"), count), json),
  "an answer that stops coming": (count) => new Response(body(once('{"items":[', null), count), json),
  "10 MB": (count) => new Response(body(once(`{"items":["${"x".repeat(10_000_000)}"]}`, "end"), count), json),
  "an answer without an end": (count) => new Response(body(() => bytes("[".repeat(65_536)), count), json),
  "an event without an end": (count) => {
    const piece = once("event: PB_CONNECT\ndata: ", null);
    return new Response(body(() => piece() ?? bytes("x".repeat(65_536)), count), {
      headers: { ...PLAIN, "content-type": "text/event-stream" },
    });
  },
};

/** What is read of any answer at most, with what fits into the buffers of both sockets. */
const MOST_READ = 40_000_000;

Deno.test({
  name: "a server that answers nonsense, too much, half or for ever is a fault at every step, and changes nothing",
  ignore: !has("pocketbase"),
  // Answers that never end are left to the connection that was closed.
  sanitizeResources: false,
  sanitizeOps: false,
  async fn() {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    const settings = { watch_path: "/guider", remote_base_path: "/nas" };
    await server.root.ask(`/api/collections/${JOBS}/records`, {
      method: "POST",
      body: { name: "guider", enabled: true, settings },
    }, never);
    const system = createSystem();
    const sick: { answer: Answer | null; at: RegExp; read: number } = { answer: null, at: /$^/, read: 0 };
    const end = new AbortController();
    const front = Deno.serve(
      { hostname: "127.0.0.1", port: 0, signal: end.signal, onListen() {}, onError: () => new Response() },
      (request) => {
        const { pathname, search } = new URL(request.url);
        if (sick.answer !== null && sick.at.test(pathname)) return sick.answer((length) => sick.read += length);
        return fetch(`${server.url}${pathname}${search}`, request);
      },
    );
    const account = { ...server.account, url: `http://127.0.0.1:${front.addr.port}`, timeoutMs: 1500 };
    const client = pocketbaseServer(account, system);
    const identity = { id: server.id, name: "spring" };
    const spool = await logSpool(folder.at("spool"), system);
    const lines = Array.from({ length: 60 }, (_, index) => ({
      id: String(index).padStart(15, "0"),
      time: new Date(index).toISOString(),
      level: "info" as const,
      message: `line ${index}`,
    }));
    await spool.write(lines);
    // It was sent once already: so what is there is asked for.
    await server.root.ask(
      `/api/collections/${LOGS}/records`,
      { method: "POST", body: { ...lines[0], daemon: server.id } },
      never,
    );
    await client.account(never);
    let hearings = 0;
    const steps = {
      "login": { at: /auth-with-password/, act: () => pocketbaseServer(account, system).account(never) },
      "renewing the login": { at: /auth-refresh/, act: () => client.renew(never) },
      "reading the jobs": { at: /_jobs\/records/, act: () => fetchJobs(client, identity, never) },
      "uploading the log": { at: /api\/batch/, act: () => uploadLogs(spool, identity, client, never) },
      "finding what is there": { at: /_logs\/records/, act: () => uploadLogs(spool, identity, client, never) },
      "hearing changes": {
        at: /api\/realtime/,
        async act() {
          await client.listen(new Map([[`${JOBS}/*`, () => {}]]), { hearing: () => hearings++, silentMs: 60_000 }, never);
          throw new Failure("interrupted", "the connection ended");
        },
      },
    };
    for (const [what, answer] of Object.entries(SICK)) {
      for (const [step, { at, act }] of Object.entries(steps)) {
        Object.assign(sick, { answer, at, read: 0 });
        const began = performance.now();
        const fault = await act().then(() => "nothing", (error) => error);
        assert(fault instanceof Failure, `${what} at ${step}: ${fault}`);
        assert(performance.now() - began < 60_000, `${what} at ${step} took too long`);
        assert(sick.read < MOST_READ, `${what} at ${step}: ${sick.read} bytes were read`);
      }
    }
    assertEquals([spool.counts().waiting, hearings], [60, 0]);

    sick.answer = null;
    const patient = pocketbaseServer({ ...account, timeoutMs: 10_000 }, system);
    assertEquals((await fetchJobs(patient, identity, never)).map(({ name }) => name), ["guider"]);
    await uploadLogs(spool, identity, patient, never);
    const there = await server.root.all<{ message: string }>(LOGS, { sort: "time" }, never);
    assertEquals(there.map(({ message }) => message), lines.map(({ message }) => message));
    end.abort();
    await front.finished;
  },
});

Deno.test("Retry-After is obeyed: until then nothing is sent, and no server is obeyed for more than a quarter of an hour", async () => {
  let asked = 0;
  let told = "7";
  const end = new AbortController();
  const front = Deno.serve({ hostname: "127.0.0.1", port: 0, signal: end.signal, onListen() {} }, () => {
    asked++;
    return Response.json({ message: "Slow down." }, { status: 429, headers: { "retry-after": told } });
  });
  let passed = 0;
  const slept: number[] = [];
  const system = {
    ...createSystem(),
    now: () => Date.UTC(2026, 0, 15, 20),
    monotonic: () => passed,
    // Time limits sleep, too: they never end here.
    sleep: (ms: number) => ms === 5000 ? new Promise<void>(() => {}) : Promise.resolve(void slept.push(ms)),
  };
  const { pocketbaseSettings } = await import("./fleet_rig.ts");
  const settings = {
    ...pocketbaseSettings(`http://127.0.0.1:${front.addr.port}`, "a@daemon.invalid", "secret-word"),
    retryAttempts: 2,
  };
  const server = pocketbaseServer(settings, system);
  const ask = async () => {
    const failure = await assertRejects(() => server.account(never), Failure, "HTTP 429): Slow down");
    assertEquals(failure.code, "interrupted");
    return asked;
  };
  // Longer than a request may take: it is not waited for.
  assertEquals([await ask(), await ask(), slept.length], [1, 1, 0]);
  passed += 6999;
  assertEquals(await ask(), 1);
  passed += 1;
  told = "2";
  // Short enough to wait for; meanwhile the clock of this test stays.
  assertEquals([await ask(), slept], [2, [2000, 2000]]);
  passed += 2000;
  told = "Thu, 15 Jan 2026 20:01:00 GMT";
  assertEquals(await ask(), 3);
  passed += 59_999;
  assertEquals(await ask(), 3);
  passed += 1;
  told = "999999";
  assertEquals(await ask(), 4);
  passed += 900_000;
  assertEquals(await ask(), 5);
  end.abort();
  await front.finished;
});
