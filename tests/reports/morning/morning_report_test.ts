import { assert, assertEquals, assertMatch } from "@std/assert";
import type { Job } from "../../../src/config/settings.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { type NotPickedUp, reasonsFrom } from "../../../src/reports/morning/not_picked_up.ts";
import { type Look, morningReport, type ReportTools } from "../../../src/reports/morning/morning_report.ts";
import { reportHtml, reportText } from "../../../src/reports/morning/report_text.ts";
import { statusReport } from "../../../src/reports/overview/status_report.ts";
import { STATUS } from "../../web/fake_daemon.ts";
import { aClaim, anAdmission, broken, NOW, proven } from "../../ledger/makers.ts";
import { tempFolder } from "../../support/temp.ts";

const NIGHT = "20240517";
const [FREYA] = STATUS.destinations;
const NAS = { ...FREYA!, destination: { job: "spring", name: "nas" }, state: { state: "paused", by: "ann" } } as const;
const NOTHING: NotPickedUp = { count: 0, bytes: 0, files: [], problems: [] };

async function rig() {
  const folder = await tempFolder();
  const ledger = openLedger(folder.path);
  const destinations = ["freya", "nas"].map((name) => ({ job: "spring", name }));
  // Only names are asked of jobs.
  const jobs = [{ name: "spring", destinations }] as unknown as Job[];
  const pauses: number[] = [];
  const pieces: number[] = [];
  const looking = (missing: (target: string) => boolean): ReportTools["look"] => async (_, delivered): Promise<Look> => {
    for await (const rows of delivered.pieces(300)) {
      pieces.push(rows.length);
      delivered.found(rows, rows.map(({ delivery: { target } }) => missing(target) ? "it is no longer there" : null));
    }
    return { looked: true, hashed: false };
  };
  return {
    ledger,
    pauses,
    pieces,
    report: (look: ReportTools["look"] = looking(() => false), missed: NotPickedUp = NOTHING, mostListed?: number) =>
      morningReport(NIGHT, {
        ledger,
        jobs,
        now: NOW,
        ...(mostListed === undefined ? {} : { mostListed }),
        system: { sleep: (ms) => Promise.resolve(void pauses.push(ms)) },
        look,
        whyWaiting: reasonsFrom(statusReport({ ...STATUS, destinations: [FREYA!, NAS] })).ofWaiting,
        notPickedUp: (_night, saw) => {
          for (const { job, path } of missed.files) saw(job, path.slice("/data/".length));
          return Promise.resolve(missed);
        },
      }),
    looking,
    async [Symbol.asyncDispose]() {
      ledger[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const named = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => `n/f_${String(from + i).padStart(5, "0")}.fits`);

Deno.test("morningReport() reads a long night in small pieces, pauses in between, and counts every file", async () => {
  await using night = await rig();
  const all = night.ledger.admit(named(1, 1200).map((path) => anAdmission(path, {}, ["freya", "nas"])), NOW - 5000);
  night.ledger.record(all.map((one) => proven(one)), NOW);
  const report = await night.report();
  assertEquals(report.all_well, true);
  assertEquals(report.destinations.map(({ name, delivered, present }) => [name, delivered, present]), [
    ["freya", 1200, 1200],
    ["nas", 1200, 1200],
  ]);
  assertEquals(report.gaps, []);
  assertEquals(report.slowest.map(({ seconds }) => seconds), new Array(10).fill(5));
  assert(night.pauses.length >= 2 * (1200 / 500 - 1) + 2 * (1200 / 300 - 1), `${night.pauses.length} pauses`);
  assert(Math.max(...night.pieces) <= 300);
});

Deno.test("morningReport() calls no night well in which a file was delivered without a proof of its bytes", async () => {
  await using night = await rig();
  const all = night.ledger.admit(named(1, 3).map((path) => anAdmission(path)), NOW);
  night.ledger.record(all.map((one, index) => proven(one, index === 1 ? null : undefined)), NOW);
  const report = await night.report();
  const [freya] = report.destinations;
  assertEquals([freya?.expected, freya?.delivered, freya?.proven, freya?.present, freya?.wrong_count], [3, 3, 2, 3, 0]);
  assertEquals([report.all_well, report.gaps, report.undelivered], [false, [], []]);
});

Deno.test("morningReport() lists the first hundred of what is wrong, and counts all of it", async () => {
  await using night = await rig();
  const all = night.ledger.admit(named(1, 250).map((path) => anAdmission(path)), NOW);
  night.ledger.record(all.map((one) => proven(one)), NOW);
  const report = await night.report(night.looking((target) => target !== "n/f_00001.fits"));
  const [freya] = report.destinations;
  assertEquals([report.all_well, freya?.present, freya?.wrong.length, freya?.wrong_count], [false, 1, 100, 249]);
  const text = reportText(report);
  assert(text.includes("NOT all well: 249 missing or changed on freya"), text);
  assert(text.includes("… and 149 more"), text);
});

Deno.test("morningReport() lists all that is wrong for who wants more, and its HTML has every one of them", async () => {
  await using night = await rig();
  const all = night.ledger.admit(named(1, 300).map((path) => anAdmission(path)), NOW - 5000);
  night.ledger.record(all.slice(0, 150).map((one) => proven(one)), NOW);
  const report = await night.report(night.looking(() => true), NOTHING, 1000);
  assertEquals([report.destinations[0]?.wrong.length, report.undelivered.length], [150, 150]);
  const html = reportHtml(report);
  assertEquals(named(1, 300).filter((path) => !html.includes(path)), []);
  assert(!html.includes("more</td>"));
});

Deno.test("morningReport() looks for the newest of what was delivered to a target, not for what it replaced", async () => {
  await using night = await rig();
  const [first] = night.ledger.admit([anAdmission("a.fits", { size: 5 })], NOW);
  night.ledger.record([proven(first!)], NOW);
  const [second] = night.ledger.admit([anAdmission("a.fits", { size: 7, mtimeMs: NOW })], NOW + 1);
  night.ledger.record([proven(second!)], NOW + 2);
  const sizes: number[] = [];
  await night.report(async (_, delivered) => {
    for await (const rows of delivered.pieces(10)) sizes.push(...rows.map(({ delivery: { source } }) => source.size));
    return { looked: true, hashed: false };
  });
  assertEquals(sizes, [7]);
});

Deno.test("morningReport() names what is not delivered in the order of queueing, over all destinations, without what was set aside", async () => {
  await using night = await rig();
  const [a1, a2, b1, b2] = night.ledger.admit(
    ["a.fits", "b.fits"].map((path) => anAdmission(path, {}, ["freya", "nas"])),
    NOW,
  );
  const [skipped] = night.ledger.admit([anAdmission("c_0009.fits")], NOW);
  night.ledger.record([proven(a1!), broken(a2!), broken(b1!), broken(skipped!, "skipped")], NOW);
  const report = await night.report();
  assertEquals(report.undelivered.map(({ id, state }) => [id, state]), [[a2!.id, "failed"], [b1!.id, "failed"], [
    b2!.id,
    "queued",
  ]]);
  assertEquals(report.undelivered_count, 3);
  assertEquals([report.all_well, report.seen.files, report.destinations.map(({ present }) => present)], [false, 2, [1, 0]]);
});

Deno.test("morningReport() says why something waits: what keeps its destination from being open, or that it is gone", async () => {
  await using night = await rig();
  night.ledger.admit([anAdmission("a.fits", {}, ["freya", "nas", "tape"]), anAdmission("b.fits")], NOW);
  night.ledger.claim(aClaim({ maxFiles: 1 }));
  const { undelivered } = await night.report();
  assertEquals(undelivered.map(({ destination, message }) => [destination, message]), [
    ["freya", "it is being sent"],
    ["nas", "waiting: paused by ann"],
    ["tape", "waiting: tape is no longer configured"],
    ["freya", "waiting for its turn"],
  ]);
});

Deno.test("morningReport() says why a destination cannot be asked, and counts nothing there", async () => {
  await using night = await rig();
  const all = night.ledger.admit(named(1, 2).map((path) => anAdmission(path)), NOW);
  night.ledger.record(all.map((one) => proven(one)), NOW);
  const report = await night.report(async (_, delivered) => {
    for await (const rows of delivered.pieces(1)) {
      delivered.found(rows, ["it is no longer there"]);
      break;
    }
    return { looked: false, problem: "it went away" };
  });
  const [freya] = report.destinations;
  assertEquals([freya?.present, freya?.wrong_count, freya?.wrong, freya?.problem], [null, 0, [], "it went away"]);
});

Deno.test("morningReport() calls no night well of which an image was not taken, and misses no frame that is still at the camera", async () => {
  await using night = await rig();
  const all = night.ledger.admit(["n/f_00001.fits", "n/f_00003.fits"].map((path) => anAdmission(path)), NOW);
  night.ledger.record(all.map((one) => proven(one)), NOW);
  const file = { job: "spring", path: "/data/n/f_00002.fits", size: 7, message: "it is incomplete: short", hint: "Wait." };
  const report = await night.report(undefined, { count: 1, bytes: 7, files: [file], problems: [] });
  assertEquals([report.all_well, report.seen.files, report.gaps], [false, 3, []]);
  const text = reportText(report);
  assert(text.includes("NOT all well: 1 not picked up at the camera\n\n3 images seen"), text);
  assert(text.includes("Not picked up at the camera:\n  /data/n/f_00002.fits: it is incomplete: short\n      Wait.\n"), text);
  const away = await night.report(undefined, { ...NOTHING, problems: ['Cannot list "/data": it is not there'] });
  assertEquals(away.all_well, false);
  assert(reportText(away).includes("NOT all well: a watched folder cannot be listed"));
});

Deno.test("morningReport() says how many a newer version replaced", async () => {
  await using night = await rig();
  const [first] = night.ledger.admit([anAdmission("a.fits", { size: 5 })], NOW);
  night.ledger.record([proven(first!)], NOW);
  const [second] = night.ledger.admit([anAdmission("a.fits", { size: 7, mtimeMs: NOW })], NOW + 1);
  night.ledger.record([proven(second!)], NOW + 2);
  const report = await night.report();
  assertEquals([report.all_well, report.destinations[0]?.replaced, report.destinations[0]?.present], [true, 1, 1]);
  assert(reportText(report).includes("2 delivered, 2 verified, 1 present, 1 replaced by newer versions"), reportText(report));
});

Deno.test("morningReport() lists what was sent with a warning, and calls the night well all the same", async () => {
  await using night = await rig();
  const [first] = night.ledger.admit([{ ...anAdmission("a.fits"), warning: "its DATASUM does not match <its> data" }], NOW);
  night.ledger.record([proven(first!)], NOW);
  // Of a job that only watches: it is sent nowhere.
  night.ledger.admit([{ ...anAdmission("b.fits", {}, []), warning: "not a FITS file" }], NOW);
  const report = await night.report();
  const message = "its DATASUM does not match <its> data";
  assertEquals([report.all_well, report.flagged], [true, {
    count: 1,
    files: [{ job: "spring", path: "/data/a.fits", message }],
  }]);
  assertMatch(
    reportText(report),
    /: all well, the one image is on freya, 1 with a warning\n[^]*Sent with a warning:\n {2}\/data\/a.fits: its DATASUM/,
  );
  assertMatch(reportHtml(report), /<h2>Sent with a warning<\/h2>[^]*does not match &lt;its&gt; data/);
});
