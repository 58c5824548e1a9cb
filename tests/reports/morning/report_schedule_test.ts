import { assertEquals, assertStringIncludes } from "@std/assert";
import { type FleetMember, toBeatReport } from "../../../src/domain/fleet.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import type { MorningReport } from "../../../src/reports/morning/morning_json.ts";
import { nextTime, reportSchedule } from "../../../src/reports/morning/report_schedule.ts";
import { fitsFile } from "../../support/fits_maker.ts";
import { createFakeClock } from "../../support/fake_clock.ts";
import { openLedger } from "../../../src/ledger/sqlite/open_ledger.ts";
import { tempFolder } from "../../support/temp.ts";
import { webRig } from "../../web/web_rig.ts";
import { fakeSource } from "../fake_source.ts";

Deno.test("nextTime() is the next moment that the clock shows it", () => {
  const at = (hours: number, minutes: number, day = 15) => new Date(2026, 0, day, hours, minutes).getTime();
  assertEquals(nextTime("08:00", at(7, 59)), at(8, 0));
  assertEquals(nextTime("08:00", at(8, 0)), at(8, 0, 16));
  assertEquals(nextTime("08:00", at(23, 0)), at(8, 0, 16));
  assertEquals(nextTime("00:00", at(12, 0, 31)), new Date(2026, 1, 1).getTime());
});

Deno.test({
  name: "nextTime() keeps to the time of day after the night in which the clock skipped it",
  // Windows has its time zone from its settings only.
  ignore: Deno.build.os === "windows",
  async fn() {
    const at = new URL("../../../src/reports/morning/report_schedule.ts", import.meta.url);
    const after = "2026-03-29T12:00:00+02:00";
    const code =
      `import { nextTime } from "${at}"; console.log(new Date(nextTime("02:30", Date.parse("${after}"))).toISOString());`;
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", code], env: { TZ: "Europe/Berlin" } }).output();
    assertEquals(new TextDecoder().decode(stdout).trim(), "2026-03-30T00:30:00.000Z");
  },
});

async function scheduled(answers: readonly number[], instead: Parameters<typeof fakeSource>[1] = {}) {
  const folder = await tempFolder();
  const ledger = openLedger(folder.path);
  const clock = createFakeClock({ startMs: new Date(2026, 0, 15, 7, 50).getTime() });
  const asked: { url: string; body: { text: string; report: MorningReport } }[] = [];
  const left = [...answers];
  const told: string[] = [];
  const schedule = reportSchedule({
    source: fakeSource(ledger, instead),
    emit: (event) => void (event.type === "notice" && told.push(`${event.level}: ${event.message}`)),
    system: {
      now: clock.now,
      sleep: clock.sleep,
      walk: createSystem().walk,
      askRemote: (url, { body }) => {
        asked.push({ url, body: JSON.parse(body ?? "") });
        return Promise.resolve({ status: left.shift() ?? 200, headers: new Headers(), text: "" });
      },
    },
  });
  const minutes = async (count: number) => {
    for (let i = 0; i < count * 2; i++) await clock.advance(30_000);
  };
  // The computer sleeps meanwhile, as far as it goes without missing anything.
  const aDay = async () => {
    clock.jump(24 * 3_600_000 - 600_000);
    await minutes(24);
  };
  return {
    asked,
    told,
    schedule,
    minutes,
    aDay,
    clock,
    async [Symbol.asyncDispose]() {
      await schedule.stop();
      ledger[Symbol.dispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

Deno.test("reportSchedule() sends at its time, once a day, until it is taken away", async () => {
  await using s = await scheduled([]);
  s.schedule.adopt({ at: "08:00", to: "https://chat.example/secret", fleet: false });
  await s.minutes(9);
  assertEquals(s.asked.length, 0);
  await s.minutes(3);
  assertEquals(s.asked.map(({ url, body }) => [url, body.report.seen.files]), [["https://chat.example/secret", 0]]);
  assertStringIncludes(s.asked[0]!.body.text, "no images");
  await s.aDay();
  assertEquals(s.asked.length, 2);
  s.schedule.adopt(null);
  await s.aDay();
  assertEquals(s.asked.length, 2);
});

Deno.test("reportSchedule() sends the next morning when the clock was set back by years", async () => {
  await using rig = await scheduled([]);
  rig.schedule.adopt({ at: "08:00", to: "https://example.org/hook", fleet: false });
  rig.clock.jump(-1000 * 24 * 3_600_000);
  await rig.minutes(12);
  assertEquals(rig.asked.length, 1);
});

Deno.test("reportSchedule() tries again, and in the end says that it could not, without the address", async () => {
  await using s = await scheduled([500, 500, 200, 404, 404, 404, 404, 404]);
  s.schedule.adopt({ at: "08:00", to: "https://chat.example/secret", fleet: false });
  await s.minutes(12);
  assertEquals([s.asked.length, s.told.length], [3, 1]);
  await s.aDay();
  assertEquals(s.asked.length, 8);
  assertStringIncludes(s.told.at(-1)!, "warning: Cannot send the report: it responded with status 404");
  assertEquals(s.told.join().includes("secret"), false);
});

Deno.test("reportSchedule() sends the fleet's report after its own, in which what is old is unknown", async () => {
  const member: FleetMember = {
    name: "autumn",
    level: "good",
    headline: "All 240 of tonight's images are on freya",
    version: "1.0.0",
    seen_at: null,
    seconds_ago: 20,
    config_error: null,
    report: toBeatReport({ night: { night: "20260114", files: 240, files_delivered: 240, bytes: 4e9 } }),
  };
  const at = new Date(2026, 0, 15, 7, 59, 40).getTime();
  await using s = await scheduled([], { fleet: () => Promise.resolve({ members: [member], at }) });
  s.schedule.adopt({ at: "08:00", to: "https://chat.example/secret", fleet: true });
  await s.minutes(12);
  assertEquals(s.asked.map(({ body }) => Object.keys(body)), [["text", "report"], ["text", "fleet"]]);
  assertEquals(
    s.asked[1]!.body.text.split("\n")[0],
    "Fleet, night 2026-01-14: all well, all 240 images of 1 computer are delivered",
  );
  assertEquals(s.told.length, 2);
  await s.aDay();
  assertStringIncludes(s.asked[3]!.body.text, "1 of 1 computer unknown");
});

Deno.test("a daemon sends its report to a real webhook, with what it sees at the destination", async () => {
  const end = new AbortController();
  const bodies: { text: string; report: MorningReport }[] = [];
  const hook = await createSystem().listen({
    host: "127.0.0.1",
    port: 0,
    handler: async (request) => {
      bodies.push(await request.json());
      return new Response("ok");
    },
  }, end.signal);
  {
    // By this clock eight is in twenty seconds: a slow start and the delivery come before it.
    const shift = nextTime("08:00", Date.now()) - Date.now() - 20_000;
    const eight = Date.now() + 20_000;
    await using rig = await webRig({ report: { at: "08:00", to: `http://127.0.0.1:${hook.port}/` } }, {
      now: () => Date.now() + shift,
    });
    // Of the night that this clock shows.
    const written = new Date(Date.now() + shift - 3_600_000);
    const path = await rig.folder.write("new.fits", fitsFile(3000));
    await Deno.utime(path, written, written);
    await Deno.rename(path, rig.folder.at("data/a.fits"));
    await rig.until(() => rig.daemon.ledger.counts().delivered === 1, "delivered");
    await rig.until(() => Date.now() >= eight, "eight");
    await rig.until(() => bodies.length > 0, "the report");
    const { report } = bodies[0]!;
    assertEquals(report.destinations.map(({ present, problem }) => [present, problem]), [[1, null]]);
  }
  end.abort();
  await hook.finished;
});
