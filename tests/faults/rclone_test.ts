/**
 * The method rclone and its servers under the faults of the others: killed, cut, frozen, full, read-only. Nothing half is shown, all
 * arrives whole, and no rclone is left running.
 */
import { assert, assertEquals } from "@std/assert";
import type { FailureCode } from "../../src/domain/failure.ts";
import { has } from "../support/needs.ts";
import { finalNames } from "../support/observer.ts";
import { rcloneConfig, sftpSection, startS3, startWebdav } from "../support/rclone_servers.ts";
import { mountSmallDisk, type SmallDisk } from "../support/small_disk.ts";
import { startSshd } from "../support/sshd.ts";
import { type ProxyOptions, startProxy, type TcpProxy } from "../support/tcp_proxy.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";
import { everyDelivered, makeRig, type Rig, tool, troubled } from "./rig.ts";

const SIZE = 12_000_000;
const PROOF = ["checksum", "read_back"];

/** A server whose base path is `there` on this computer, where it can be looked at. */
interface Server extends AsyncDisposable {
  readonly port: number;
  /** The section of rclone's configuration that leads to it by this port. */
  section(port: number): string | Promise<string>;
  freeze(): void | Promise<void>;
  thaw(): void | Promise<void>;
}

interface Store {
  readonly ignore: boolean;
  /** Where the daemon is killed; fewer for the stores that differ in little. */
  readonly points: readonly string[];
  readonly remote: (there: string) => string;
  /** Below the folder of all; the disk that can be full is there. */
  readonly there: string;
  start(disk: string, folder: TempFolder): Promise<Server>;
  /** What a full and a read-only disk are called: servers say little of them. */
  readonly full: FailureCode;
  readonly readOnly: FailureCode;
}

const STORES: Readonly<Record<string, Store>> = {
  S3: {
    ignore: !has("rclone", "versitygw"),
    points: ["after_claim", "during_put", "after_put", "after_verify", "before_record", "after_publish", "after_record"],
    remote: () => "s3remote:bucket",
    there: "disk/bucket",
    async start(disk) {
      const server = await startS3(disk);
      return {
        ...server,
        freeze: () => Deno.kill(server.pid, "SIGSTOP"),
        thaw: () => Deno.kill(server.pid, "SIGCONT"),
      };
    },
    full: "disk_full",
    // All that this server says of it is "Internal error".
    readOnly: "unreachable",
  },
  SFTP: {
    ignore: !has("rclone", "sshd"),
    points: ["during_put", "after_publish"],
    remote: (there) => `sftpremote:${there}`,
    there: "disk/images",
    async start(_disk, folder) {
      const server = await startSshd();
      return { ...server, section: (port) => sftpSection(server, folder, port) };
    },
    full: "disk_full",
    readOnly: "permission_denied",
  },
  WebDAV: {
    ignore: !has("rclone"),
    points: ["during_put", "after_publish"],
    remote: () => "dav:images",
    there: "disk/images",
    async start(disk) {
      const server = await startWebdav(disk);
      return {
        ...server,
        freeze: () => Deno.kill(server.pid, "SIGSTOP"),
        thaw: () => Deno.kill(server.pid, "SIGCONT"),
      };
    },
    // "405 Method Not Allowed" is all that rclone's server says; others say 507.
    full: "interrupted",
    readOnly: "interrupted",
  },
};

interface Site extends AsyncDisposable {
  readonly rig: Rig;
  readonly server: Server;
  readonly proxy: TcpProxy | null;
  readonly disk: SmallDisk | null;
  /** The processes of rclone that use the configuration of this site. */
  rclones(): Promise<string[]>;
}

async function site(
  store: Store,
  options: { proxy?: ProxyOptions; disk?: number; config?: Readonly<Record<string, unknown>> } = {},
): Promise<Site> {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(await tempFolder());
  const disk = options.disk === undefined ? null : stack.use(await mountSmallDisk(folder.at("disk"), options.disk));
  const there = folder.at(store.there);
  await Deno.mkdir(there, { recursive: true });
  const server = stack.use(await store.start(folder.at("disk"), folder));
  const proxy = options.proxy ? stack.use(startProxy(server.port, options.proxy)) : null;
  const config = await rcloneConfig(folder, await server.section(proxy?.port ?? server.port));
  const rig = stack.use(
    await makeRig({
      method: "local",
      folder,
      there,
      config: { transfer_method: "rclone", remote_base_path: store.remote(there), rclone_config: config, ...options.config },
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

for (const [name, store] of Object.entries(STORES)) {
  Deno.test(
    `kill -9 at ${store.points.length} named steps (rclone to ${name}): nothing half is shown, all is delivered at the next start`,
    { ignore: store.ignore },
    async () => {
      await using it = await site(store);
      const { rig } = it;
      let written = 0;
      for (const point of store.points) {
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
      await rig.allIsWell(rows, { crashed: true, proof: PROOF });
    },
  );

  Deno.test(`server frozen, connection cut, black hole in the middle of large files (rclone to ${name}): each arrives whole`, {
    ignore: store.ignore,
  }, async () => {
    await using it = await site(store, { proxy: { rate: 6_000_000 }, config: { transfer_timeout_seconds: 3 } });
    const { rig, server } = it;
    const proxy = it.proxy!;
    await using daemon = await rig.installation.start();
    const faults = [
      { what: "cut", strike: () => proxy.cut(), mend: () => {}, waits: false },
      { what: "frozen", strike: () => server.freeze(), mend: () => server.thaw(), waits: true },
      ...name === "S3" ? [{ what: "black hole", strike: () => proxy.blackHole(), mend: () => proxy.heal(), waits: true }] : [],
    ];
    for (const [index, { what, strike, mend, waits }] of faults.entries()) {
      const before = proxy.counters.up;
      const logged = (await rig.installation.log()).length;
      await rig.expose(`20261120/large${index}.fits`, SIZE);
      await until(() => proxy.counters.up - before > SIZE / 2, `half of the file is sent (${what})`);
      await strike();
      // A cut rclone repeats by itself.
      if (waits) await rig.installation.untilLog(/cannot be reached/, logged, 60);
      await mend();
      await rig.installation.until(everyDelivered(index + 1), 90);
    }
    const rows = await rig.installation.history();
    await rig.endsWell(daemon, rows, { proof: PROOF });
  });

  Deno.test(
    `the disk of the store is full, then read-only (rclone to ${name}): nothing half is shown, and delivery resumes by itself`,
    { ignore: store.ignore || !has("root") },
    async () => {
      await using it = await site(store, { disk: 20 });
      const { rig } = it;
      const disk = it.disk!;
      await using daemon = await rig.installation.start();
      await rig.expose("20261120/fits.fits", 1_000_000);
      await rig.installation.until(everyDelivered(1), 60);
      await rig.expose("20261120/full.fits", 30_000_000);
      const held = await rig.installation.until((rows) => rows.some(({ error }) => error !== null), 60);
      assertEquals(held.filter(({ error }) => error !== null).map(({ error }) => error?.code), [store.full]);
      await disk.resize(100);
      await rig.installation.until(everyDelivered(2), 90);
      await disk.readOnly(true);
      await rig.expose("20261120/read-only.fits", 1_000_000);
      await rig.installation.until(troubled(store.readOnly), 60);
      await disk.readOnly(false);
      await rig.endsWell(daemon, 3, { proof: PROOF });
    },
  );
}
