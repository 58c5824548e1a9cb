/**
 * The daemon vanishes, at every named step and at random moments: I1 holds all the while, and the next start
 * delivers what was in flight, sends nothing twice that stands proven, and leaves nothing behind (I2, I3, I5).
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { has } from "../support/needs.ts";
import { finalNames } from "../support/observer.ts";
import { everyDelivered, makeRig } from "./rig.ts";

const POINTS = [
  "after_claim",
  "during_put",
  "after_put",
  "after_verify",
  "after_publish",
  "before_record",
  "after_record",
] as const;
const METHODS = ["local", "rsync", "sftp", "scp"] as const;

for (const method of METHODS) {
  for (const point of POINTS) {
    Deno.test({
      name: `kill -9 ${point} (${method}): nothing half is shown, everything is delivered at the next start`,
      ignore: method !== "local" && !has("sshd", "rsync"),
      async fn() {
        await using rig = await makeRig({ method });
        for (let i = 0; i < 5; i++) await rig.expose(`20261120/a${i}.fits`);
        await rig.expose("20261120/large.fits", 12_000_000);
        await using broken = await rig.installation.start({ env: { IMAGE_TRANSFER_CRASH_AT: point }, wait: false });
        const code = await broken.ended;
        assert(code !== 0 && code < 256, `${point} was never reached: exit ${code}\n${broken.output()}`);
        const shown = await identities(rig.there);
        await using daemon = await rig.installation.start();
        const rows = await rig.installation.until(everyDelivered(6));
        assertEquals(await daemon.stop(), 0);
        await rig.allIsWell(rows);
        // What stood under its final name was proven where it stands, not sent again.
        const now = await identities(rig.there);
        for (const [name, identity] of shown) assertEquals(now.get(name), identity, name);
        if (point === "after_publish" || point === "before_record") assert(shown.size > 0);
      },
    });
  }

  Deno.test({
    name: `kill -9 at random moments (${method}), ten times during one backlog`,
    ignore: method !== "local" && !has("sshd", "rsync"),
    async fn() {
      await using rig = await makeRig({ method });
      for (let i = 0; i < 60; i++) await rig.expose(`n${i % 7}/r${i}.fits`, 200_000 + i * 10_000);
      for (let i = 0; i < 3; i++) await rig.expose(`n${i}/large${i}.fits`, 20_000_000);
      for (let round = 0; round < 10; round++) {
        await using daemon = await rig.installation.start();
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 900));
        daemon.kill("SIGKILL");
        await daemon.ended;
      }
      await using daemon = await rig.installation.start();
      const rows = await rig.installation.until(everyDelivered(63), 60);
      assertEquals(await daemon.stop(), 0);
      assert(rig.observer.looks > 0);
      await rig.allIsWell(rows);
    },
  });
}

async function identities(folder: string): Promise<Map<string, number | null>> {
  const found = new Map<string, number | null>();
  for await (const name of finalNames(folder)) found.set(name, (await Deno.stat(`${folder}/${name}`)).ino);
  return found;
}
