/**
 * Audits of a real daemon: what rots or vanishes at a destination is found, sent again where that was asked for, and never where a person
 * may have changed it.
 *
 * @module
 */
import { assertEquals, assertStringIncludes } from "@std/assert";
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

Deno.test("audit: the command, the status, the metrics and the report tell what was found; --accept ends the trouble", async () => {
  await using it = await auditRig({ audit: { every: "30d", sample: "100%" } });
  const { program } = it;
  await using daemon = await program.start();
  await it.deliver("a.fits", "b.fits", "c.fits");
  assertEquals((await program.command(["audit"])).code, 0);
  await it.flip("a.fits");
  await Deno.remove(it.there("b.fits"));
  const now = await program.command(["audit", "--now"]);
  assertEquals([now.code, now.stderr.trim()], [
    0,
    "The audit begins as soon as nothing is being sent: default/local. To see it: image-transfer audit",
  ]);
  await program.untilLog(/Audit of local \(job default\) ended: 3 files hashed again, 1 damaged, 1 vanished/);
  const { code, stdout } = await program.command(["audit", "--json"]);
  const [{ audit, findings }] = JSON.parse(stdout);
  assertEquals([code, audit.state, audit.checked, audit.equal, audit.damaged, audit.vanished], [1, "waiting", 3, 1, 1, 1]);
  assertEquals(findings.map(({ found }: { found: string }) => found).sort(), ["damaged", "vanished"]);
  const status = JSON.parse((await program.command(["status", "--json"])).stdout);
  assertEquals([status.all_well, status.headline.level], [false, "bad"]);
  assertEquals(status.headline.text, "1 delivered image is damaged on local; 1 delivered image is no longer on local");
  assertEquals([status.destinations[0].damaged, status.destinations[0].vanished, status.destinations[0].audit.damaged], [
    1,
    1,
    1,
  ]);
  const metrics = await (await fetch(`${status.url}metrics`)).text();
  assertStringIncludes(metrics, 'image_transfer_lost_files{sync_job="default",destination="local",found="damaged"} 1');
  assertStringIncludes(metrics, 'image_transfer_audit_files{sync_job="default",destination="local",found="equal"} 1');
  const report = await program.command(["report"]);
  assertStringIncludes(report.stdout, "2 damaged or vanished on local, found by the audit");
  assertStringIncludes(report.stdout, "local: 3 files hashed again since ");
  const verify = await program.command(["verify", "--json"]);
  assertEquals(JSON.parse(verify.stdout).map(({ verdict }: { verdict: string }) => verdict).sort(), [
    "differs",
    "equal",
    "missing",
  ]);
  assertEquals((await program.command(["audit", "--accept"])).stderr, "Accepted: 2 lost files are listed as gone from now on.\n");
  assertEquals((await program.command(["audit"])).code, 0);
  // As after verify: that images of tonight are not there is worth a look until tomorrow.
  const after = JSON.parse((await program.command(["status", "--json"])).stdout);
  assertEquals([after.headline.level, after.destinations[0].failed, after.destinations[0].gone], ["warning", 0, 2]);
  assertEquals(await daemon.stop(), 0);
});
