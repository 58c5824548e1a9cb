import { assertEquals, assertMatch } from "@std/assert";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { notPickedUp, reasonsFrom } from "../../../src/reports/morning/not_picked_up.ts";
import { statusReport } from "../../../src/reports/overview/status_report.ts";
import { STATUS } from "../../web/fake_daemon.ts";
import { aJob } from "../../support/makers.ts";
import { tempFolder } from "../../support/temp.ts";

const NIGHT = "20240517";
const NOON = Date.UTC(2024, 4, 17, 12);
const UTC = { timezone: "UTC", rollover: "12:00", siteLongitude: null };

Deno.test("notPickedUp() finds what the patterns want of that night and the ledger does not know, and counts it", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.at("state"));
  const system = createSystem();
  const put = async (path: string, mtimeMs: number) => {
    await folder.write(`data/${path}`, "12345");
    await Deno.utime(folder.at(`data/${path}`), mtimeMs / 1000, mtimeMs / 1000);
  };
  await put("n/known.fits", NOON);
  await put("n/new.fits", NOON + 20 * 3_600_000);
  await put("n/older.fits", NOON - 1000);
  await put("n/later.fits", NOON + 24 * 3_600_000);
  await put("n/notes.txt", NOON);
  const job = aJob(folder.at("data"), { night: UTC });
  for await (const { files } of system.walk(job.watchPath, { recursive: true, skipHidden: true }, new AbortController().signal)) {
    const known = files.filter(({ path }) => path === "n/known.fits");
    const targets = job.destinations.map(({ name }) => ({ destination: name, target: "a", method: "local" as const }));
    ledger.admit(
      known.map((facts) => ({
        source: { ...facts, job: job.name, absolutePath: folder.at("data/n/known.fits") },
        night: NIGHT,
        targets,
      })),
      NOON,
    );
  }
  const saw: string[] = [];
  const found = await notPickedUp(
    NIGHT,
    { ledger, system, jobs: [job], why: () => ({ message: "not yet", hint: "" }), saw: (_job, path) => void saw.push(path) },
    new AbortController().signal,
  );
  assertEquals([found.count, found.bytes, saw, found.problems], [1, 5, ["n/new.fits"], []]);
  assertEquals(found.files.map(({ path, message }) => [path, message]), [[folder.at("data/n/new.fits"), "not yet"]]);
});

Deno.test("notPickedUp() says which folder it cannot look into, and looks into the others", async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.at("state"));
  await folder.write("data/a.fits", "1");
  const night = new Date().toISOString().slice(0, 10).replaceAll("-", "");
  const today = { timezone: "UTC", rollover: "00:00", siteLongitude: null };
  const jobs = [aJob(folder.at("gone"), { night: today }), aJob(folder.at("data"), { night: today })];
  const tools = { ledger, system: createSystem(), jobs, why: reasonsFrom(null).ofFile };
  const found = await notPickedUp(night, tools, new AbortController().signal);
  assertEquals(found.count, 1);
  assertMatch(found.problems.join(), /^Cannot list ".*gone": /);
});

Deno.test("notPickedUp() counts names that are not UTF-8 and reserved ones, with their own reasons", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  await using folder = await tempFolder();
  using ledger = openLedger(folder.at("state"));
  const data = folder.at("data");
  await folder.write("data/.image-transfer-abc.fits", "12345");
  await folder.write(`data/.image-transfer-${crypto.randomUUID()}`, "of ours");
  await folder.write("data/.image-transfer-staging/1.fits", "of ours");
  await new Deno.Command("sh", { args: ["-c", 'touch "$(printf "bad\\377.fits")" "$(printf "bad\\377.txt")"'], cwd: data })
    .output();
  await Deno.utime(`${data}/.image-transfer-abc.fits`, NOON / 1000, NOON / 1000);
  const job = aJob(data, { night: UTC, ignoreHiddenFiles: false, filePatterns: ["*.fits", ".image*"] });
  const tools = { ledger, system: createSystem(), jobs: [job], why: reasonsFrom(null).ofFile };
  const found = await notPickedUp(NIGHT, tools, new AbortController().signal);
  assertEquals(found.files.map(({ path, message }) => [path, message]).toSorted(), [
    [
      `${data}/.image-transfer-abc.fits`,
      'Cannot send ".image-transfer-abc.fits": names that begin with .image-transfer- are reserved for temporary files',
    ],
    [`${data}/bad\uFFFD.fits`, 'Cannot send "bad\uFFFD.fits": its name is not valid UTF-8'],
  ]);
  assertEquals([found.count, found.problems], [2, []]);
});

Deno.test("reasonsFrom() gives the reason of what is not sent, and says of others that they are not finished, or that nobody sends them", () => {
  const aFile = { size: 5, hint: "" };
  const not_sent = [
    { ...aFile, path: "/d/a.fits", reason: "incomplete", message: "5 of 9 bytes", hint: "Wait." },
    { ...aFile, path: "/d/b.fits", reason: "rejected", message: "its DATASUM is wrong", hint: "Write it again." },
  ] as const;
  const [job] = statusReport(STATUS).jobs;
  const reasons = reasonsFrom({ jobs: [{ ...job!, not_sent }], destinations: [] });
  assertEquals(reasons.ofFile("/d/a.fits").message, "it is incomplete: 5 of 9 bytes");
  assertEquals(reasons.ofFile("/d/b.fits"), { message: "its DATASUM is wrong", hint: "Write it again." });
  assertEquals(reasons.ofFile("/d/c.fits").message, "it is not finished yet");
  assertEquals(reasonsFrom(null).ofFile("/d/a.fits").message, "no daemon is running to send it");
});
