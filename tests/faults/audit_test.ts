/**
 * Audits of a real daemon: what rots or vanishes at a destination is found, sent again where that was asked for, and never where a person
 * may have changed it.
 *
 * @module
 */
import { assertEquals } from "@std/assert";
import { auditRig } from "./audit_rig.ts";

Deno.test("audit: a flipped bit and a file that vanished are listed, and sent again once a person says so", async () => {
  await using it = await auditRig();
  const { program } = it;
  await using daemon = await program.start();
  await it.deliver("a.fits", "b.fits", "c.fits");
  const original = await Deno.readFile(it.there("a.fits"));
  await it.flip("a.fits");
  await Deno.remove(it.there("b.fits"));
  const rows = await program.until((rows) => rows.filter(({ state }) => state === "failed").length === 2);
  const errorOf = (name: string) => rows.find(({ path }) => path.endsWith(name))?.error;
  assertEquals([errorOf("a.fits")?.code, errorOf("b.fits")?.code], ["damaged", "vanished"]);
  await program.untilLog(/ERROR Audit of local: damaged there: \S*a\.fits: /);
  await program.untilLog(/ERROR Audit of local: no longer there: \S*b\.fits: /);
  assertEquals((await program.command(["retry", "--all"])).code, 0);
  await program.until((rows) => rows.every(({ state }) => state === "delivered"));
  assertEquals(await Deno.readFile(it.there("a.fits")), original);
  // What was damaged is kept, as on_conflict says.
  assertEquals(it.shown(), ["a.fits", "a.v1.fits", "b.fits", "c.fits"]);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("audit: repair sends what rotted or vanished again; what a person edited stays", async () => {
  await using it = await auditRig({ audit: { every: "1s", sample: "100%", repair: true }, on_conflict: "overwrite" });
  const { program } = it;
  await using daemon = await program.start();
  await it.deliver("a.fits", "b.fits", "edited.fits");
  const original = await Deno.readFile(it.there("a.fits"));
  // As an editor does: a moment in between could be taken for damage.
  await Deno.writeTextFile(it.there("new"), "my own");
  await Deno.utime(it.there("new"), new Date(), new Date(Date.now() + 3_000));
  await Deno.rename(it.there("new"), it.there("edited.fits"));
  await it.flip("a.fits");
  await Deno.remove(it.there("b.fits"));
  await program.untilLog(/changed there since it was delivered, perhaps on purpose: \S*edited\.fits/);
  await it.until(
    async () => it.shown().includes("b.fits") && (await Deno.readFile(it.there("a.fits"))).every((b, i) => b === original[i]),
    "repaired",
  );
  assertEquals(it.shown(), ["a.fits", "b.fits", "edited.fits"]);
  assertEquals(await Deno.readTextFile(it.there("edited.fits")), "my own");
  await program.until((rows) => rows.every(({ state }) => state === "delivered"));
  assertEquals(await daemon.stop(), 0);
});
