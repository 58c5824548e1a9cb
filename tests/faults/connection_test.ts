/**
 * The way to the destination fails in the middle of large files: server killed, frozen, connection cut, everything
 * swallowed. Each file goes on where it was, and nothing hangs.
 */
import { assert } from "@std/assert";
import { needs } from "../support/needs.ts";
import { until } from "../support/until.ts";
import { each, everyDelivered, makeRig } from "./rig.ts";

const SIZE = 12_000_000;

each(
  ["rsync", "tar", "sftp"],
  "server killed, frozen, connection cut, black hole in the middle of large files: each goes on where it was",
  async (method) => {
    await using rig = await makeRig({
      method,
      proxy: { rate: 5_000_000 },
      config: { transfer_timeout_seconds: 3, order: "newest_first" },
    });
    const [server, proxy] = [rig.server!, rig.proxy!];
    await using daemon = await rig.installation.start();
    const faults = [
      { what: "killed", strike: () => server.kill(), mend: () => server.restart(), seen: /cannot be reached/ },
      { what: "cut", strike: () => proxy.cut(), mend: () => {}, seen: /cannot be reached/ },
      { what: "frozen", strike: () => server.freeze(), mend: () => server.thaw(), seen: /cannot be reached/ },
      { what: "black hole", strike: () => proxy.blackHole(), mend: () => proxy.heal(), seen: /cannot be reached/ },
    ];
    for (const [index, { what, strike, mend, seen }] of faults.entries()) {
      const before = proxy.counters.up;
      const logged = (await rig.installation.log()).length;
      await rig.expose(`20261120/large${index}.fits`, SIZE);
      await until(() => proxy.counters.up - before > SIZE / 2, `half of the file is sent (${what})`);
      await strike();
      await rig.installation.untilLog(seen, logged);
      await mend();
      await rig.installation.until(everyDelivered(index + 1), 60);
      const sent = (proxy.counters.up - before) / SIZE;
      assert(sent < 1.4, `${what}: ${sent.toFixed(2)} times the file was sent`);
    }
    const rows = await rig.installation.history();
    await rig.endsWell(daemon, rows);
  },
);

Deno.test("connections refused and cut again and again (scp): every file arrives once, whole", needs("sshd"), async () => {
  await using rig = await makeRig({ method: "scp", proxy: { rate: 20_000_000 }, config: { transfer_timeout_seconds: 3 } });
  const proxy = rig.proxy!;
  proxy.refuse();
  await using daemon = await rig.installation.start();
  for (let i = 0; i < 8; i++) await rig.expose(`20261120/c${i}.fits`, 2_000_000);
  await rig.installation.untilLog(/cannot be reached/);
  proxy.heal();
  for (let i = 0; i < 3; i++) {
    const before = proxy.counters.up;
    await until(
      async () => proxy.counters.up - before > 3_000_000 || everyDelivered(8)(await rig.installation.history()),
      "3 MB more",
    );
    proxy.cut();
  }
  await rig.endsWell(daemon, 8);
});
