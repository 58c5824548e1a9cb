import { assert, assertEquals } from "@std/assert";
import type { NightPoint } from "../../../src/ledger/history.ts";
import { nightSeries } from "../../../src/reports/night/night_report.ts";

const START = Date.UTC(2026, 0, 15, 20);
const point = (versionId: number, atSeconds: number, tookSeconds: number | null, destination = "freya"): NightPoint => ({
  id: versionId,
  versionId,
  job: "spring",
  destination,
  size: 10,
  queuedAt: START + atSeconds * 1000,
  deliveredAt: tookSeconds === null ? null : START + (atSeconds + tookSeconds) * 1000,
});

Deno.test("nightSeries() adds files and bytes up over time, each file once, each destination by itself", () => {
  const series = nightSeries([point(1, 0, 1), point(1, 0, 5, "nas"), point(2, 3, 1), point(2, 3, null, "nas")]);
  assertEquals(series.binMs, 1000);
  assertEquals(series.times.map((time) => time - START / 1000), [-3, -2, -1, 0, 1, 2, 3, 4, 5, 6]);
  assertEquals(series.seenFiles, [0, 0, 0, 0, 1, 1, 1, 2, 2, 2]);
  assertEquals(series.seenBytes.at(-1), 20);
  const [freya, nas] = series.destinations;
  assertEquals(freya?.files.slice(3), [0, 0, 1, 1, 1, 2, 2]);
  assertEquals(nas?.files.slice(3), [0, 0, 0, 0, 0, 0, 1]);
  assertEquals(freya?.latency.slice(4), [null, 1, null, null, 1, null]);
  assertEquals(nas?.worst.at(-1), 5);
});

Deno.test("nightSeries() has the median and the worst of a bin", () => {
  const points = [...[1, 2, 3, 40].map((took, i) => point(i, 0, took)), point(9, 3000, 1)];
  const { destinations: [freya] } = nightSeries(points);
  assertEquals([freya?.latency.slice(0, 2), freya?.worst.slice(0, 2)], [[null, 2], [null, 3]]);
});

Deno.test("nightSeries() has few bins however long it took, and survives a clock that was set back", () => {
  for (const days of [0.1, 1, 30, 4000]) {
    const { times } = nightSeries([point(1, 0, 1), point(2, days * 86_400, 1)]);
    assert(times.length > 1 && times.length <= 300, `${days}: ${times.length}`);
  }
  const { destinations } = nightSeries([point(1, 100, -50), point(2, 0, 1)]);
  assertEquals(destinations[0]?.files.at(-1), 2);
  assertEquals(nightSeries([]).times, []);
});
