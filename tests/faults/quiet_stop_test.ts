/**
 * A shutdown of the computer asks every process to end, ssh and rsync with the daemon: that is a stop like any other, and the
 * log has nothing alarming to say of it.
 */
import { assertEquals, assertNotMatch } from "@std/assert";
import { needs } from "../support/needs.ts";
import { signalEach, treeOf } from "../support/process_tree.ts";
import { everyDelivered, makeRig, until } from "./rig.ts";

for (const method of ["rsync", "tar", "sftp", "scp"] as const) {
  Deno.test(
    `a stop that ends ssh and ${method} as well parks what they had in hand, without a warning`,
    needs("sshd", "rsync"),
    async () => {
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
      const rows = await rig.installation.until(everyDelivered(6), 60);
      assertEquals(await daemon.stop(), 0);
      await rig.allIsWell(rows);
    },
  );
}
