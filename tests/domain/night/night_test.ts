import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Failure } from "../../../src/domain/failure.ts";
import { isTimeZone, nightFolder, type NightRule, observingNight, rolloverMinutes } from "../../../src/domain/night/night.ts";

const in_ = (timezone: string, rollover = "12:00"): NightRule => ({ timezone, rollover, siteLongitude: null });
const at = (text: string) => Date.parse(text);

const CASES: [about: string, moment: string, rule: NightRule, night: string][] = [
  ["the evening has its own date", "2024-03-01T20:00:00Z", in_("UTC"), "20240301"],
  ["the morning has the evening's date", "2024-03-01T06:00:00Z", in_("UTC"), "20240229"],
  ["the last millisecond before noon is the night before", "2024-03-01T11:59:59.999Z", in_("UTC"), "20240229"],
  ["noon begins the next night", "2024-03-01T12:00:00Z", in_("UTC"), "20240301"],
  ["New Year's night has the old year", "2025-01-01T03:00:00Z", in_("UTC"), "20241231"],
  ["Berlin in winter: noon is 11 UTC", "2024-01-10T11:00:00Z", in_("Europe/Berlin"), "20240110"],
  ["Berlin in winter, a second earlier", "2024-01-10T10:59:59Z", in_("Europe/Berlin"), "20240109"],
  ["Berlin in summer: noon is 10 UTC", "2024-07-10T10:00:00Z", in_("Europe/Berlin"), "20240710"],
  ["Berlin in summer, a second earlier", "2024-07-10T09:59:59Z", in_("Europe/Berlin"), "20240709"],
  ["the night the clocks go forward, before", "2024-03-31T00:30:00Z", in_("Europe/Berlin"), "20240330"],
  ["the night the clocks go forward, noon is 10 UTC", "2024-03-31T10:00:00Z", in_("Europe/Berlin"), "20240331"],
  ["the night the clocks go forward, last second", "2024-03-31T09:59:59Z", in_("Europe/Berlin"), "20240330"],
  ["the night the clocks go back, noon is 11 UTC", "2024-10-27T11:00:00Z", in_("Europe/Berlin"), "20241027"],
  ["the night the clocks go back, last second", "2024-10-27T10:59:59Z", in_("Europe/Berlin"), "20241026"],
  ["Chile changes in September, at midnight", "2024-09-08T04:30:00Z", in_("America/Santiago"), "20240907"],
  ["Hawaii's evening is UTC's next day", "2024-05-02T06:00:00Z", in_("Pacific/Honolulu"), "20240501"],
  ["Australia's evening is UTC's morning", "2024-05-02T10:00:00Z", in_("Australia/Sydney"), "20240502"],
  ["Australia's morning is UTC's evening before", "2024-05-01T20:00:00Z", in_("Australia/Sydney"), "20240501"],
  ["half an hour off: Lord Howe", "2024-06-01T01:29:59Z", in_("Australia/Lord_Howe"), "20240531"],
  ["half an hour off: Lord Howe at noon", "2024-06-01T01:30:00Z", in_("Australia/Lord_Howe"), "20240601"],
  ["rollover at midnight gives the civil date", "2024-03-01T23:59:59Z", in_("UTC", "00:00"), "20240301"],
  ["rollover at midnight, next day", "2024-03-02T00:00:00Z", in_("UTC", "00:00"), "20240302"],
  ["rollover in the evening", "2024-03-01T17:59:00Z", in_("UTC", "18:00"), "20240229"],
  ["rollover in the evening, at it", "2024-03-01T18:00:00Z", in_("UTC", "18:00"), "20240301"],
];

for (const [about, moment, rule, night] of CASES) {
  Deno.test(`observingNight(): ${about}`, () => assertEquals(observingNight(at(moment), rule), night));
}

Deno.test("observingNight() follows the mean sun where a longitude is given", () => {
  const chile: NightRule = { timezone: "Europe/Berlin", rollover: "12:00", siteLongitude: -70.4 };
  // 70.4° west is 4 h 41 min 36 s behind.
  assertEquals(observingNight(at("2024-05-02T16:41:35Z"), chile), "20240501");
  assertEquals(observingNight(at("2024-05-02T16:41:36Z"), chile), "20240502");
  assertEquals(observingNight(at("2024-05-02T00:00:00Z"), { ...chile, siteLongitude: 180 }), "20240502");
  assertEquals(observingNight(at("2024-05-02T00:00:00Z"), { ...chile, siteLongitude: -180 }), "20240501");
  // Half a millisecond before noon, before 1970 and after.
  assertEquals(observingNight(at("1970-01-01T12:00:00Z"), { ...chile, siteLongitude: -1 / 480_000 }), "19691231");
  assertEquals(observingNight(at("1969-12-31T12:00:00Z"), { ...chile, siteLongitude: -1 / 480_000 }), "19691230");
});

Deno.test("observingNight() takes the computer's zone where none is given", () => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  for (const month of ["01", "03", "07", "10", "12"]) {
    const moment = at(`2024-${month}-15T11:37:00Z`);
    assertEquals(
      observingNight(moment, { timezone: null, rollover: "12:00", siteLongitude: null }),
      observingNight(moment, in_(zone)),
    );
  }
});

Deno.test("observingNight() takes broken file times", () => {
  for (const moment of [NaN, Infinity, -Infinity, 8.64e15, -8.64e15, Number.MAX_VALUE, 0]) {
    const night = observingNight(moment, in_("Pacific/Auckland"));
    assertEquals(/^\d{8}$/.test(night), true, `${moment}: ${night}`);
  }
});

Deno.test("observingNight() refuses a rule that is none, and says what to write", () => {
  const zone = assertThrows(() => observingNight(0, in_("Mars/Olympus")), Failure, '"Mars/Olympus" is not a known time zone');
  assertEquals(zone.code, "configuration");
  const rollover = assertThrows(() => observingNight(0, in_("UTC", "25:00")), Failure, '"25:00" is not a time of day');
  assertEquals(rollover.code, "configuration");
});

Deno.test("observingNight() gives a whole day of moments one night, but for changes of the clock", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -4e12, max: 4e12 }),
      fc.double({ min: -180, max: 180, noNaN: true }),
      (moment, siteLongitude) => {
        const rule: NightRule = { timezone: null, rollover: "12:00", siteLongitude };
        const night = observingNight(moment, rule);
        const next = observingNight(moment + 86_400_000, rule);
        const dateOf = (text: string) => Date.UTC(Number(text.slice(0, 4)), Number(text.slice(4, 6)) - 1, Number(text.slice(6)));
        assertEquals(dateOf(next) - dateOf(night), 86_400_000);
      },
    ),
    { numRuns: 5_000 },
  );
});

Deno.test("isTimeZone() knows names of the IANA list only", () => {
  assertEquals([isTimeZone("Europe/Berlin"), isTimeZone("UTC"), isTimeZone("Nowhere"), isTimeZone("")], [
    true,
    true,
    false,
    false,
  ]);
});

Deno.test("rolloverMinutes() reads HH:MM only", () => {
  assertEquals(["12:00", "0:30", "23:59", "24:00", "12", "12:60", " 12:00", ""].map(rolloverMinutes), [
    720,
    30,
    1439,
    null,
    null,
    null,
    null,
    null,
  ]);
});

const LOCATED: readonly (readonly [string, string, string | null, string])[] = [
  ["NIGHT", "20261120/a.fits", "20261120", "a.fits"],
  ["NIGHT", "20261120/raw/a.fits", "20261120", "raw/a.fits"],
  ["NIGHT/raw", "20261120/raw/x/a.fits", "20261120", "x/a.fits"],
  ["NIGHT/raw", "20261120/a.fits", null, ""],
  ["img_NIGHT", "img_20261120/a.fits", "20261120", "a.fits"],
  ["NIGHT/cam.NIGHT", "20261120/cam.20261120/a.fits", "20261120", "a.fits"],
  ["NIGHT/cam.NIGHT", "20261120/cam.20261119/a.fits", null, ""],
  ["NIGHT/c.m", "20261120/cam/a.fits", null, ""],
  ["NIGHT", "a.fits", null, ""],
  ["NIGHT", "20261320/a.fits", null, ""],
  ["NIGHT", "202611201/a.fits", null, ""],
  ["NIGHT", "darks/a.fits", null, ""],
  ["NIGHT", "20261120/a\nb.fits", "20261120", "a\nb.fits"],
];
for (const [template, path, night, below] of LOCATED) {
  Deno.test(`nightFolder("${template}") locates ${JSON.stringify(path)}`, () => {
    assertEquals(nightFolder(template).locate(path), night === null ? null : { night, path: below });
  });
}

Deno.test("leadsThere() is true on the way to the folder of a night, and nowhere else", () => {
  const { leadsThere } = nightFolder("NIGHT/raw/good");
  assertEquals(["", "20261120", "20261120/raw", "20261120/dark", "other"].map(leadsThere), [true, true, true, false, false]);
});
