/**
 * Audits of a real daemon: what rots or vanishes at a destination is found, sent again where that was asked for, and never where a person
 * may have changed it.
 */
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "@std/path";
import { readLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { has, needs } from "../support/needs.ts";
import { everyDelivered, makeRig } from "./rig.ts";
import { auditRig, flipBit } from "./audit_rig.ts";

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
    "The audit starts as soon as nothing is being sent: default/local. To see its results: image-transfer audit",
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

Deno.test("audit: a job with a schedule is audited in its runs, also in those that have nothing to send", async () => {
  await using it = await auditRig({ schedule: { interval: "2s" } });
  const { program } = it;
  await using daemon = await program.start();
  await it.deliver("a.fits");
  await program.untilLog(/Run of job default ended/);
  await it.flip("a.fits");
  await program.until((rows) => rows[0]?.error?.code === "damaged");
  assertEquals(await daemon.stop(), 0);
});

Deno.test("audit: kill -9 and a destination that goes away in the middle lose nothing, and find nothing that is not so", async () => {
  await using it = await auditRig({ audit: { every: "30d", sample: "100%" }, retry_delay: 0.1 });
  const { program } = it;
  const names = Array.from({ length: 120 }, (_, number) => `${number}.fits`);
  const audit = async () => JSON.parse((await program.command(["status", "--json"])).stdout).destinations[0].audit;
  // From the ledger in this process: by the time that a program has answered, the audit may be over.
  const recorded = () => {
    using ledger = readLedger(program.stateFolder);
    return ledger.auditOf("default", "local");
  };
  let begun: string | null;
  {
    await using daemon = await program.start();
    await it.deliver(...names);
    await program.command(["audit", "--now"]);
    await it.until(() => (recorded()?.found.equal ?? 0) > 0, "a part was looked at");
    daemon.kill("SIGKILL");
    await daemon.ended;
    const run = recorded();
    assertEquals(run?.endedAt, null);
    begun = run && new Date(run.begunAt).toISOString();
  }
  await using daemon = await program.start();
  await Deno.rename(it.folder.at("nas"), it.folder.at("away"));
  await program.untilLog(/Destination local is on hold/);
  assertEquals((await audit()).state, "running");
  await Deno.rename(it.folder.at("away"), it.folder.at("nas"));
  await program.command(["resume"]);
  await program.untilLog(/Audit of local \(job default\) ended: 120 files hashed again, all as delivered/);
  const after = await audit();
  assertEquals([after.begun_at, after.equal, after.checked], [begun, 120, 120]);
  assertEquals((await program.history()).filter(({ state }) => state !== "delivered"), []);
  assertEquals(await daemon.stop(), 0);
});

Deno.test("audit: what may not be read is listed, not lost; a hook on failed hears of a damaged file once", {
  ignore: !has("root") || Deno.build.os !== "linux",
}, async () => {
  const heard: { event: string; text: string; error: { code: string } }[] = [];
  const end = new AbortController();
  const hook = Deno.serve({ hostname: "127.0.0.1", port: 0, signal: end.signal, onListen() {} }, async (request) => {
    heard.push(await request.json());
    return new Response("ok");
  });
  await using it = await auditRig({ hooks: [{ on: ["failed"], url: `http://127.0.0.1:${hook.addr.port}/` }] });
  const { program } = it;
  await using daemon = await program.start({ through: ["setpriv", "--bounding-set", "-dac_override,-dac_read_search"] });
  await it.deliver("a.fits", "b.fits");
  await Deno.chown(it.there("a.fits"), 65534, 65534);
  await Deno.chmod(it.there("a.fits"), 0o600);
  await it.flip("b.fits");
  await program.untilLog(/WARNING Audit of local: cannot be read there: \S*a\.fits: /);
  await it.until(() => heard.length > 0, "the hook was called");
  const { stdout } = await program.command(["audit", "--json"]);
  const found = JSON.parse(stdout)[0].findings.map((one: { found: string }) => one.found).sort();
  assertEquals(found, ["damaged", "unreadable"]);
  const rows = await program.history();
  assertEquals(rows.map(({ state }) => state).sort(), ["delivered", "failed"]);
  assertEquals(heard.map(({ event, error }) => [event, error.code]), [["failed", "damaged"]]);
  assertMatch(heard[0]!.text, /^b\.fits: It was delivered to local, but is damaged there: its SHA-256 is /);
  assertEquals(await daemon.stop(), 0);
  end.abort();
  await hook.finished;
});

for (
  const [method, component, options] of [
    ["tar", "sshd", {}],
    ["sftp", "sshd", { sshd: { sftpOnly: true } }],
    ["ftp", "vsftpd", {}],
  ] as const
) {
  Deno.test(
    `audit over ${method}: a flipped bit and a file that vanished are sent again; a frozen server is no loss`,
    needs(component),
    async () => {
      const audit = { every: "1s", sample: "100%", repair: true };
      await using rig = await makeRig({
        method,
        ...options,
        config: { audit, on_conflict: "overwrite", transfer_timeout_seconds: 4 },
      });
      await using daemon = await rig.installation.start();
      await rig.expose("a.fits");
      await rig.expose("b.fits");
      const server = rig.server ?? rig.ftpd!;
      await rig.installation.until(everyDelivered(2), 60);
      await server.freeze();
      await rig.installation.untilLog(/cannot be reached/);
      await server.thaw();
      const original = await Deno.readFile(join(rig.there, "a.fits"));
      await flipBit(join(rig.there, "a.fits"));
      await rig.installation.untilLog(/Audit of \S+: damaged there: .*a\.fits: .*it is sent again/);
      await Deno.remove(join(rig.there, "b.fits"));
      await rig.installation.untilLog(/Audit of \S+: no longer there: .*b\.fits: .*it is sent again/);
      const rows = await rig.installation.until(everyDelivered(2), 60);
      assertEquals(rows.length, 2);
      assertEquals(await Deno.readFile(join(rig.there, "a.fits")), original);
      assertEquals((await Deno.stat(join(rig.there, "b.fits"))).isFile, true);
      assertEquals(await daemon.stop(), 0);
    },
  );
}
