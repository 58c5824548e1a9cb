import { assert, assertEquals } from "@std/assert";
import { bandwidth, paceOf } from "../../src/methods/bandwidth.ts";
import type { Destination } from "../../src/config/settings.ts";
import { createFakeClock } from "../support/fake_clock.ts";
import { aDestination } from "../support/makers.ts";

const { signal } = new AbortController();

Deno.test("bandwidth() has one limit for a destination, whatever jobs, methods and sessions send there, and one for the line", () => {
  const [here, nas, ftp, freya] = [
    aDestination({ bandwidthLimit: 8e6 }),
    aServer("nas", { bandwidthLimit: 4e6 }),
    aServer("NAS", { bandwidthLimit: 2e6, job: "autumn" }, "ftp"),
    aServer("freya"),
  ];
  const clock = createFakeClock();
  const jobs = [here, nas, ftp, freya].map((destination) => ({ destinations: [destination] }));
  const paceFor = bandwidth(() => jobs, clock);
  const rates = [here, nas, ftp, freya].map((destination) => paceFor(destination).atOnce * 100);
  assertEquals(rates, [8e6, 2e6, 2e6, 5e6]);
});

Deno.test("bandwidth() goes on where a session ended, so that the next one cannot exceed the limit", async () => {
  const clock = createFakeClock();
  const nas = aServer("nas", { bandwidthLimit: 1e6 });
  const jobs = [{ destinations: [nas] }];
  const paceFor = bandwidth(() => jobs, clock);
  await paceFor(nas).next(1e6, signal);
  let sent = false;
  const next = paceFor({ ...nas, job: "autumn" }).next(1, signal).then(() => sent = true);
  await clock.advance(900);
  assertEquals(sent, false);
  await clock.advance(100);
  await next;
});

Deno.test("bandwidth() takes the limits of a new configuration at once, also for sessions that are still sending", async () => {
  const clock = createFakeClock();
  const nas = aServer("nas", { bandwidthLimit: 1e6 });
  let jobs = [{ destinations: [nas] }];
  const pace = bandwidth(() => jobs, clock)(nas);
  assertEquals(pace.atOnce, 10_000);
  jobs = [{ destinations: [{ ...nas, bandwidthLimit: 3e6, lineLimit: 2e6 }] }];
  await clock.advance(100);
  assertEquals(pace.atOnce, 20_000);
  // What is no longer configured keeps its limit until it has ended.
  jobs = [{ destinations: [aServer("freya", { lineLimit: null })] }];
  await clock.advance(100);
  assertEquals(pace.atOnce, 30_000);
});

Deno.test("bandwidth() follows a timetable", async () => {
  const clock = createFakeClock({ startMs: Date.UTC(2026, 10, 24, 19, 59) });
  const entries = [{ from: 20 * 60, to: 6 * 60, limit: 1e6 }];
  const nas = aServer("nas", { lineLimit: null, bandwidthLimit: { timezone: "UTC", entries } });
  const jobs = [{ destinations: [nas] }];
  const pace = bandwidth(() => jobs, clock)(nas);
  assertEquals(pace.atOnce, Infinity);
  await clock.advance(60_000);
  assertEquals(pace.atOnce, 10_000);
});

Deno.test("paceOf() keeps the limits of its destination where a session is handed none", () => {
  const clock = createFakeClock();
  assertEquals(paceOf(aServer("nas", { bandwidthLimit: 1e6 }), { system: clock }).atOnce, 10_000);
  const handed = paceOf(aServer("nas"), { system: clock });
  assert(paceOf(aServer("nas"), { system: clock, pace: handed }) === handed);
});

function aServer(host: string, changes: Partial<Destination> = {}, method: "sftp" | "ftp" = "sftp"): Destination {
  const login = { host, user: null, port: null };
  const transport = method === "sftp"
    ? { method, ...login, compression: false }
    : { method, ...login, password: null, passwordFile: null };
  return aDestination({ transport, lineLimit: 5e6, ...changes });
}
