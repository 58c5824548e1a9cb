import { assertEquals } from "@std/assert";
import { trackProgress } from "../../../src/events/progress.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { orphans } from "../../../src/ledger/orphans.ts";
import { liveStates } from "../../../src/reports/overview/live_state.ts";
import type { DestinationNow } from "../../../src/reports/page_source.ts";
import { aFailure, anAdmission, NOW, proven } from "../../ledger/makers.ts";
import { tempFolder } from "../../support/temp.ts";
import { fakeSource } from "../fake_source.ts";

function aDestination(job: string, name: string): DestinationNow {
  return {
    // The state asks where it is, nothing else.
    destination: { job, name, transport: { method: "local" }, basePath: "/nas" } as DestinationNow["destination"],
    method: "local",
    state: { state: "open" },
    freeBytes: null,
    made: false,
    limit: null,
    heldRemovals: null,
    audit: null,
    survey: () => Promise.resolve(null),
  };
}

Deno.test("liveStates() tells speed and last arrival of two jobs apart whose destinations share a name", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.path);
  const progress = trackProgress();
  const source = fakeSource(ledger, {
    destinations: () => [aDestination("spring", "nas"), aDestination("guide", "nas")],
    progress,
  });
  const [first, second] = ledger.admit([anAdmission("a.fits", {}, ["nas"]), anAdmission("b.fits", {}, ["nas"])], NOW);
  ledger.record([proven(first!)], NOW);
  progress.listen({ type: "delivered", delivery: proven(first!), at: NOW });
  progress.listen({ type: "sending", delivery: second!, at: NOW });
  progress.listen({ type: "progress", delivery: second!, bytes: 400, at: NOW });
  const { destinations } = liveStates(source)(NOW);
  assertEquals(destinations.map(({ job, bytesPerSecond, lastDelivered }) => [job, bytesPerSecond, lastDelivered]), [
    ["spring", 100, NOW],
    ["guide", 0, null],
  ]);
});

Deno.test("liveStates() takes what waits for a removed destination for trouble, not for work in hand", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.path);
  const jobs = [{ name: "spring", destinations: [{ name: "nas" }] }];
  const source = fakeSource(ledger, {
    hooks: () => [],
    orphans: () => orphans(ledger, jobs),
    destinations: () => [aDestination("spring", "nas")],
  });
  const [here] = ledger.admit([anAdmission("a.fits", {}, ["nas", "tiny store"])], NOW);
  ledger.record([proven(here!)], NOW);
  const { headline, trouble, troubleCount } = liveStates(source)(NOW);
  assertEquals([headline.level, troubleCount], ["good", 1]);
  assertEquals(trouble.map(({ what, message, hint }) => [what, message, hint]), [[
    "tiny store",
    "1 image is waiting for a destination that is no longer configured",
    "Configure it again to resume delivery, or give them up: image-transfer forget 'tiny store'",
  ]]);
});

Deno.test("liveStates() tells the last arrival after a restart, also of a destination that got nothing for long", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.path);
  const destinations = ["nas", "attic", "new"];
  const source = fakeSource(ledger, { destinations: () => destinations.map((name) => aDestination("spring", name)) });
  const arrive = (path: string, destination: string, at: number) => {
    const queued = ledger.admit([anAdmission(path, { identity: `1:${at}` }, [destination])], at);
    ledger.record(queued.map((one) => proven(one, undefined, at)), at);
  };
  arrive("first.fits", "attic", NOW - 9e6);
  for (let at = 0; at < 100; at++) arrive(`${at}.fits`, "nas", NOW - 100 + at);
  const state = liveStates(source)(NOW);
  assertEquals(state.destinations.map(({ name, lastDelivered }) => [name, lastDelivered]), [
    ["nas", NOW - 1],
    ["attic", NOW - 9e6],
    ["new", null],
  ]);
});

Deno.test("liveStates() tells since when a destination is away, also where the daemon was restarted meanwhile", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.path);
  const away = { state: "backing_off", failure: aFailure("unreachable"), until: NOW } as const;
  const source = fakeSource(ledger, { destinations: () => [{ ...aDestination("spring", "nas"), state: away }] });
  const since = () => liveStates(source)(NOW).destinations[0]?.since;
  const minute = 60_000;
  assertEquals(since(), null);
  ledger.noteRunning(NOW - 300 * minute);
  ledger.noteState("spring", "nas", "backing_off", NOW - 200 * minute);
  ledger.noteState("spring", "nas", "open", NOW - 190 * minute);
  ledger.noteState("spring", "nas", "backing_off", NOW - 90 * minute);
  ledger.noteStopped(NOW - 60 * minute);
  ledger.noteRunning(NOW - 50 * minute);
  ledger.noteState("spring", "nas", "backing_off", NOW - 50 * minute + 900);
  assertEquals(since(), NOW - 90 * minute);
  // It worked in between: that is another outage.
  ledger.noteState("spring", "nas", "open", NOW - 20 * minute);
  ledger.noteState("spring", "nas", "backing_off", NOW - 10 * minute);
  assertEquals(since(), NOW - 10 * minute);
});
