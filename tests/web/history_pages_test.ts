import { assertEquals } from "@std/assert";
import { historyPages } from "../../src/web/page/history/history_pages.ts";
import { hear } from "../../src/web/page/store/live.ts";

/** Timers that fire when `advance` says so, in place of the browser's. */
function fakeTimers() {
  const real = { setTimeout, clearTimeout, now: performance.now };
  const timers = new Map<number, { readonly at: number; readonly run: () => void }>();
  let [now, last] = [1, 0];
  Object.assign(globalThis, {
    setTimeout: (run: () => void, ms = 0) => (timers.set(++last, { at: now + ms, run }), last),
    clearTimeout: (id: number) => timers.delete(id),
  });
  performance.now = () => now;
  return {
    advance(ms: number) {
      now += ms;
      for (const [id, { at, run }] of timers) if (at <= now && timers.delete(id)) run();
    },
    [Symbol.dispose]() {
      const { now, ...functions } = real;
      Object.assign(globalThis, functions);
      performance.now = now;
    },
  };
}

Deno.test("historyPages() tells of new rows also while changes never pause, as in a backlog of hours", () => {
  using timers = fakeTimers();
  const pages = historyPages("", () => false);
  const at = Date.now();
  for (let second = 0; second < 20; second++) {
    hear({ type: "change", at, state: {}, deliveries: [], more: true });
    timers.advance(1_000);
  }
  assertEquals(pages.stale.value, true);
  pages.close();
});
