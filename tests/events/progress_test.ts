import { assertEquals } from "@std/assert";
import type { Delivery } from "../../src/domain/delivery.ts";
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

Deno.test("trackProgress() lists transfers until they are delivered, the longest running first, and remembers the last arrival", () => {
  const progress = trackProgress();
  progress.listen({ at: 2000, type: "sending", delivery: aDelivery(2, 300) });
  progress.listen({ at: 1000, type: "sending", delivery: aDelivery(1, 100) });
  progress.listen({ at: 2500, type: "progress", delivery: aDelivery(2, 300), bytes: 200 });
  assertEquals(progress.transfers().map(({ delivery, bytes, since }) => [delivery.id, bytes, since]), [[1, 0, 1000], [
    2,
    200,
    2000,
  ]]);
  assertEquals(progress.lastDelivered("j", "nas"), null);
  progress.listen({ at: 3000, type: "delivered", delivery: aDelivery(1, 100) });
  assertEquals(progress.transfers().map(({ delivery }) => delivery.id), [2]);
  assertEquals([progress.lastDelivered("j", "nas"), progress.lastDelivered("k", "nas")], [3000, null]);
});
