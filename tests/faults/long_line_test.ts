/**
 * A long line with a narrow TCP window, over which several channels and connections carry the files: with a server that takes one login
 * at a time, and with a daemon that is killed in the middle.
 */
import { assert, assertEquals, assertNotMatch } from "@std/assert";
import { until } from "../support/until.ts";
import { each, everyDelivered, makeRig } from "./rig.ts";

const LINE = { roundTripMs: 60, windowBytes: 1 << 17 };
const FILES = 10;
const BYTES = 3_000_000;

each(
  ["tar", "sftp"],
  "long line, one login at a time (MaxStartups): several connections carry the files, and nobody is refused",
  async (method) => {
    await using rig = await makeRig({ method, proxy: LINE, sshd: { config: ["MaxStartups 1:100:1"] } });
    await using daemon = await rig.installation.start();
    for (let number = 0; number < FILES; number++) await rig.expose(`${number}.fits`, BYTES);
    const rows = await rig.installation.until(everyDelivered(FILES), 60);
    const { connections } = rig.proxy!.counters;
    assert(connections > 1 && connections <= 4, `${connections} connections`);
    assertEquals(await rig.server!.logins(), connections);
    assertNotMatch(await rig.installation.log(), / (WARNING|ERROR) /);
    await rig.endsWell(daemon, rows);
  },
);

each(
  ["tar", "sftp"],
  "long line, the daemon is killed while several streams carry large files: they are resumed, nothing is left",
  async (method) => {
    await using rig = await makeRig({ method, proxy: { roundTripMs: 60 }, config: { shutdown_timeout_seconds: 0 } });
    const proxy = rig.proxy!;
    for (let number = 0; number < 6; number++) await rig.expose(`${number}.fits`, 4 * BYTES);
    {
      await using daemon = await rig.installation.start();
      await until(() => proxy.counters.up > 6 * BYTES, "a quarter is sent", 60);
      daemon.kill("SIGKILL");
      await daemon.ended;
    }
    await using daemon = await rig.installation.start();
    const rows = await rig.installation.until(everyDelivered(6), 90);
    const times = proxy.counters.up / (6 * 4 * BYTES);
    assert(times < 1.5, `${times.toFixed(2)} times the files were sent`);
    await rig.endsWell(daemon, rows, { crashed: true });
  },
);
