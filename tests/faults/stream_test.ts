/**
 * A tar stream of many small files and a large one is broken in the middle: the line is cut, then the daemon is killed. Bytes are
 * counted on the wire: what had arrived of the large file is not sent again.
 */
import { assert, assertEquals } from "@std/assert";
import { needs } from "../support/needs.ts";
import { until } from "../support/until.ts";
import { everyDelivered, makeRig } from "./rig.ts";

const SMALL = 200;
const LARGE_BYTES = 300_000_000;

Deno.test(
  "line cut and daemon killed in the middle of a tar stream: small files arrive, a file of 300 MB is resumed twice",
  needs("sshd"),
  async () => {
    await using rig = await makeRig({ method: "tar", proxy: {}, config: { shutdown_timeout_seconds: 0 } });
    const proxy = rig.proxy!;
    for (let number = 0; number < SMALL; number++) await rig.expose(`small/${number}.fits`, 100_000);
    {
      await using daemon = await rig.installation.start();
      proxy.cutAfter(5_000_000);
      await rig.installation.until(everyDelivered(SMALL), 60);
      const before = proxy.counters.up;
      assert(before < 2.5 * SMALL * 100_000, `${before} bytes for ${SMALL} small files`);
      proxy.cutAfter(100_000_000);
      await rig.expose("large.fits", LARGE_BYTES);
      await until(() => proxy.counters.up - before > 200_000_000, "200 MB are sent", 60);
      daemon.kill("SIGKILL");
      await daemon.ended;
    }
    await using daemon = await rig.installation.start();
    const rows = await rig.installation.until(everyDelivered(SMALL + 1), 90);
    const times = proxy.counters.up / (LARGE_BYTES + SMALL * 100_000);
    assert(times < 1.3, `${times.toFixed(2)} times the files were sent`);
    assertEquals(rows.map(({ attempts }) => attempts).filter((attempts) => attempts !== 1), []);
    await rig.endsWell(daemon, rows, { crashed: true });
  },
);
