import { assertEquals } from "@std/assert";
import { Failure, type FailureCode, failureRecord } from "../../../src/domain/failure.ts";
import { headlineOf, type HeadlineParts } from "../../../src/reports/overview/headline.ts";
import type { DestinationNow, JobNow } from "../../../src/reports/page_source.ts";

const NOTHING: HeadlineParts = {
  jobs: [],
  destinations: [],
  tonight: { night: "20240517", files: 0, bytes: 0, destinations: [] },
  underway: 0,
  failed: 0,
};

function textFor(...reasons: readonly string[]): string {
  const waiting = reasons.map((reason, i) => ({ path: `${i}.fits`, reason, detail: "", size: 1, declared: null, since: 0 }));
  // Of a job only its failure and its files matter here.
  const jobs = [{ failure: null, unmatched: null, waiting }] as unknown as JobNow[];
  const { level, text } = headlineOf({ ...NOTHING, jobs });
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
    headlineOf({ ...NOTHING, destinations }).text,
    "tiny and small are on hold: the disk is full; wrong is on hold too: see Trouble",
  );
  assertEquals(headlineOf({ ...NOTHING, destinations: destinations.slice(0, 1) }).text, "tiny is on hold: the disk is full");
});

Deno.test("headlineOf() does not call across what is known to be gone", () => {
  const nas = { job: "spring", name: "nas", expected: 181, delivered: 20, proven: 20, waiting: 0, failed: 161, bytes: 0 };
  const tonight = { night: "20240517", files: 181, bytes: 0, destinations: [nas] };
  const { level, text } = headlineOf({ ...NOTHING, tonight });
  assertEquals([level, text], ["warning", "Images of tonight are missing: 161 of 181 from nas"]);
});
