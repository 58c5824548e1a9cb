/**
 * The views of one state cannot disagree about whether all is well: headline, `status`, its JSON and exit code, the page, and the
 * morning report.
 */
import { assert, assertEquals } from "@std/assert";
import { Failure } from "../../../src/domain/failure.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import type { Ledger } from "../../../src/ledger/ledger.ts";
import { orphans } from "../../../src/ledger/orphans.ts";
import { reportNow } from "../../../src/reports/morning/report_schedule.ts";
import { judged } from "../../../src/reports/overview/facts.ts";
import { liveStates } from "../../../src/reports/overview/live_state.ts";
import { isWell, overviewOf } from "../../../src/reports/overview/overview.ts";
import type { DestinationNow, JobNow, PageSource } from "../../../src/reports/page_source.ts";
import { statusText } from "../../../src/commands/text/status_text.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { aFailure, anAdmission, broken, deliveryOf, NOW, proven } from "../../ledger/makers.ts";
import { aDestination, aJob } from "../../support/makers.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";
import { aWaiting } from "../../web/fake_daemon.ts";
import { fakeSource } from "../fake_source.ts";

interface State {
  /** Done before the views look. */
  readonly before?: (ledger: Ledger, folder: TempFolder) => Promise<void> | void;
  readonly job?: Partial<JobNow>;
  readonly freya?: Partial<DestinationNow>;
  readonly level: "good" | "busy" | "warning" | "bad";
  /** What the report of the night comes to, where it is not what the level says. */
  readonly report?: boolean;
}

const failure = aFailure("disk_full");
const away = { survey: () => Promise.resolve(null) };

const STATES: Readonly<Record<string, State>> = {
  "everything is delivered": { level: "good" },
  // What is only on its way is not there yet.
  "a delivery waits": { before: (ledger) => void ledger.admit([anAdmission("b.fits")], NOW), level: "busy", report: false },
  "a delivery failed": {
    before(ledger) {
      ledger.admit([anAdmission("b.fits")], NOW);
      ledger.record([broken(deliveryOf(ledger, "b.fits"))], NOW);
    },
    level: "bad",
  },
  "an image is known to be gone": {
    before: (ledger) => void ledger.markGone([deliveryOf(ledger, "a.fits").id], "It is gone", NOW),
    level: "warning",
  },
  "a destination is on hold": { freya: { state: { state: "on_hold", failure, until: NOW }, ...away }, level: "bad" },
  "a destination is away": { freya: { state: { state: "backing_off", failure, until: NOW }, ...away }, level: "warning" },
  "a destination is paused": { freya: { state: { state: "paused", by: "ann" }, ...away }, level: "warning" },
  "a file is incomplete": { before: half, job: { waiting: [aWaiting("half.fits", { reason: "incomplete" })] }, level: "warning" },
  "a file is rejected": {
    before: half,
    job: { waiting: [aWaiting("half.fits", { reason: "refused", detail: "it cannot be read" })] },
    level: "warning",
  },
  "the daemon has just started, and no folder is looked at yet": { job: { how: null, failure: null }, level: "good" },
  "a folder cannot be watched": {
    before: (_, folder) => Deno.remove(folder.at("data")),
    job: { how: null, failure: aFailure("permission_denied") },
    level: "bad",
  },
  // The report is about images, and there was none: the patterns are for the other views to tell.
  "no file matches the patterns": { job: { unmatched: { files: 3, example: "a.nef" } }, level: "warning", report: true },
  // A leftover of a change of the configuration is listed, and nothing is wrong with what is configured.
  "images wait for a destination that is no longer configured": {
    before: (ledger) => void ledger.admit([anAdmission("b.fits", {}, ["tape"])], NOW),
    level: "good",
    report: false,
  },
  "an image failed at a destination that is no longer configured": {
    before(ledger) {
      ledger.admit([anAdmission("b.fits", {}, ["tape"])], NOW);
      ledger.record([broken(deliveryOf(ledger, "b.fits", "tape"))], NOW);
    },
    level: "good",
    report: false,
  },
};

async function half(_: Ledger, folder: TempFolder): Promise<void> {
  const path = await folder.write("data/half.fits", "SIMPLE");
  await Deno.utime(path, NOW / 1000, NOW / 1000);
}

async function sourceOf({ before, job = {}, freya = {} }: State, ledger: Ledger, folder: TempFolder): Promise<PageSource> {
  await Deno.mkdir(folder.at("data"));
  const destination = { ...aDestination(), job: "spring", name: "freya" };
  const spring = aJob(folder.at("data"), { destinations: [destination] });
  ledger.admit([anAdmission("a.fits")], NOW);
  ledger.record([proven(deliveryOf(ledger, "a.fits"))], NOW);
  await before?.(ledger, folder);
  const jobNow: JobNow = {
    job: spring,
    how: "events",
    eventsMissing: null,
    nextRun: null,
    failure: null,
    unmatched: null,
    leftAside: null,
    waiting: [],
    lastImage: null,
    usualMs: null,
  };
  const freyaNow: DestinationNow = {
    destination,
    method: "local",
    state: { state: "open" },
    freeBytes: null,
    made: false,
    limit: null,
    heldRemovals: null,
    audit: null,
    survey: (targets) => Promise.resolve(targets.map(() => ({ bytes: 1000, kind: "file" as const }))),
    ...freya,
  };
  return fakeSource(ledger, {
    jobs: () => [{ ...jobNow, ...job }],
    destinations: () => [freyaNow],
    hooks: () => [],
    orphans: () => orphans(ledger, [spring]),
  });
}

for (const [what, state] of Object.entries(STATES)) {
  Deno.test(`headline, status, its exit code, page and report agree where ${what}: ${state.level}`, async () => {
    await using folder = await tempFolder();
    using ledger = openLedger(folder.at("state"));
    const source = await sourceOf(state, ledger, folder);
    const well = state.level === "good" || state.level === "busy";

    const { status, overview, orphans, tonight } = judged(source, NOW);
    assertEquals([overview.level, status.all_well], [state.level, well]);

    // `status` judges what it is sent, and so does `--check`.
    const sent = overviewOf(JSON.parse(JSON.stringify(status)), { orphans, tonight });
    const text = statusText(status, { live: null, overview: sent, now: NOW, columns: 200 });
    assertEquals([sent.level, isWell(sent), text.startsWith("All is well")], [state.level, well, well]);

    const page = liveStates(source)(NOW);
    assertEquals([page.headline.level, page.status.all_well], [state.level, well]);
    const troubles = page.trouble.filter(({ key }) => !key.startsWith("orphan "));
    assertEquals([troubles.length > 0, page.trouble.length], [!well, page.troubleCount], JSON.stringify(page.trouble));
    assert(troubles.every(({ message }) => message !== ""));
    assertEquals(troubles.some(({ severity }) => severity === "bad"), state.level === "bad");

    const system = { ...createSystem(), now: () => NOW };
    const report = await reportNow(source, system, new AbortController().signal);
    assertEquals([report.night, report.all_well], ["20240517", state.report ?? well], JSON.stringify(report));
    // Whatever the report misses, one of the other views lists or is about to deliver.
    if (!report.all_well) assert(overview.findings.length > 0 || overview.level === "busy");
  });
}

Deno.test("an image of an earlier night that is gone is named by status, and does not spoil tonight", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.at("state"));
  const before = (ledger: Ledger) => {
    ledger.admit([{ ...anAdmission("old.fits"), night: "20240516" }], NOW);
    ledger.record([proven(deliveryOf(ledger, "old.fits"))], NOW);
    ledger.markGone([deliveryOf(ledger, "old.fits").id], "It is gone", NOW);
  };
  const { status, overview } = judged(await sourceOf({ before, level: "good" }, ledger, folder), NOW);
  const text = statusText(status, { live: null, overview, now: NOW, columns: 200 });
  assertEquals([overview.level, status.all_well], ["good", true]);
  assertEquals(text.split("\n")[0], "All is well: everything is delivered except 1 file no longer at the destination.");
});

Deno.test("overviewOf() calls nothing well without a daemon, or with a configuration that cannot be used", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.at("state"));
  const { status, orphans, tonight } = judged(await sourceOf({ level: "good" }, ledger, folder), NOW);
  const besides = { orphans, tonight };
  assertEquals(overviewOf(status, besides).level, "good");
  assertEquals(overviewOf(status, { ...besides, fault: new Failure("configuration", "unknown key") }).level, "warning");
  assertEquals(overviewOf({ ...status, running: false }, besides).level, "bad");
});
