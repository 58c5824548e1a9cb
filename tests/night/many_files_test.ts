/** Many small files dropped in one go, with each of the fast methods, and a daemon killed half the way. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { makeRig } from "../faults/rig.ts";
import { fitsTree, visible } from "../bench/measure.ts";
import { needs } from "../support/needs.ts";
import { stagingRemains } from "../support/observer.ts";

const FILES = Number(Deno.env.get("IMAGE_TRANSFER_NIGHT_FILES") ?? 20_000);

for (const method of ["local", "tar", "rsync"] as const) {
  Deno.test(
    `night: ${FILES} files by ${method}, the daemon killed after the first thousand: none is missing, none is left over`,
    needs("sshd", "rsync"),
    async () => {
      await using rig = await makeRig({ method });
      // No witness: it would read every file.
      await rig.observer.stop();
      await Deno.mkdir(rig.folder.at("before"));
      await fitsTree(rig.folder.at("before"), FILES, 3_000);
      {
        await using daemon = await rig.installation.start();
        await Deno.rename(rig.folder.at("before"), join(rig.watched, "all"));
        await rig.installation.until((rows) => rows.filter(({ state }) => state === "delivered").length >= 1_000, 300);
        daemon.kill("SIGKILL");
        await daemon.ended;
      }
      const once = await rig.installation.command(["run", "--once"]);
      assertEquals(once.code, 0, once.stderr);
      await visible(rig.watched, rig.there);
      const same = await new Deno.Command("diff", { args: ["-r", rig.watched, rig.there] }).output();
      assertEquals(new TextDecoder().decode(same.stdout), "");
      assertEquals(await stagingRemains(rig.there), []);
    },
  );
}
