import { assertEquals } from "@std/assert";
import { taskGroup } from "../../src/async/task_group.ts";

const never = new AbortController().signal;

Deno.test("taskGroup() lets only a few run side by side, and outlives their errors", async () => {
  const errors: unknown[] = [];
  const tasks = taskGroup(2, (error) => errors.push(error));
  const ends: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const one = async () => {
    most = Math.max(most, ++running);
    await new Promise<void>((resolve) => ends.push(resolve));
    running--;
    throw new Error("no luck");
  };
  const all = Promise.all([1, 2, 3, 4].map(() => tasks.start(one, never)));
  assertEquals(tasks.idle(), false);
  for (let end = 0; end < 4; end++) {
    while (ends.length === 0) await Promise.resolve();
    ends.shift()!();
  }
  await all;
  await tasks.settled();
  assertEquals([most, errors.length, tasks.idle()], [2, 4, true]);
});

Deno.test("taskGroup() drops what waits once its signal is aborted, and hides the errors of stopping", async () => {
  const errors: unknown[] = [];
  const tasks = taskGroup(1, (error) => errors.push(error));
  const end = new AbortController();
  const done: string[] = [];
  const first = Promise.withResolvers<void>();
  await tasks.start(() => first.promise, end.signal);
  const second = tasks.start(() => Promise.resolve(void done.push("second")), end.signal);
  const third = tasks.start(() => Promise.resolve(void done.push("third")), never);
  end.abort();
  first.reject(new Error("stopped"));
  await Promise.all([second, third]);
  await tasks.settled();
  assertEquals([done, errors], [["third"], []]);
});
