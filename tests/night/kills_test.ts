/**
 * kill -9 at random moments, again and again, while files of all sizes arrive: in the end every promise holds. The dice are
 * thrown anew each night; `IMAGE_TRANSFER_CHAOS_SEED` throws them as before, `IMAGE_TRANSFER_NIGHT_KILLS` more often.
 */
import { everyDelivered, makeRig } from "../faults/rig.ts";
import { needs } from "../support/needs.ts";
import { dice } from "../support/seeded.ts";

const SEED = Number(Deno.env.get("IMAGE_TRANSFER_CHAOS_SEED") ?? Date.now() % 1e9);
const KILLS = Number(Deno.env.get("IMAGE_TRANSFER_NIGHT_KILLS") ?? 25);

for (const method of ["local", "tar", "rsync", "sftp", "scp"] as const) {
  Deno.test(`night: ${KILLS} times kill -9 with ${method}, seed ${SEED}`, needs("sshd", "rsync"), async () => {
    const throws = dice(SEED).of(method);
    await using rig = await makeRig({ method, config: { shutdown_timeout_seconds: 0 } });
    let files = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      await using daemon = await rig.installation.start();
      const until = Date.now() + throws.int(100, 4_000);
      while (Date.now() < until) {
        await rig.expose(`${kill % 5}/${files++}.fits`, throws.chance(0.1) ? 20_000_000 : throws.int(3_000, 400_000));
        await new Promise((resolve) => setTimeout(resolve, throws.int(0, 300)));
      }
      daemon.kill("SIGKILL");
      await daemon.ended;
    }
    await using daemon = await rig.installation.start();
    const rows = await rig.installation.until(everyDelivered(files), 300);
    await daemon.stop();
    await rig.allIsWell(rows, { crashed: true });
  });
}
