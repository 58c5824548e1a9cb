import { assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import type { NewEvent } from "../../src/domain/transfer_event.ts";
import { openSession, type TimedSession } from "../../src/delivery/timed_session.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { fakeDestination } from "../support/fake_method.ts";
import { aDestination } from "../support/makers.ts";

const never = new AbortController().signal;

function bench() {
  const clock = createFakeClock();
  const fake = fakeDestination();
  const events: NewEvent[] = [];
  const system = { ...createSystem(), ...clock };
  const open = (longestMs = 60_000) =>
    openSession(
      {
        destination: aDestination({ timeoutMs: 30_000 }),
        system,
        emit: (event) => void events.push(event),
        method: fake.method,
        methodContext: { system, stagingRoot: ".image-transfer-test", workFolder: "/nowhere", log: () => {} },
      },
      longestMs,
      never,
    );
  return { clock, fake, events, open };
}

const CALLS: Readonly<Record<string, (session: TimedSession) => Promise<unknown>>> = {
  attach: (session) => session.attach(true, never),
  survey: (session) => session.survey(["a"], never),
  digest: (session) => session.digest(["a"], 0, never),
  put: (session) => session.put([], () => {}, never),
  publish: (session) => session.publish([], never),
  flush: (session) => session.flush([], never),
  leftovers: (session) => session.leftovers(never),
  sweep: (session) => session.sweep([], never),
};

for (const [name, call] of Object.entries(CALLS)) {
  Deno.test(`openSession() gives a session whose ${name}() ends although the destination never answers`, async () => {
    const { clock, fake, open } = bench();
    const session = await open();
    fake.before = (step) => step === name ? new Promise(() => {}) : undefined;
    const calling = call(session);
    calling.catch(() => undefined);
    await clock.advance(30_000);
    assertEquals((await assertRejects(() => calling, Failure, "no progress for 30 s")).code, "timeout");
  });
}

Deno.test("openSession() gives a session whose digest() has time for its bytes", async () => {
  const { clock, fake, open } = bench();
  const session = await open();
  fake.before = (step) => step === "digest" ? new Promise(() => {}) : undefined;
  let over = false;
  session.digest(["a"], 500_000_000, never).catch(() => over = true);
  await clock.advance(129_000);
  assertEquals(over, false);
  await clock.advance(1_000);
  assertEquals(over, true);
});

Deno.test("openSession() gives a session that closes in time and without an error, whatever the destination does", async () => {
  const { clock, fake, events, open } = bench();
  const connect = fake.method.connect;
  fake.method.connect = async (...args) => ({ ...await connect(...args), [Symbol.asyncDispose]: () => new Promise(() => {}) });
  const closing = (await open())[Symbol.asyncDispose]();
  await clock.advance(5_000);
  await closing;
  assertEquals(events.map((event) => event.type === "notice" && event.level), ["debug"]);
});

Deno.test("openSession() closes a session that comes after it was given up", async () => {
  const { clock, fake, open } = bench();
  const { promise: late, resolve: answer } = Promise.withResolvers<void>();
  fake.before = () => late;
  const opening = open(10_000);
  opening.catch(() => undefined);
  await clock.advance(10_000);
  await assertRejects(() => opening, Failure, "Cannot connect to nas");
  fake.before = () => {};
  answer();
  await clock.advance(0);
  assertEquals(fake.sessions, 0);
});
