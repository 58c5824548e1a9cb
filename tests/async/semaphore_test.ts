import { assertEquals, assertRejects } from "@std/assert";
import { Failure } from "../../src/domain/failure.ts";
import { groupSemaphore, semaphore } from "../../src/async/semaphore.ts";

const never = new AbortController().signal;
const release = (place: Disposable) => place[Symbol.dispose]();

Deno.test("semaphore() serves who asked first, and never more than it has places for", async () => {
  const places = semaphore(1);
  const order: number[] = [];
  const first = await places.acquire(never);
  const waiting = [1, 2, 3].map(async (n) => {
    const place = await places.acquire(never);
    order.push(n);
    release(place);
  });
  assertEquals(order, []);
  release(first);
  await Promise.all(waiting);
  assertEquals(order, [1, 2, 3]);
});

Deno.test("semaphore() does not count a place that is given back twice", async () => {
  const places = semaphore(1);
  const place = await places.acquire(never);
  release(place);
  release(place);
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
  release(first);
  release(await next);
});

Deno.test("groupSemaphore() gives a group one place, however many of it are at work", async () => {
  const group = groupSemaphore(2);
  const [a, b, c] = [group(), group(), group()];
  const held = [await a.acquire(never), await a.acquire(never), await b.acquire(never), await b.acquire(never)];
  let entered = false;
  const third = c.acquire(never).then((place) => {
    entered = true;
    return place;
  });
  release(held[0]!);
  await Promise.resolve();
  assertEquals(entered, false);
  release(held[1]!);
  release(await third);
});

Deno.test("groupSemaphore() lets no more of a group in while another group waits, so that each gets its turn", async () => {
  const group = groupSemaphore(1);
  const [a, b] = [group(), group()];
  const order: string[] = [];
  const member = async (name: string, of: ReturnType<typeof group>) => {
    const place = await of.acquire(never);
    order.push(name);
    release(place);
  };
  const first = await a.acquire(never);
  const others = [member("b1", b), member("a2", a), member("b2", b), member("a3", a)];
  await Promise.resolve();
  assertEquals(order, []);
  release(first);
  await Promise.all(others);
  assertEquals(order, ["b1", "b2", "a2", "a3"]);
});

Deno.test("groupSemaphore() forgets who went away while waiting", async () => {
  const group = groupSemaphore(1);
  const [a, b] = [group(), group()];
  const first = await a.acquire(never);
  const end = new AbortController();
  const left = b.acquire(end.signal);
  const joining = a.acquire(never);
  end.abort();
  await assertRejects(() => left, Failure, "stopping");
  const second = await joining;
  release(first);
  release(second);
  release(await b.acquire(never));
});

Deno.test("groupSemaphore(Infinity) holds nobody up", async () => {
  const group = groupSemaphore(Infinity);
  for (let count = 0; count < 100; count++) await group().acquire(never);
});
