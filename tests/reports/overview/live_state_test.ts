import { assertEquals } from "@std/assert";
import { followRunning } from "../../../src/events/running.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { orphans } from "../../../src/ledger/orphans.ts";
import { liveStates } from "../../../src/reports/overview/live_state.ts";
import type { DestinationNow, PageSource } from "../../../src/reports/page_source.ts";
import { statusReport } from "../../../src/reports/overview/status_report.ts";
import { anAdmission, NOW, proven } from "../../ledger/makers.ts";
import { tempFolder } from "../../support/temp.ts";
import { STATUS } from "../../web/fake_daemon.ts";

function aDestination(job: string, name: string): DestinationNow {
  return {
    // The state asks where it is, nothing else.
    destination: { job, name, host: null, user: null, basePath: "/nas" } as DestinationNow["destination"],
    method: "local",
    state: { state: "open" },
    freeBytes: null,
    transfers: [],
    survey: () => Promise.resolve(null),
  };
}

Deno.test("gather() tells speed and last arrival of two jobs apart whose destinations share a name", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.path);
  const running = followRunning();
  const source: PageSource = {
    status: () => statusReport({ ...STATUS, counts: ledger.counts() }),
    live: () => ({ running: running.running(NOW), oldestWaiting: null, givenUp: [], orphans: [] }),
    sync: () => [],
    retry: () => 0,
    pause: () => [],
    resume: () => ({ names: [], undecided: [] }),
    jobs: () => [],
    destinations: () => [aDestination("spring", "nas"), aDestination("guide", "nas")],
    ledger,
    listen: () => () => {},
  };
  const states = liveStates(source);
  const [first, second] = ledger.admit([anAdmission("a.fits", {}, ["nas"]), anAdmission("b.fits", {}, ["nas"])], NOW);
  ledger.record([proven(first!)], NOW);
  for (const hear of [states.hear, running.listen]) {
    hear({ type: "delivered", delivery: proven(first!), at: NOW });
    hear({ type: "sending", delivery: second!, at: NOW });
    hear({ type: "progress", delivery: second!, bytes: 400, at: NOW });
  }
  const { destinations } = await states.gather(NOW);
  assertEquals(destinations.map(({ job, bytesPerSecond, lastDelivered }) => [job, bytesPerSecond, lastDelivered]), [
    ["spring", 100, NOW],
    ["guide", 0, null],
  ]);
});

Deno.test("gather() takes what waits for a removed destination for trouble, not for work in hand", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.path);
  const jobs = [{ name: "spring", destinations: [{ name: "nas" }] }];
  const source: PageSource = {
    status: () => statusReport({ ...STATUS, counts: ledger.counts() }),
    live: () => ({ running: [], oldestWaiting: null, givenUp: [], orphans: orphans(ledger, jobs) }),
    sync: () => [],
    retry: () => 0,
    pause: () => [],
    resume: () => ({ names: [], undecided: [] }),
    jobs: () => [],
    destinations: () => [aDestination("spring", "nas")],
    ledger,
    listen: () => () => {},
  };
  const [here] = ledger.admit([anAdmission("a.fits", {}, ["nas", "tiny store"])], NOW);
  ledger.record([proven(here!)], NOW);
  const { headline, trouble, troubleCount } = await liveStates(source).gather(NOW);
  assertEquals([headline.level, troubleCount], ["good", 1]);
  assertEquals(trouble.map(({ what, message, hint }) => [what, message, hint]), [[
    "tiny store",
    "1 image is waiting for a destination that is no longer configured",
    "Configure it again to resume delivery, or give them up: image-transfer forget 'tiny store'",
  ]]);
});

Deno.test("gather() tells the last arrival after a restart, also of a destination that got nothing for long", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.path);
  const destinations = ["nas", "attic", "new"];
  const source: PageSource = {
    status: () => statusReport({ ...STATUS, counts: ledger.counts() }),
    live: () => ({ running: [], oldestWaiting: null, givenUp: [], orphans: [] }),
    sync: () => [],
    retry: () => 0,
    pause: () => [],
    resume: () => ({ names: [], undecided: [] }),
    jobs: () => [],
    destinations: () => destinations.map((name) => aDestination("spring", name)),
    ledger,
    listen: () => () => {},
  };
  const arrive = (path: string, destination: string, at: number) => {
    const queued = ledger.admit([anAdmission(path, { identity: `1:${at}` }, [destination])], at);
    ledger.record(queued.map((one) => proven(one, undefined, at)), at);
  };
  arrive("first.fits", "attic", NOW - 9e6);
  for (let at = 0; at < 100; at++) arrive(`${at}.fits`, "nas", NOW - 100 + at);
  const state = await liveStates(source).gather(NOW);
  assertEquals(state.destinations.map(({ name, lastDelivered }) => [name, lastDelivered]), [
    ["nas", NOW - 1],
    ["attic", NOW - 9e6],
    ["new", null],
  ]);
});
