/** What a heartbeat tells of a computer with very many destinations. */
import { assertEquals } from "@std/assert";
import { beatReport } from "../../src/fleet/heartbeat.ts";
import type { StatusReport } from "../../src/reports/api_types.ts";
import { NO_FILES } from "./link_rig.ts";

Deno.test("beatReport() names a hundred destinations at most, those in trouble first: a record has room for no more", () => {
  const destinations = Array.from({ length: 400 }, (_, index) => ({
    job: "spring",
    name: `nas-${index}`,
    state: index === 399 ? "half_open" : "open",
    queued: 1,
    sending: 0,
    deferred: 0,
    free_bytes: 1e12,
  }));
  const status = { deliveries: { failed: 0, delivered: 0 }, destinations, started_at: null, url: null };
  const report = beatReport({
    status: status as unknown as StatusReport,
    live: { running: [], oldestWaiting: null, orphans: [] },
    sums: NO_FILES,
    clockAheadMs: null,
    mayDo: [],
  });
  assertEquals(report.destinations.length, 100);
  assertEquals(report.destinations.slice(0, 2).map(({ name }) => name), ["nas-399", "nas-0"]);
});
