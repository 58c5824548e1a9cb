/**
 * FTP and FTPS under faults: the daemon vanishes at named steps; the server is killed, cut off and frozen in the middle of large files; its
 * disk is full and read-only; the password is refused and changed. Nothing half is shown, all is delivered in the end, and the password is
 * nowhere to be seen.
 */
import { assert, assertEquals } from "@std/assert";
import { needs } from "../support/needs.ts";
import { treeOf } from "../support/process_tree.ts";
import { mountSmallDisk } from "../support/small_disk.ts";
import { until } from "../support/until.ts";
import { each, everyDelivered, makeRig } from "./rig.ts";

const PROOF = { proof: "read_back" };
const POINTS = ["after_claim", "during_put", "after_put", "after_verify", "before_record", "after_publish", "after_record"];

each(["ftp", "ftps"], "kill -9 at named steps: nothing half is shown, all is delivered at the next start", async (method) => {
  await using rig = await makeRig({ method });
  let written = 0;
  for (const point of method === "ftp" ? POINTS : ["during_put", "after_publish"]) {
    for (let i = 0; i < 3; i++) await rig.expose(`20261120/a${written++}.fits`);
    await rig.expose(`20261120/large${written++}.fits`, 12_000_000);
    await using broken = await rig.installation.start({ env: { IMAGE_TRANSFER_CRASH_AT: point }, wait: false });
    const code = await broken.ended;
    assert(code !== 0 && code < 256, `${point} was never reached: exit ${code}\n${broken.output()}`);
  }
  await using daemon = await rig.installation.start();
  await rig.endsWell(daemon, written, { crashed: true, ...PROOF });
});

each(
  ["ftp", "ftps"],
  "server killed, cut off, frozen in the middle of large files: each goes on where it was",
  async (method) => {
    // The rate of the server: the line is loopback.
    const config = ["local_max_rate=4000000"];
    await using rig = await makeRig({ method, ftpd: { config }, config: { transfer_timeout_seconds: 4, retry_delay: 1 } });
    const server = rig.ftpd!;
    await using daemon = await rig.installation.start();
    const faults = [
      { what: "killed", strike: () => server.kill(), mend: () => server.restart() },
      { what: "cut", strike: () => server.dropConnections(), mend: () => {} },
      { what: "frozen", strike: () => server.freeze(), mend: () => server.thaw() },
    ];
    for (const [index, { what, strike, mend }] of faults.entries()) {
      const logged = (await rig.installation.log()).length;
      await rig.expose(`20261120/large${index}.fits`, 12_000_000);
      await until(async () => await rig.staged() > 6_000_000, `half of the file is there (${what})`);
      await strike();
      await rig.installation.untilLog(/cannot be reached/, logged);
      await mend();
      await rig.installation.until(everyDelivered(index + 1), 60);
    }
    const rows = await rig.installation.history();
    await rig.endsWell(daemon, rows, PROOF);
    // Nobody sends again what is there: the rest is appended.
    assert((await server.log()).includes('"APPE ') || method === "ftps", await server.log());
  },
);

Deno.test(
  "a disk that fills and becomes read-only (ftp): the destination waits, says why, and goes on by itself",
  needs("vsftpd", "root"),
  async () => {
    await using rig = await makeRig({ method: "ftp" });
    await using disk = await mountSmallDisk(rig.there, 8);
    await using daemon = await rig.installation.start();
    await rig.expose("20261120/first.fits", 1_000_000);
    await rig.installation.until(everyDelivered(1));
    await rig.expose("20261120/large.fits", 12_000_000);
    await rig.installation.untilLog(/disk.* full/);
    await disk.resize(60);
    await rig.installation.until(everyDelivered(2), 90);
    await disk.readOnly(true);
    const logged = (await rig.installation.log()).length;
    await rig.expose("20261120/last.fits", 100_000);
    await rig.installation.untilLog(/read-only/, logged);
    await disk.readOnly(false);
    await rig.endsWell(daemon, 3, PROOF);
  },
);

Deno.test(
  "a password that is refused holds the destination, and is seen nowhere: arguments, environment, log, ledger, config show",
  needs("vsftpd"),
  async () => {
    const secret = "geheim-7f3a";
    await using rig = await makeRig({
      method: "ftp",
      // So slow that curl is seen at work.
      ftpd: { config: ["local_max_rate=1500000"] },
      config: { password: "$FTP_SECRET", password_file: undefined },
    });
    const { installation, ftpd } = rig;
    const env = { FTP_SECRET: secret };
    await rig.expose("20261120/a.fits", 5_000_000);
    await using refused = await installation.start({ env });
    await installation.untilLog(/is on hold: .*the login was refused/);
    assertEquals(await refused.stop(), 0);
    await ftpd!.setPassword(secret);
    await using daemon = await installation.start({ env, wait: false });
    const seen = watchProcesses(daemon.pid, secret);
    const rows = await installation.until(everyDelivered(1), 60);
    const { looked, found } = await seen.stop();
    assert(looked > 0, "no curl was seen");
    assertEquals(found, []);
    const shown = await installation.command(["config", "show"], env);
    await rig.endsWell(daemon, rows, PROOF);
    for (const text of [shown.stdout, shown.stderr, await installation.log()]) assert(!text.includes(secret), text);
    for await (const { name, isFile } of Deno.readDir(installation.stateFolder)) {
      if (!isFile) continue;
      const text = new TextDecoder("latin1").decode(await Deno.readFile(`${installation.stateFolder}/${name}`));
      assert(!text.includes(secret), name);
    }
  },
);

/** Looks at the arguments and the environment of all programs of the daemon that are curl, until it is stopped. */
function watchProcesses(daemon: number, secret: string): { stop(): Promise<{ looked: number; found: string[] }> } {
  let over = false;
  let looked = 0;
  const found: string[] = [];
  const read = (path: string) => Deno.readTextFile(path).catch(() => "");
  const watching = (async () => {
    while (!over) {
      for (const pid of (await treeOf(daemon)).slice(1)) {
        const [args, env] = await Promise.all([read(`/proc/${pid}/cmdline`), read(`/proc/${pid}/environ`)]);
        if (!args.includes("curl")) continue;
        looked++;
        if (args.includes(secret)) found.push(args);
        if (env.includes(secret)) found.push(env);
      }
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  })();
  return {
    async stop() {
      over = true;
      await watching;
      return { looked, found };
    },
  };
}
