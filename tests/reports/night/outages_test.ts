import { assertEquals } from "@std/assert";
import type { AvailabilityNote } from "../../../src/ledger/history.ts";
import { outagesOf } from "../../../src/reports/night/night_report.ts";

const NAS = { job: "spring", name: "nas" };

function notes(
  ...all: readonly (readonly [at: number, state: AvailabilityNote["state"], destination?: string])[]
): AvailabilityNote[] {
  return all.map(([at, state, destination = "nas"]) => {
    const isDaemon = state === "running" || state === "stopped" || state === "lost";
    return { at, state, job: isDaemon ? "" : "spring", destination: isDaemon ? "" : destination };
  });
}

Deno.test("outagesOf() tells when a destination took nothing, and that one lasts", () => {
  const all = notes([0, "running"], [10, "backing_off"], [15, "backing_off"], [20, "open"], [30, "on_hold", "other"], [
    40,
    "on_hold",
  ]);
  assertEquals(outagesOf(NAS, all, 5), [{ from: 10, to: 20, state: "backing_off" }, { from: 40, to: null, state: "on_hold" }]);
});

Deno.test("outagesOf() begins with the time that is shown", () => {
  assertEquals(outagesOf(NAS, notes([0, "running"], [1, "on_hold"], [60, "open"]), 50), [{ from: 50, to: 60, state: "on_hold" }]);
  assertEquals(outagesOf(NAS, notes([0, "running"], [1, "on_hold"], [3, "open"]), 50), []);
});

Deno.test("outagesOf() counts the time without a daemon, and forgets what was before it, a pause excepted", () => {
  assertEquals(outagesOf(NAS, notes([0, "running"], [10, "on_hold"], [20, "stopped"], [30, "running"]), 0), [
    { from: 10, to: 20, state: "on_hold" },
    { from: 20, to: 30, state: "stopped" },
  ]);
  assertEquals(outagesOf(NAS, notes([0, "running"], [10, "paused"], [20, "lost"], [30, "running"], [40, "open"]), 0), [
    { from: 10, to: 20, state: "paused" },
    { from: 20, to: 30, state: "lost" },
    { from: 30, to: 40, state: "paused" },
  ]);
});
