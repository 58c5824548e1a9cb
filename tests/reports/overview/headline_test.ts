import { assertEquals } from "@std/assert";
import { Failure, type FailureCode, failureRecord } from "../../../src/domain/failure.ts";
import { headlineOf, type HeadlineParts } from "../../../src/reports/overview/headline.ts";
import { overviewOf } from "../../../src/reports/overview/overview.ts";
import { statusReport } from "../../../src/reports/overview/status_report.ts";
import type { DestinationNow, JobNow } from "../../../src/reports/page_source.ts";
import { aWaiting, STATUS } from "../../web/fake_daemon.ts";

const NOTHING: HeadlineParts = {
  jobs: [],
  destinations: [],
  tonight: { night: "20240517", files: 0, bytes: 0, destinations: [] },
};
const NONE = { queued: 0, sending: 0, deferred: 0, delivered: 0, failed: 0 };

function headlineFor(parts: HeadlineParts) {
  const status = statusReport({
    ...STATUS,
    ...parts,
    destinations: parts.destinations.map((one) => ({ ...one, counts: NONE })),
    counts: NONE,
  });
  return headlineOf(overviewOf(status, { orphans: [], tonight: parts.tonight }), parts);
}

function textFor(...reasons: readonly JobNow["waiting"][number]["reason"][]): string {
  const waiting = reasons.map((reason, i) => aWaiting(`${i}.fits`, { reason }));
  // Of a job only its files matter here.
  const jobs = [{
    job: { name: "spring", watchPath: "/data" },
    how: "events",
    nextRun: null,
    failure: null,
    unmatched: null,
    waiting,
  }];
  const { level, text } = headlineFor({ ...NOTHING, jobs: jobs as unknown as JobNow[] });
  return `${level}: ${text}`;
}

Deno.test("headlineOf() tells incomplete files from rejected ones", () => {
  assertEquals(textFor("incomplete"), "warning: 1 file is incomplete");
  assertEquals(textFor("refused", "growing"), "warning: 1 file was rejected");
  assertEquals(textFor("incomplete", "incomplete"), "warning: 2 files are incomplete");
  assertEquals(textFor("refused", "refused"), "warning: 2 files were rejected");
  assertEquals(textFor("refused", "incomplete", "refused"), "warning: 3 files were not sent: 1 incomplete, 2 rejected");
  assertEquals(textFor("growing"), "good: No images yet tonight; nothing is waiting");
});

Deno.test("headlineOf() names with a reason only those that are on hold for it", () => {
  const held = (name: string, code: FailureCode, message: string) =>
    ({
      destination: { name },
      state: { state: "on_hold", failure: failureRecord(new Failure(code, message)), until: 0 },
    }) as unknown as DestinationNow;
  const destinations = [
    held("tiny", "disk_full", "the disk is full"),
    held("wrong", "login_refused", "the login was refused"),
    held("small", "disk_full", "no room"),
  ];
  assertEquals(
    headlineFor({ ...NOTHING, destinations }).text,
    "tiny and small are on hold: the disk is full; wrong is on hold too: see Trouble",
  );
  assertEquals(headlineFor({ ...NOTHING, destinations: destinations.slice(0, 1) }).text, "tiny is on hold: the disk is full");
});

Deno.test("headlineOf() does not call across what is known to be gone", () => {
  const nas = { job: "spring", name: "nas", expected: 181, delivered: 20, proven: 20, waiting: 0, failed: 161, bytes: 0 };
  const tonight = { night: "20240517", files: 181, bytes: 0, destinations: [nas] };
  const destinations = [{ destination: { job: "spring", name: "nas" }, state: { state: "open" } }];
  const { level, text } = headlineFor({ ...NOTHING, destinations: destinations as DestinationNow[], tonight });
  assertEquals([level, text], ["warning", "Images of tonight are missing: 161 of 181 from nas"]);
});
