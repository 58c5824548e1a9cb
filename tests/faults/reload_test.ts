/** A reload in the middle of a transfer: what is under way gets its time, and nobody wonders why it takes so long. */
import { assertEquals, assertMatch } from "@std/assert";
import { until } from "../support/until.ts";
import { everyDelivered, makeRig } from "./rig.ts";

Deno.test("reload while a large file is sent: says what it waits for, and the file goes on under the new configuration", async () => {
  await using rig = await makeRig({
    method: "local",
    config: { bandwidth_limit: "4 MB/s", shutdown_timeout_seconds: 3, auto_reload: false },
  });
  const { installation } = rig;
  await rig.expose("large.fits", 20_000_000);
  await using daemon = await installation.start();
  await until(async () => await rig.staged() > 1_000_000, "a part of it is there");
  const config = JSON.parse(await Deno.readTextFile(installation.configFile));
  await Deno.writeTextFile(installation.configFile, JSON.stringify({ ...config, retry_delay: 6 }));
  const { code, stderr } = await installation.command(["reload"]);
  assertEquals(code, 0, stderr);
  assertMatch(stderr, /Reloading: waiting for 1 file to finish, \S+ MB of 20 MB/);
  assertMatch(await installation.log(), / INFO Reloading: finishing 1 file of default, which may take up to 3 s/);
  const rows = await installation.until(everyDelivered(1));
  await rig.endsWell(daemon, rows);
});
