/**
 * A shutdown of the computer asks every process to end, ssh and rsync with the daemon: that is a stop like any other, and the
 * log has nothing alarming to say of it.
 */
import { assertEquals, assertNotMatch } from "@std/assert";
import { signalEach, treeOf } from "../support/process_tree.ts";
import { until } from "../support/until.ts";
import { each, makeRig } from "./rig.ts";

each(
  ["rsync", "tar", "sftp", "scp"],
  "a stop that ends ssh and the program of the method as well parks what they had in hand, without a warning",
  async (method) => {
    await using rig = await makeRig({ method, proxy: { rate: 3_000_000 } });
    for (let i = 0; i < 5; i++) await rig.expose(`small${i}.fits`, 100_000);
    await rig.expose("large.fits", 7_000_000);
    {
      await using daemon = await rig.installation.start();
      await until(async () => await rig.staged() > 1_500_000, "a part of it is there");
      daemon.kill("SIGTERM");
      const log = await rig.installation.untilLog(/ Stopping: /);
      signalEach((await treeOf(daemon.pid)).slice(1), "SIGTERM");
      assertEquals(await daemon.ended, 0);
      assertNotMatch((await rig.installation.log()).slice(log.indexOf(" Stopping: ")), / (WARNING|ERROR) /);
    }
    const open = (await rig.installation.history()).filter(({ state }) => state !== "delivered");
    assertEquals(open.filter(({ state, attempts, error }) => state !== "queued" || attempts !== 0 || error !== null), []);
    await using daemon = await rig.installation.start();
    await rig.endsWell(daemon, 6);
  },
);
