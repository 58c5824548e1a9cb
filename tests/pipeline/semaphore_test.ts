import { assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { semaphore } from "../../src/pipeline/semaphore.ts";

const never = new AbortController().signal;

Deno.test("semaphore() serves who asked first, and never more than it has places for", async () => {
  const places = semaphore(1);
  const order: number[] = [];
  const first = await places.acquire(never);
  const waiting = [1, 2, 3].map(async (n) => {
    const release = await places.acquire(never);
    order.push(n);
    release();
  });
  assertEquals(order, []);
  first();
  await Promise.all(waiting);
  assertEquals(order, [1, 2, 3]);
});

Deno.test("semaphore() does not count a place that is given back twice", async () => {
  const places = semaphore(1);
  const release = await places.acquire(never);
  release();
  release();
  await places.acquire(never);
  const end = new AbortController();
  const third = places.acquire(end.signal);
  end.abort();
  await assertRejects(() => third, Failure, "stopping");
});

Deno.test("semaphore() forgets who went away while waiting", async () => {
  const places = semaphore(1);
  const first = await places.acquire(never);
  const end = new AbortController();
  const left = places.acquire(end.signal);
  const next = places.acquire(never);
  end.abort();
  await assertRejects(() => left, Failure);
  first();
  (await next)();
});
