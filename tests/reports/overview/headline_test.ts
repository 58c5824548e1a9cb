import { assertEquals } from "@std/assert";
import { Failure, type FailureCode, failureRecord } from "../../../src/domain/failure.ts";
import { headlineOf, type HeadlineParts } from "../../../src/reports/overview/headline.ts";
import { overviewOf } from "../../../src/reports/overview/overview.ts";
import { statusReport } from "../../../src/reports/overview/status_report.ts";
import type { JobNow } from "../../../src/reports/page_source.ts";
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
    jobs: parts.jobs.map((one) => ({ ...STATUS.jobs[0]!, ...one, job: { ...STATUS.jobs[0]!.job, ...one.job } })),
    counts: NONE,
  });
  const headline = headlineOf(overviewOf(status, { orphans: [], tonight: parts.tonight }), parts);
  assertEquals(status.headline, headline);
  return headline;
}

function textFor(...reasons: readonly (JobNow["waiting"][number]["reason"] | "folder")[]): string {
  const waiting = reasons.map((reason, i) =>
    aWaiting(`${i}.fits`, reason === "folder" ? { reason: "refused", isFolder: true } : { reason })
  );
  const jobs = [{ ...STATUS.jobs[0]!, waiting }];
  const { level, text } = headlineFor({ ...NOTHING, jobs });
  return `${level}: ${text}`;
}

Deno.test("headlineOf() tells incomplete files from rejected ones", () => {
  assertEquals(textFor("incomplete"), "warning: 1 file is incomplete");
  assertEquals(textFor("refused", "growing"), "warning: 1 file was rejected");
  assertEquals(textFor("incomplete", "incomplete"), "warning: 2 files are incomplete");
  assertEquals(textFor("refused", "refused"), "warning: 2 files were rejected");
  assertEquals(textFor("refused", "incomplete", "refused"), "warning: 1 file is incomplete; 2 files were rejected");
  assertEquals(textFor("folder"), "warning: 1 folder cannot be listed");
  assertEquals(textFor("folder", "refused", "folder"), "warning: 1 file was rejected; 2 folders cannot be listed");
  assertEquals(textFor("growing"), "good: No images yet tonight; nothing is waiting");
});

type Place = HeadlineParts["destinations"][number];

function held(name: string, code: FailureCode, more: Partial<Place> = {}): Place {
  const failure = failureRecord(new Failure(code, `Cannot send "/data/night/a.fits" to ${name}`, { hint: "See /etc/hosts" }));
  const until = 0;
  return {
    ...STATUS.destinations[0]!,
    destination: { name, job: "spring" },
    state: { state: "on_hold", failure, until },
    counts: NONE,
    ...more,
  };
}

function tonightWith(...places: readonly (readonly [name: string, delivered: number, job?: string])[]): HeadlineParts["tonight"] {
  const destinations = places.map(([name, delivered, job = "spring"]) => ({
    job,
    name,
    expected: 240,
    delivered,
    proven: delivered,
    waiting: 240 - delivered,
    failed: 0,
    bytes: 0,
  }));
  return { night: "20240517", files: 240, bytes: 0, destinations };
}

const waiting = (deferred: number) => ({ counts: { ...NONE, deferred } });

Deno.test("headlineOf() says in a fault what is safe and what to do, in two lines without paths", () => {
  const full = held("usb-stick", "disk_full", { ...waiting(171), missingBytes: 118_400_000 });
  assertEquals(headlineFor({ ...NOTHING, destinations: [full], tonight: tonightWith(["freya", 240], ["usb-stick", 69]) }), {
    level: "bad",
    text: "usb-stick is full. All 240 images are safe on freya.",
    advice: "Free 120 MB; delivery resumes automatically.",
  });
  for (const code of ["disk_full", "login_refused", "unreachable", "configuration", "loop", "internal"] as const) {
    const { text, advice } = headlineFor({ ...NOTHING, destinations: [held("nas", code)] });
    assertEquals([text.includes("/"), advice.includes("/"), advice === ""], [false, false, false], code);
  }
});

Deno.test("headlineOf() names a folder that is not watched before a full disk: nobody knows what is missing there", () => {
  const failure = failureRecord(new Failure("source_gone", 'Cannot watch "/data": the folder does not exist', { hint: "" }));
  const jobs = [{ ...STATUS.jobs[0]!, how: null, failure, waiting: [] }];
  const { text } = headlineFor({ ...NOTHING, jobs, destinations: [held("usb-stick", "disk_full", waiting(171))] });
  assertEquals(text, "The folder of spring is not watched. New images there are not noticed.");
});

Deno.test("headlineOf() calls safe only what another destination has", () => {
  const text = (tonight: HeadlineParts["tonight"], ...destinations: Place[]) =>
    headlineFor({ ...NOTHING, destinations, tonight }).text;
  const nas = held("nas", "login_refused", waiting(40));
  assertEquals(
    text(tonightWith(["freya", 230], ["nas", 200]), nas),
    "nas refuses the login. 230 of 240 images are delivered; 10 images are waiting in the watched folder.",
  );
  assertEquals(text(tonightWith(["nas", 0]), nas), "nas refuses the login. 240 images are waiting in the watched folder.");
  assertEquals(
    text(NOTHING.tonight, nas),
    "nas refuses the login. 40 deliveries are waiting; the images are still in the watched folder.",
  );
  // The other one is full as well: it has all images nevertheless.
  assertEquals(
    text(tonightWith(["freya", 240], ["nas", 230]), nas, held("freya", "disk_full")),
    "nas refuses the login; freya on hold too. All 240 images are delivered to at least one destination; 30 older deliveries are waiting.",
  );
  // Each job counts by itself: what one has delivered says nothing of the other.
  assertEquals(
    text(tonightWith(["freya", 240], ["nas", 200], ["nas", 0, "guide"]), nas, {
      ...nas,
      destination: { name: "nas", job: "guide" },
    }),
    "nas refuses the login. 240 of 480 images are delivered; 240 images are waiting in the watched folder.",
  );
});

Deno.test("headlineOf() names together only those that are on hold for the same cause", () => {
  const destinations = [held("tiny", "disk_full"), held("wrong", "login_refused"), held("small", "disk_full")];
  assertEquals(headlineFor({ ...NOTHING, destinations }).text, "tiny and small are full; wrong on hold too");
  assertEquals(headlineFor({ ...NOTHING, destinations: destinations.slice(0, 1) }).text, "tiny is full");
});

Deno.test("headlineOf() does not call across what is known to be gone", () => {
  const nas = { job: "spring", name: "nas", expected: 181, delivered: 20, proven: 20, waiting: 0, failed: 161, bytes: 0 };
  const tonight = { night: "20240517", files: 181, bytes: 0, destinations: [nas] };
  const destinations = [held("nas", "internal", { state: { state: "open" } })];
  const { level, text } = headlineFor({ ...NOTHING, destinations, tonight });
  assertEquals([level, text], ["warning", "Images of tonight are missing: 161 of 181 from nas"]);
});
