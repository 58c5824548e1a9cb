import { assert, assertEquals } from "@std/assert";
import type { Delivery } from "../../src/domain/delivery.ts";
import { bar, board } from "../../src/events/board.ts";
import { trackProgress } from "../../src/events/progress.ts";

function aDelivery(id: number, size: number): Delivery {
  const source = { job: "j", path: `f${id}.fits`, absolutePath: `/d/f${id}.fits`, size, mtimeMs: 0, ctimeMs: 0, identity: "" };
  return {
    id,
    source,
    destination: "nas",
    method: "local",
    target: `f${id}.fits`,
    night: "20261120",
    attempts: 0,
    queuedAt: 0,
    state: { state: "sending", attempt: "a" },
  };
}
const plain = (text: string) => text.replace(/\p{Cc}\[[0-9;]*m/gu, "");

Deno.test("trackProgress() sums what a destination has in hand, and its speed", () => {
  const { listen, running } = trackProgress();
  listen({ at: 1000, type: "sending", delivery: aDelivery(1, 100) });
  listen({ at: 1000, type: "sending", delivery: aDelivery(2, 300) });
  listen({ at: 1500, type: "progress", delivery: aDelivery(2, 300), bytes: 200 });
  assertEquals(running(1600), [
    { job: "j", destination: "nas", files: 2, bytes: 200, total: 400, bytesPerSecond: 50, path: "f2.fits" },
  ]);
});

Deno.test("trackProgress() keeps jobs apart whose destinations share a name", () => {
  const { listen, running } = trackProgress();
  const other = aDelivery(2, 300);
  listen({ at: 1000, type: "sending", delivery: aDelivery(1, 100) });
  listen({ at: 1000, type: "sending", delivery: { ...other, source: { ...other.source, job: "k" } } });
  listen({ at: 1500, type: "progress", delivery: aDelivery(1, 100), bytes: 80 });
  assertEquals(running(1600).map(({ job, destination, bytesPerSecond }) => [job, destination, bytesPerSecond]), [
    ["j", "nas", 20],
    ["k", "nas", 0],
  ]);
});

Deno.test("trackProgress() lets go of what is delivered, deferred or failed", () => {
  const { listen, running } = trackProgress();
  for (const [id, type] of [[1, "delivered"], [2, "deferred"], [3, "failed"], [4, "queued"]] as const) {
    listen({ at: 0, type: "sending", delivery: aDelivery(id, 10) });
    listen({ at: 0, type, delivery: aDelivery(id, 10) });
  }
  assertEquals(running(0), []);
});

Deno.test("trackProgress() never counts a progress that goes backwards (a new attempt)", () => {
  const { listen, running } = trackProgress();
  listen({ at: 0, type: "sending", delivery: aDelivery(1, 100) });
  listen({ at: 0, type: "progress", delivery: aDelivery(1, 100), bytes: 80 });
  listen({ at: 0, type: "progress", delivery: aDelivery(1, 100), bytes: 20 });
  assertEquals(running(0)[0]?.bytes, 80);
});

Deno.test("bar() keeps within the width of the terminal and keeps the end of a long path", () => {
  const running = {
    job: "j",
    destination: "nas",
    files: 1,
    bytes: 47,
    total: 100,
    bytesPerSecond: 10,
    path: `${"deep/".repeat(40)}last.fits`,
  };
  for (const columns of [10, 40, 60, 80, 132, 200]) assert(plain(bar(running, columns)).length < columns, String(columns));
  assert(plain(bar(running, 120)).endsWith("last.fits"));
});

Deno.test("board() scrolls log lines above the bars", () => {
  const written: string[] = [];
  const { line, draw } = board((text) => written.push(text), () => 80);
  draw([{ job: "j", destination: "nas", files: 1, bytes: 1, total: 2, bytesPerSecond: 1, path: "a" }]);
  line("hello\n");
  assert(written[1]!.startsWith("\x1b[1A\x1b[0Jhello\n"), JSON.stringify(written));
  draw([]);
  assertEquals(written[2], "\x1b[1A\x1b[0J");
});

Deno.test("board() keeps a line below the bars, cut to the width", () => {
  const written: string[] = [];
  const { draw } = board((text) => written.push(text), () => 12);
  draw([], "Waiting for a.fits");
  draw([], "Waiting for a.fits");
  draw([], "");
  assertEquals(written.map(plain), ["Waiting fo…\n", "\x1b[1A\x1b[0J"]);
});
