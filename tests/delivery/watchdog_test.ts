import { assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { withWatchdog } from "../../src/delivery/timed_session.ts";
import { createFakeClock } from "../support/fake_clock.ts";

const never = new AbortController().signal;

function bench(ask?: () => Promise<number>) {
  const clock = createFakeClock();
  const options = { what: "send one file to nas", timeoutMs: 10_000, clock, ...(ask ? { ask } : {}) };
  return { clock, options };
}

Deno.test("withWatchdog() gives the result of what it guards, and leaves no timer behind", async () => {
  const { clock, options } = bench();
  assertEquals(await withWatchdog(options, never, () => Promise.resolve(7)), 7);
  await clock.advance(0);
  assertEquals(clock.sleeping, 0);
});

Deno.test("withWatchdog() gives up what has gone silent, even if it does not listen", async () => {
  const { clock, options } = bench();
  const running = withWatchdog(options, never, () => new Promise<void>(() => {}));
  running.catch(() => undefined);
  await clock.advance(10_000);
  const failure = await assertRejects(() => running, Failure, "no progress for 10 s");
  assertEquals(failure.code, "timeout");
});

Deno.test("withWatchdog() tells once that there is no answer, long before it gives up", async () => {
  const { clock, options } = bench();
  let told = 0;
  const running = withWatchdog(
    { ...options, timeoutMs: 300_000, onSilence: () => told++ },
    never,
    () => new Promise<void>(() => {}),
  );
  running.catch(() => undefined);
  await clock.advance(9_000);
  assertEquals(told, 0);
  await clock.advance(1_000);
  assertEquals(told, 1);
  await clock.advance(100_000);
  assertEquals(told, 1);
  await clock.advance(190_000);
  await assertRejects(() => running, Failure, "no progress for 300 s");
});

Deno.test("withWatchdog() waits as long as there are signs of life", async () => {
  const { clock, options } = bench();
  let finish = (_: string) => {};
  let alive = () => {};
  const running = withWatchdog(options, never, (_signal, sign) => {
    alive = sign;
    return new Promise<string>((resolve) => finish = resolve);
  });
  for (let n = 0; n < 5; n++) {
    await clock.advance(8_000);
    alive();
  }
  finish("done");
  assertEquals(await running, "done");
});

Deno.test("withWatchdog() asks the destination where the tool tells nothing", async () => {
  let size = 0;
  const { clock, options } = bench(() => Promise.resolve(size));
  const running = withWatchdog(options, never, () => new Promise<void>(() => {}));
  let failed = false;
  running.catch(() => failed = true);
  for (let n = 0; n < 10; n++) {
    size += 1000;
    await clock.advance(5_000);
  }
  assertEquals(failed, false);
  await clock.advance(25_000);
  assertEquals(failed, true);
});

Deno.test("withWatchdog() is not held up by a destination that does not answer the question", async () => {
  const { clock, options } = bench(() => new Promise<number>(() => {}));
  const running = withWatchdog(options, never, () => new Promise<void>(() => {}));
  running.catch(() => undefined);
  await clock.advance(10_000);
  await assertRejects(() => running, Failure, "no progress");
});

Deno.test("withWatchdog() ends as stopped when its signal is aborted, before or while it runs", async () => {
  const { options } = bench();
  const end = new AbortController();
  const running = withWatchdog(options, end.signal, () => new Promise<void>(() => {}));
  end.abort();
  assertEquals((await assertRejects(() => running, Failure)).code, "stopped");
  const late = withWatchdog(options, end.signal, () => new Promise<void>(() => {}));
  assertEquals((await assertRejects(() => late, Failure)).code, "stopped");
});

Deno.test("withWatchdog() passes a failure of its own on", async () => {
  const { options } = bench();
  await assertRejects(
    () => withWatchdog(options, never, () => Promise.reject(new Failure("disk_full", "full"))),
    Failure,
    "full",
  );
});
