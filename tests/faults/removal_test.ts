/**
 * Sources that are removed after delivery (I4): never before every destination has proven them, never a changed one,
 * never where a destination lost its copy, whenever the daemon dies.
 */
import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import { fitsFile } from "../support/fits_maker.ts";
import { needs } from "../support/needs.ts";
import { until } from "../support/until.ts";
import { makeRig, namesIn } from "./rig.ts";

Deno.test(
  "delete_source with one of two destinations down: sources stay until both have proven them; lost and changed ones stay",
  needs("sshd", "rsync"),
  async () => {
    await using rig = await makeRig({ method: "rsync", config: { retry_delay: 1 } });
    const near = rig.folder.at("near");
    const config = JSON.parse(await Deno.readTextFile(rig.installation.configFile));
    const { remote_host, remote_base_path, transfer_method: _, ...rest } = config;
    await Deno.writeTextFile(
      rig.installation.configFile,
      JSON.stringify({
        ...rest,
        delete_source: true,
        destinations: [
          { name: "near", transfer_method: "local", remote_base_path: near },
          { name: "far", transfer_method: "rsync", remote_host, remote_base_path },
        ],
      }),
    );
    await rig.server!.kill();
    const crash = { IMAGE_TRANSFER_CRASH_AT: "after_source_removed" };
    const sources = () => namesIn(rig.watched);
    for (const name of ["a.fits", "b.fits", "changed.fits", "lost.fits"]) await rig.expose(name);
    {
      await using daemon = await rig.installation.start({ env: crash });
      await rig.installation.until((rows) =>
        rows.filter((row) => row.destination === "near" && row.state === "delivered").length === 4
      );
      await rig.installation.untilLog(/far cannot be reached/);
      assertEquals((await sources()).length, 4);
      // One destination loses its copy, one source gets new content.
      await Deno.remove(join(near, "lost.fits"));
      const changed = fitsFile(300_000, 8800);
      await rig.expect("changed.fits", changed);
      await Deno.writeFile(join(rig.watched, "changed.fits"), changed);
      await rig.installation.until((rows) =>
        rows.filter((row) => row.destination === "near" && row.state === "delivered").length === 5
      );
      assertEquals((await sources()).length, 4);
      await rig.server!.restart();
      // It dies with the first source that it removes.
      assert(await daemon.ended > 0);
    }
    assertEquals((await sources()).length, 3);
    for (const name of ["a.fits", "b.fits", "changed.fits"]) {
      if ((await sources()).includes(name)) continue;
      for (const folder of [near, rig.there]) assert((await Deno.stat(join(folder, name))).size > 0);
    }
    await using daemon = await rig.installation.start();
    await until(async () => (await sources()).join() === "lost.fits", "all but the lost one are removed");
    const rows = await rig.installation.until((rows) => rows.every(({ state }) => state === "delivered" || state === "failed"));
    assertEquals(await daemon.stop(), 0);
    assertEquals(await sources(), ["lost.fits"]);
    await rig.allIsWell(rows, { crashed: true });
    assertEquals(await namesIn(near), [
      "a.fits",
      "b.fits",
      "changed.fits",
      "changed.v1.fits",
    ]);
  },
);

for (const point of ["after_publish", "before_record", "after_record"]) {
  Deno.test(`delete_source, kill -9 ${point}: the source is there until its delivery is recorded, and goes then`, async () => {
    await using rig = await makeRig({ method: "local", config: { delete_source: true } });
    await rig.expose("a.fits");
    await using broken = await rig.installation.start({ env: { IMAGE_TRANSFER_CRASH_AT: point }, wait: false });
    assert(await broken.ended > 0);
    assertEquals((await Deno.stat(`${rig.watched}/a.fits`)).isFile, true);
    await using daemon = await rig.installation.start();
    await until(async () => (await namesIn(rig.watched)).length === 0, "the source is removed");
    const rows = await rig.installation.history();
    await rig.endsWell(daemon, rows, { crashed: true });
  });
}

Deno.test("delete_source, run --once: what two jobs deliver is removed once both have", async () => {
  await using rig = await makeRig({ method: "local" });
  const { watch_path, remote_base_path, ...common } = JSON.parse(await Deno.readTextFile(rig.installation.configFile));
  const jobs = [
    { name: "near", watch_path, remote_base_path, delete_source: true },
    { name: "far", watch_path, remote_base_path: rig.folder.at("far") },
  ];
  await Deno.writeTextFile(rig.installation.configFile, JSON.stringify({ ...common, jobs }));
  for (const name of ["a.fits", "b.fits", "c.fits"]) await rig.expose(name);
  const { code, stderr } = await rig.installation.command(["run", "--once"]);
  assertEquals([code, await namesIn(rig.watched)], [0, []], stderr);
  for (const folder of [rig.there, rig.folder.at("far")]) assertEquals(await namesIn(folder), ["a.fits", "b.fits", "c.fits"]);
});
