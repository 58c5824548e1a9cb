/**
 * The daemon vanishes, at every named step and at random moments: I1 holds all the while, and the next start
 * delivers what was in flight, sends nothing twice that stands proven, and leaves nothing behind (I2, I3, I5).
 */
import { assert, assertEquals } from "@std/assert";
import { needs } from "../support/needs.ts";
import { finalNames } from "../support/observer.ts";
import { each, everyDelivered, makeRig } from "./rig.ts";

const POINTS = [
  "after_claim",
  "during_put",
  "after_put",
  "after_verify",
  "before_record",
  "after_publish",
  "after_record",
] as const;
const CASES = {
  local: POINTS,
  rsync: POINTS,
  tar: POINTS,
  sftp: ["during_put", "after_publish"],
  scp: ["during_put", "after_publish"],
} as const;

each(
  ["local", "rsync", "tar", "sftp", "scp"],
  "kill -9 at named steps: nothing half is shown, all is delivered at the next start",
  async (method) => {
    await using rig = await makeRig({ method });
    let written = 0;
    for (const point of CASES[method]) {
      for (let i = 0; i < 3; i++) await rig.expose(`20261120/a${written++}.fits`);
      await rig.expose(`20261120/large${written++}.fits`, 12_000_000);
      const before = await identities(rig.there);
      await using broken = await rig.installation.start({ env: { IMAGE_TRANSFER_CRASH_AT: point }, wait: false });
      const code = await broken.ended;
      assert(code !== 0 && code < 256, `${point} was never reached: exit ${code}\n${broken.output()}`);
      const shown = await identities(rig.there);
      // What stood under its final name was proven where it stands, not sent again.
      for (const [name, identity] of before) assertEquals(shown.get(name), identity, `${name} after ${point}`);
      if (point === "after_publish") assert(shown.size > before.size, point);
    }
    const shown = await identities(rig.there);
    await using daemon = await rig.installation.start();
    await rig.endsWell(daemon, written, { crashed: true });
    const now = await identities(rig.there);
    for (const [name, identity] of shown) assertEquals(now.get(name), identity, name);
  },
);

each(["local", "rsync", "tar"], "kill -9 at random moments, again and again during one backlog", async (method) => {
  await using rig = await makeRig({ method });
  for (let i = 0; i < 60; i++) await rig.expose(`n${i % 7}/r${i}.fits`, 200_000 + i * 10_000);
  for (let i = 0; i < 3; i++) await rig.expose(`n${i}/large${i}.fits`, 20_000_000);
  for (let round = 0; round < 6; round++) {
    await using daemon = await rig.installation.start();
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 900));
    daemon.kill("SIGKILL");
    await daemon.ended;
  }
  await using daemon = await rig.installation.start();
  const rows = await rig.installation.until(everyDelivered(63), 60);
  assertEquals(await daemon.stop(), 0);
  assert(rig.observer.looks > 0);
  await rig.allIsWell(rows, { crashed: true });
});

Deno.test(
  "a crash with everything staged, then a stop before anything was looked at: nothing is left behind",
  needs("sshd", "rsync"),
  async () => {
    await using rig = await makeRig({ method: "rsync" });
    await rig.expose("a.fits");
    await using broken = await rig.installation.start({ env: { IMAGE_TRANSFER_CRASH_AT: "after_verify" }, wait: false });
    assert(await broken.ended > 0);
    await using early = await rig.installation.start();
    assertEquals(await early.stop(), 0);
    await using daemon = await rig.installation.start();
    await rig.endsWell(daemon, 1, { crashed: true });
  },
);

async function identities(folder: string): Promise<Map<string, number | null>> {
  const found = new Map<string, number | null>();
  for await (const name of finalNames(folder)) found.set(name, (await Deno.stat(`${folder}/${name}`)).ino);
  return found;
}
