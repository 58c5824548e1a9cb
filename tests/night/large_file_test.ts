/** A file above 8 GiB, which is where a size no longer fits into a field of tar's header: sparse here, whole there. */
import { assertEquals } from "@std/assert";
import { join } from "@std/path";
import { everyDelivered, makeRig } from "../faults/rig.ts";
import { needs } from "../support/needs.ts";

const BYTES = 8 * 2 ** 30 + 1_000_003;

for (const method of ["tar", "sftp"] as const) {
  Deno.test(`night: a file of 8 GiB and a little arrives by ${method}`, needs("sshd"), async () => {
    await using rig = await makeRig({ method, config: { file_patterns: ["*.raw"], transfer_timeout_seconds: 600 } });
    // No witness: it would hold the whole file in memory.
    await rig.observer.stop();
    const name = join(rig.watched, "large.raw");
    {
      using file = await Deno.open(name, { write: true, create: true });
      await file.write(new TextEncoder().encode("begin"));
      await file.truncate(BYTES);
      await file.seek(-3, Deno.SeekMode.End);
      await file.write(new TextEncoder().encode("end"));
    }
    await using daemon = await rig.installation.start();
    const [row] = await rig.installation.until(everyDelivered(1), 900);
    assertEquals([row?.size, row?.proof], [BYTES, "checksum"]);
    const same = await new Deno.Command("cmp", { args: [name, join(rig.there, "large.raw")] }).output();
    assertEquals(same.code, 0, new TextDecoder().decode(same.stdout));
    assertEquals(await daemon.stop(), 0);
  });
}
