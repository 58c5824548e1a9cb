import { assert, assertEquals } from "@std/assert";
import { hooks } from "../../../src/events/hooks/hooks.ts";
import type { Hook } from "../../../src/domain/hook.ts";
import type { NewEvent, TransferEvent } from "../../../src/domain/transfer_event.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { anAdmission, broken, NOW, proven } from "../../ledger/makers.ts";
import { aJob } from "../../support/makers.ts";
import { dice } from "../../support/seeded.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";
import { until } from "../../support/until.ts";
import { aCommand, aHook, aWebhook } from "./makers.ts";

/** Pauses of minutes last milliseconds; time limits last as long as they say. */
function hurried(limits: readonly number[]) {
  const system = createSystem();
  return {
    ...system,
    sleep: (ms: number, signal?: AbortSignal) => system.sleep(limits.includes(ms) ? ms : Math.min(ms, 30), signal),
  };
}

function start(ledger: Ledger, ...all: readonly Partial<Hook>[]) {
  const events: NewEvent[] = [];
  const limits = all.map((hook) => aHook(hook).timeoutMs);
  const made = hooks({ system: hurried(limits), ledger, emit: (event) => void events.push(event) });
  const jobs = [aJob("/data", { hooks: all.map((hook) => aHook(hook)) })];
  made.adopt({ jobs });
  const tell = (event: NewEvent) => made.listen({ ...event, at: NOW } as TransferEvent);
  return { ...made, events, jobs, tell };
}

/** Deliveries that are recorded while hooks are in force. */
function deliver(ledger: Ledger, count: number, prefix = "f"): void {
  const made = ledger.admit(Array.from({ length: count }, (_, i) => anAdmission(`${prefix}${i}`)), NOW);
  ledger.record(made.map((delivery) => proven(delivery)), NOW);
}

interface Heard {
  readonly id: string;
  readonly name: string;
  readonly event: string;
}

/** A receiver on a port of its own that can die and come back; `answer` decides what it says. */
function receiver(answer: () => Response | Promise<Response>) {
  const heard: Heard[] = [];
  const serve = (port: number) =>
    Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, async (request) => {
      const { name, event } = await request.json();
      const response = await answer();
      if (response.ok) heard.push({ id: request.headers.get("x-image-transfer-id")!, name, event });
      return response;
    });
  let server = serve(0);
  const { port } = server.addr;
  return {
    url: `http://127.0.0.1:${port}/hook`,
    heard,
    die: () => server.shutdown(),
    comeBack: () => void (server = serve(port)),
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

async function ledgerIn(folder: TempFolder): Promise<Ledger> {
  return await Promise.resolve(openLedger(folder.at("state")));
}

Deno.test("10,000 calls to a receiver that fails, hangs and dies, through a restart: none is lost", async () => {
  await using folder = await tempFolder();
  using ledger = await ledgerIn(folder);
  const luck = dice(11);
  let calls = 0;
  await using there = receiver(async () => {
    calls += 1;
    if (luck.chance(0.002)) await new Promise((resolve) => setTimeout(resolve, 400));
    return new Response(null, { status: luck.chance(0.02) ? 500 : 200 });
  });
  const hook = { receiver: aWebhook(there.url), timeoutMs: 250 };
  let running = start(ledger, hook);
  deliver(ledger, 10_000);
  running.tell({ type: "report", text: "wakes it" });
  await until(() => there.heard.length > 2000, "some are told");
  await there.die();
  await until(
    () => running.events.some((event) => event.type === "hook" && event.result === "late" && event.tries > 2),
    "it is away",
  );
  await running.stop();
  running = start(ledger, hook);
  there.comeBack();
  await until(() => new Set(there.heard.map(({ name }) => name)).size === 10_000, "all are told");
  await running.stop();
  // Told again after a time limit, or after the restart: with the same id, so that a receiver can leave it out.
  assertEquals(new Set(there.heard.map(({ id }) => id)).size, 10_000);
  assert(there.heard.length <= 10_000 + 200, `told twice: ${there.heard.length - 10_000} of ${calls}`);
  assertEquals(running.events.filter((event) => event.type === "hook" && event.result === "given_up"), []);
});

Deno.test("a hook that hangs delays no other hook", async () => {
  await using folder = await tempFolder();
  using ledger = await ledgerIn(folder);
  const hanging = Promise.withResolvers<Response>();
  const stuck = receiver(() => hanging.promise);
  await using there = receiver(() => new Response());
  const running = start(ledger, { receiver: aWebhook(stuck.url), timeoutMs: 60_000 }, { receiver: aWebhook(there.url) });
  deliver(ledger, 20);
  running.tell({ type: "report", text: "wakes it" });
  await until(() => there.heard.length === 20, "the other one is told");
  await running.stop();
  hanging.resolve(new Response());
  await stuck[Symbol.asyncDispose]();
});

Deno.test("a hook continues when the disk of the ledger, which was full for a while, has room again, and hears nothing twice", async () => {
  await using folder = await tempFolder();
  using ledger = await ledgerIn(folder);
  await using there = receiver(() => new Response());
  let isFull = true;
  let refused = 0;
  const advanceHook: Ledger["advanceHook"] = (hook, note) => {
    if (!isFull) return ledger.advanceHook(hook, note);
    refused += 1;
    throw new Error("database or disk is full");
  };
  const running = start({ ...ledger, advanceHook }, { receiver: aWebhook(there.url), timeoutMs: 60_000 });
  deliver(ledger, 2);
  running.tell({ type: "report", text: "wakes it" });
  await until(() => refused > 2, "its position cannot be written");
  isFull = false;
  deliver(ledger, 2, "later");
  running.tell({ type: "report", text: "wakes it" });
  await until(() => there.heard.length >= 4, "all are told");
  await running.stop();
  assertEquals(there.heard.map(({ name }) => name), ["f0", "f1", "later0", "later1"]);
  assertEquals(running.events.filter(({ type }) => type === "notice").length, 1);
});

Deno.test("a receiver that refuses an event gets the next one", async () => {
  await using folder = await tempFolder();
  using ledger = await ledgerIn(folder);
  let calls = 0;
  await using there = receiver(() => new Response(null, { status: calls++ === 0 ? 400 : 200 }));
  const running = start(ledger, { receiver: aWebhook(there.url) });
  deliver(ledger, 2);
  running.tell({ type: "report", text: "wakes it" });
  await until(() => running.events.length === 2, "the second is told");
  assertEquals([there.heard[0]?.name, running.events.map((event) => event.type === "hook" && event.result)], ["f1", [
    "given_up",
    "ok",
  ]]);
  await running.stop();
});

Deno.test("a command that keeps failing is given up after three calls, and the next event is told", async () => {
  await using folder = await tempFolder();
  using ledger = await ledgerIn(folder);
  const text = "Deno.exit(Deno.args[0] === 'f0' ? 1 : 0)";
  const running = start(ledger, { receiver: aCommand(Deno.execPath(), "eval", text, "--", "{name}") });
  deliver(ledger, 2);
  running.tell({ type: "report", text: "wakes it" });
  await until(() => running.events.length === 4, "both are over");
  assertEquals(running.events.map((event) => event.type === "hook" && event.result), ["late", "late", "given_up", "ok"]);
  await running.stop();
});

Deno.test("a hook hears what it asked for: events, destinations and patterns", async () => {
  await using folder = await tempFolder();
  using ledger = await ledgerIn(folder);
  await using there = receiver(() => new Response());
  const running = start(ledger, {
    on: ["held", "resumed", "failed", "ready", "scheduled"],
    receiver: aWebhook(there.url),
    destinations: ["freya"],
    patterns: ["*.fits"],
  });
  const failure = { code: "disk_full", next: "hold", message: "full", hint: "" } as const;
  const held = { state: "on_hold", failure, until: 0 } as const;
  const open = { state: "open" } as const;
  running.tell({ type: "ready", job: "spring", path: "night/a.FITS", size: 5 });
  running.tell({ type: "ready", job: "spring", path: "a.txt", size: 5 });
  running.tell({ type: "ready", job: "autumn", path: "b.fits", size: 5 });
  running.tell({ type: "destination", job: "spring", name: "freya", now: held, before: open });
  running.tell({ type: "destination", job: "spring", name: "freya", now: held, before: held });
  running.tell({ type: "destination", job: "spring", name: "freya", now: open, before: held });
  running.tell({ type: "destination", job: "spring", name: "nas", now: held, before: open });
  // What stops the daemon itself concerns every hook.
  const trouble = { ...failure, code: "local_disk_full" } as const;
  running.tell({ type: "trouble", failure: trouble });
  running.tell({ type: "trouble", failure: null });
  running.tell({ type: "run_started", job: "spring", trigger: "schedule", waiting: 3 });
  const [a] = ledger.admit([anAdmission("x.fits")], NOW);
  ledger.record([broken(a!, "mismatch")], NOW);
  running.tell({ type: "report", text: "wakes it" });
  await until(() => there.heard.length === 7, "all are told");
  assertEquals(there.heard.map(({ event, name }) => `${event} ${name}`).sort(), [
    "failed x.fits",
    "held null",
    "held null",
    "ready a.FITS",
    "resumed null",
    "resumed null",
    "scheduled null",
  ]);
  await running.stop();
});

Deno.test("without hooks nothing is kept and nothing is written", async () => {
  await using folder = await tempFolder();
  using ledger = await ledgerIn(folder);
  const running = start(ledger);
  deliver(ledger, 10);
  running.tell({ type: "report", text: "nobody hears it" });
  assertEquals(ledger.hookNotes(0, 10), []);
  await running.stop();
});

Deno.test("a changed secret or time limit does not begin anew, a changed address does", async () => {
  await using folder = await tempFolder();
  using ledger = await ledgerIn(folder);
  const running = start(ledger, { receiver: aWebhook("http://127.0.0.1:9/a") });
  deliver(ledger, 3);
  running.adopt({ jobs: [aJob("/data", { hooks: [aHook({ receiver: aWebhook("http://127.0.0.1:9/a"), timeoutMs: 9000 })] })] });
  assertEquals(ledger.hookNotes(0, 10).length, 3);
  running.adopt({ jobs: [aJob("/data", { hooks: [aHook({ receiver: aWebhook("http://127.0.0.1:9/b") })] })] });
  await running.stop();
  deliver(ledger, 1, "later");
  assertEquals(
    ledger.hookNotes(ledger.hookPosition(JSON.stringify(["spring", ["delivered"], "http://127.0.0.1:9/b"])), 10).length,
    1,
  );
});
