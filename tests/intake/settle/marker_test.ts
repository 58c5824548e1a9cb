import { assertEquals } from "@std/assert";
import { isCurrent, isMarker, markersOf } from "../../../src/intake/patterns.ts";

Deno.test("markersOf() names the marker of the name, then that of the stem", () => {
  assertEquals(markersOf("m31.fits", "{name}.done"), ["m31.fits.done", "m31.done"]);
  assertEquals(markersOf("m31.fits.gz", "{name}.ok"), ["m31.fits.gz.ok", "m31.ok"]);
});

Deno.test("markersOf() takes a template of the stem as it is", () => {
  assertEquals(markersOf("m31.fits", "ready-{stem}.flag"), ["ready-m31.flag"]);
});

Deno.test("markersOf() does not read replacement patterns in names", () => {
  assertEquals(markersOf("$&.fits", "{name}.done"), ["$&.fits.done", "$&.done"]);
});

Deno.test("markersOf() never takes a file for its own marker", () => {
  assertEquals(markersOf("m31.fits", "{name}"), ["m31"]);
});

Deno.test("isMarker() knows markers by both ends of the template", () => {
  assertEquals(isMarker("m31.fits.done", "{name}.done"), true);
  assertEquals(isMarker("ready-m31.flag", "ready-{stem}.flag"), true);
  assertEquals(isMarker(".done", "{name}.done"), false);
  assertEquals(isMarker("m31.fits", "{name}.done"), false);
  assertEquals(isMarker("night.done", "night.done"), true);
});

Deno.test("isCurrent() does not let a former version's marker speak for a new one", () => {
  assertEquals(isCurrent(10_000, 10_000), true);
  assertEquals(isCurrent(8_500, 10_000), true);
  assertEquals(isCurrent(5_000, 10_000), false);
});
