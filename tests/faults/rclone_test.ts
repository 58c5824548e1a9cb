/**
 * The method rclone and its S3 server under the faults of the others: killed, cut, frozen, full, read-only. Nothing half is shown, all
 * arrives whole, and no rclone is left running.
 *
 * @module
 */
import { assert, assertEquals } from "@std/assert";
import { has } from "../support/needs.ts";
import { finalNames } from "../support/observer.ts";
import { rcloneConfig, type RcloneServer, startS3 } from "../support/rclone_servers.ts";
import { mountSmallDisk, type SmallDisk } from "../support/small_disk.ts";
import { type ProxyOptions, startProxy, type TcpProxy } from "../support/tcp_proxy.ts";
import { tempFolder } from "../support/temp.ts";
import { everyDelivered, makeRig, type Rig, tool, troubled, until } from "./rig.ts";

const SIZE = 12_000_000;
const POINTS = ["after_claim", "during_put", "after_put", "after_verify", "before_record", "after_publish", "after_record"];

interface Site extends AsyncDisposable {
  readonly rig: Rig;
  readonly server: RcloneServer;
  readonly proxy: TcpProxy | null;
  readonly disk: SmallDisk | null;
  /** The processes of rclone that use the configuration of this site. */
  rclones(): Promise<string[]>;
}

async function site(
  options: { proxy?: ProxyOptions; disk?: number; config?: Readonly<Record<string, unknown>> } = {},
): Promise<Site> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const disk = options.disk === undefined ? null : stack.use(await mountSmallDisk(folder.at("buckets"), options.disk));
  const server = stack.use(await startS3(folder.at("buckets")));
  const proxy = options.proxy ? stack.use(startProxy(server.port, options.proxy)) : null;
  const config = await rcloneConfig(folder, server.section(proxy?.port));
  const rig = stack.use(
    await makeRig({
      // The bucket is a folder here, where it can be looked at.
      method: "local",
      folder,
      there: folder.at("buckets", "bucket"),
      config: { transfer_method: "rclone", remote_base_path: "s3remote:bucket", rclone_config: config, ...options.config },
    }),
  );
  return {
    rig,
    server,
    proxy,
    disk,
    rclones: async () =>
      (await tool("ps", "-ww", "-eo", "args=")).split("\n").filter((line) => line.includes(`--config=${config}`)),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

Deno.test({
  name: `kill -9 at ${POINTS.length} named steps (rclone to S3): nothing half is shown, all is delivered at the next start`,
  ignore: !has("rclone", "versitygw"),
  async fn() {
    await using it = await site();
    const { rig } = it;
    let written = 0;
    for (const point of POINTS) {
      for (let i = 0; i < 3; i++) await rig.expose(`20261120/a${written++}.fits`);
      await rig.expose(`20261120/large${written++}.fits`, SIZE);
      await using broken = await rig.installation.start({ env: { IMAGE_TRANSFER_CRASH_AT: point }, wait: false });
      const code = await broken.ended;
      assert(code !== 0 && code < 256, `${point} was never reached: exit ${code}\n${broken.output()}`);
      assert((await it.rclones()).length <= 1, "an earlier rclone was not ended");
    }
    assert((await Array.fromAsync(finalNames(rig.there))).length > 0);
    await using daemon = await rig.installation.start();
    const rows = await rig.installation.until(everyDelivered(written), 60);
    assertEquals(await daemon.stop(), 0);
    assertEquals(await it.rclones(), []);
    // What stood under its name already was read back.
    await rig.allIsWell(rows, { crashed: true, proof: ["checksum", "read_back"] });
  },
});

Deno.test({
  name: "server frozen, connection cut, black hole in the middle of large files (rclone to S3): each arrives whole",
  ignore: !has("rclone", "versitygw"),
  async fn() {
    await using it = await site({ proxy: { rate: 10_000_000 }, config: { transfer_timeout_seconds: 3 } });
    const { rig, server } = it;
    const proxy = it.proxy!;
    await using daemon = await rig.installation.start();
    const faults = [
      { what: "cut", strike: () => proxy.cut(), mend: () => {}, waits: false },
      {
        what: "frozen",
        strike: () => Deno.kill(server.pid, "SIGSTOP"),
        mend: () => Deno.kill(server.pid, "SIGCONT"),
        waits: true,
      },
      { what: "black hole", strike: () => proxy.blackHole(), mend: () => proxy.heal(), waits: true },
    ];
    for (const [index, { what, strike, mend, waits }] of faults.entries()) {
      const before = proxy.counters.up;
      const logged = (await rig.installation.log()).length;
      await rig.expose(`20261120/large${index}.fits`, SIZE);
      await until(() => proxy.counters.up - before > SIZE / 2, `half of the file is sent (${what})`);
      strike();
      // A cut rclone repeats by itself.
      if (waits) await rig.installation.untilLog(/cannot be reached/, logged, 60);
      mend();
      await rig.installation.until(everyDelivered(index + 1), 90);
    }
    const rows = await rig.installation.history();
    assertEquals(await daemon.stop(), 0);
    await rig.allIsWell(rows);
  },
});

Deno.test({
  name: "the disk of the store is full, then read-only (rclone to S3): nothing half is shown, and delivery resumes by itself",
  ignore: !has("rclone", "versitygw", "root"),
  async fn() {
    await using it = await site({ disk: 20 });
    const { rig } = it;
    const disk = it.disk!;
    await using daemon = await rig.installation.start();
    await rig.expose("20261120/fits.fits", 1_000_000);
    await rig.installation.until(everyDelivered(1), 60);
    await rig.expose("20261120/full.fits", 30_000_000);
    const held = await rig.installation.until((rows) => rows.some(({ error }) => error !== null), 60);
    assertEquals(held.filter(({ error }) => error !== null).map(({ error }) => error?.code), ["disk_full"]);
    await disk.resize(100);
    await rig.installation.until(everyDelivered(2), 90);
    await disk.readOnly(true);
    await rig.expose("20261120/read-only.fits", 1_000_000);
    // All that this server says of it is "Internal error".
    await rig.installation.until(troubled("unreachable"), 60);
    await disk.readOnly(false);
    const rows = await rig.installation.until(everyDelivered(3), 90);
    assertEquals(await daemon.stop(), 0);
    await rig.allIsWell(rows);
  },
});
