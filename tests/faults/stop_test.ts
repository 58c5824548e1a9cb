/**
 * The daemon is asked to end in the middle of things: it ends in time, parks what it has in hand, and goes on where it was.
 * And the exit codes of `run --once` in every state a destination can be in.
 */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { needs } from "../support/needs.ts";
import { stagingRemains } from "../support/observer.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";
import { each, makeRig, type Rig } from "./rig.ts";

/** At 2 MB a second, what is left when it is asked to end takes far longer than it may. */
const SIZE = 11_000_000;

each(
  ["local", "rsync", "tar", "scp", "sftp"],
  "SIGTERM in the middle of a large file: ends in time, parks it, leaves only what it goes on with, delivers it later",
  async (method) => {
    await using rig = await makeRig({
      method,
      config: { shutdown_timeout_seconds: 1, ...(method === "local" ? { bandwidth_limit: "2 MB/s" } : {}) },
      proxy: { rate: 2_000_000 },
    });
    await rig.expose("large.fits", SIZE);
    {
      await using daemon = await rig.installation.start();
      await until(async () => await rig.staged() > 1_000_000, "a part of it is there");
      assertEquals(await daemon.stop(), 0);
    }
    assertEquals((await rig.installation.history()).map(({ state, attempts }) => [state, attempts]), [["queued", 0]]);
    if (method === "scp") assertEquals(await stagingRemains(rig.there), []);
    else assert(await rig.staged() > 1_000_000);
    await using daemon = await rig.installation.start();
    await rig.endsWell(daemon, 1);
  },
);

interface State {
  readonly what: string;
  readonly prepare: (rig: Rig) => Promise<unknown>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly code: number;
  readonly says?: RegExp;
}

const STATES: readonly State[] = [
  { what: "nothing to do", prepare: () => Promise.resolve(), code: 0 },
  { what: "all can be delivered", prepare: (rig) => rig.expose("a.fits"), code: 0 },
  {
    what: "nobody listens",
    prepare: (rig) => rig.expose("a.fits"),
    config: { remote_host: "127.0.0.1", remote_port: 9, retry_attempts: 2, retry_delay: 0.2 },
    code: 1,
    says: /no ssh server is listening there/,
  },
  {
    what: "the login is refused",
    prepare: async (rig) => [await rig.expose("a.fits"), await rig.server!.revokeKey()],
    code: 1,
    says: /login as \S+ was refused/,
  },
  {
    what: "the host key changed",
    prepare: async (rig) => [await rig.expose("a.fits"), await rig.server!.changeHostKey()],
    code: 1,
    says: /host key has changed/,
  },
  {
    what: "a frozen server",
    prepare: async (rig) => [await rig.expose("a.fits"), await rig.server!.freeze()],
    config: { transfer_timeout_seconds: 1, retry_attempts: 2, retry_delay: 0.2 },
    code: 1,
    says: /Not delivered/,
  },
  {
    what: "a file that is too short",
    prepare: async (rig) => {
      await rig.expose("a.fits");
      await rig.expose("short.fits");
      await Deno.truncate(`${rig.watched}/short.fits`, 100_000);
    },
    config: { incomplete_after: 1 },
    code: 1,
    says: /"short\.fits" is incomplete: /,
  },
  {
    what: "no watched folder",
    prepare: (rig) => Deno.remove(rig.watched),
    code: 1,
    says: /the folder does not exist/,
  },
  {
    what: "a file in the place of the folder there",
    prepare: async (rig) => {
      await rig.expose("a.fits");
      await rig.observer.stop();
      await Deno.remove(rig.there);
      await Deno.writeTextFile(rig.there, "");
    },
    code: 1,
    says: /not a folder/,
  },
];

Deno.test("run --once: its exit code in every state of files and destinations", needs("sshd", "rsync"), async (t) => {
  for (const { what, prepare, config = {}, code, says } of STATES) {
    await t.step(what, async () => {
      await using rig = await makeRig({ method: "rsync", config: { min_file_age_seconds: 0.2, ...config } });
      await prepare(rig);
      const result = await rig.installation.command(["run", "--once"], rig.server?.env ?? {});
      assertEquals(result.code, code, result.stderr);
      if (says) assertMatch(result.stderr, says);
      if (code === 0) await rig.allIsWell(await rig.installation.history());
    });
  }
});

Deno.test("run --once with a full disk: exit 1, and 0 when there is room", needs("root"), async () => {
  await using folder = await tempFolder();
  await using disk = await mountSmallDisk(folder.at("disk"), 4);
  await using rig = await makeRig({ method: "local", folder, there: folder.at("disk", "archive") });
  await rig.expose("large.fits", 6_000_000);
  await rig.expose("small.fits", 300_000);
  const full = await rig.installation.command(["run", "--once"]);
  assertEquals(full.code, 1, full.stderr);
  assertMatch(full.stderr, /Not delivered: .*(full|fit)/);
  await disk.resize(32);
  const room = await rig.installation.command(["run", "--once"]);
  assertEquals(room.code, 0, room.stderr);
  await rig.allIsWell(await rig.installation.history());
});
