/**
 * The daemon is killed again and again at any moment, while sources are removed after delivery (`delete_source`), or while a mirror
 * removes what was deleted: of every image that was not thrown away on purpose there is a good copy at every moment.
 * `IMAGE_TRANSFER_KILLS` says how often.
 */
import { each } from "./rig.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { dice as diceOf } from "../support/seeded.ts";
import { fitsFile, sha256 } from "../support/fits_maker.ts";
import { startSshd } from "../support/sshd.ts";
import { filesBelow, mirrorRig } from "./mirror_rig.ts";

const KILLS = Number(Deno.env.get("IMAGE_TRANSFER_KILLS") ?? 4);
const SEED = Number(Deno.env.get("IMAGE_TRANSFER_KILL_SEED") ?? 1);

type Mirror = Awaited<ReturnType<typeof mirrorRig>>;

/** The hashes of all whole images at the source and at the destination, trash included. */
async function copies({ folder }: Mirror): Promise<Set<string>> {
  const found = new Set<string>();
  for (const root of ["data", "nas"]) {
    for (const path of filesBelow(folder.at(root))) {
      // It may be given another name meanwhile.
      const bytes = await Deno.readFile(`${folder.at(root)}/${path}`).catch(() => null);
      if (bytes !== null) found.add(await sha256(bytes));
    }
  }
  return found;
}

/** While one look is made, a file may move from where was not looked yet to where was: looks again for what is missed. */
async function assertAllThere(it: Mirror, wanted: ReadonlyMap<string, string>, when: string): Promise<void> {
  let missing = [...wanted];
  for (let look = 0; look < 3 && missing.length > 0; look++) {
    const found = await copies(it);
    missing = missing.filter(([hash]) => !found.has(hash));
  }
  assertEquals(missing.map(([, name]) => name), [], `no good copy of these ${when}`);
}

async function kills(it: Mirror, deletes: boolean): Promise<void> {
  const { program, folder } = it;
  const dice = diceOf(SEED);
  const wanted = new Map<string, string>();
  let number = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const daemon = await program.start({ wait: false });
    const endAt = Date.now() + dice.int(800, 7_800);
    while (Date.now() < endAt) {
      const name = `${kill % 5}/i${String(++number).padStart(4, "0")}.fits`;
      const bytes = fitsFile(dice.int(3_000, 63_000), number);
      wanted.set(await sha256(bytes), name);
      await folder.write(`data/${name}`, bytes);
      const there = filesBelow(folder.at("data"));
      const victim = there.length === 0 ? undefined : dice.pick(there);
      if (deletes && victim !== undefined && dice.chance(0.5)) {
        // Only what was delivered: of others the source is the only copy.
        const hash = await sha256(await Deno.readFile(folder.at("data", victim)));
        const delivered = (await program.history()).some((row) => row.sha256 === hash && row.state === "delivered");
        if (delivered) await Deno.remove(folder.at("data", victim));
      }
      await new Promise((resolve) => setTimeout(resolve, dice.int(100, 500)));
    }
    if (kill % 4 === 0) await assertAllThere(it, wanted, `before kill ${kill + 1}`);
    daemon.kill("SIGKILL");
    await daemon.ended;
    await assertAllThere(it, wanted, `after kill ${kill + 1}`);
  }
  // What is left to do is done by one quiet run, and nothing is lost by that.
  await using daemon = await program.start();
  await it.until(
    async () => {
      const rows = await program.history();
      const here = new Set(filesBelow(folder.at("data")).map((path) => folder.at("data", path)));
      const settled = rows.every(({ state, path, error }) =>
        deletes ? here.has(path) === (state === "delivered") || error?.code === "superseded" : state === "delivered"
      );
      return settled && (deletes || here.size === 0);
    },
    "everything is settled",
    90,
  );
  await assertAllThere(it, wanted, "in the end");
  if (deletes) assertEquals(it.shown(), filesBelow(folder.at("data")));
  assertEquals(await daemon.stop(), 0);
  assertEquals(filesBelow(folder.at("nas")).filter((path) => /^\.image-transfer-(?!trash)/.test(path)), []);
}

Deno.test(`${KILLS} × kill -9 with delete_source: never fewer than one good copy of anything`, async () => {
  await using it = await mirrorRig({ delete_destination_files: false, delete_source: true, rescan_interval: "1s" });
  await kills(it, false);
});

Deno.test(`${KILLS} × kill -9 with delete_destination_files: never fewer than one good copy of anything`, async () => {
  await using it = await mirrorRig({ rescan_interval: "1s", max_delete: "100%" });
  await kills(it, true);
});

for (const point of ["before_removal", "after_removal"]) {
  Deno.test(`a mirror that dies ${point.replace("_", " ")} ends what it began, and the file lies in the trash once`, async () => {
    await using it = await mirrorRig();
    const { program } = it;
    await it.write(["a.fits", "b.fits"]);
    assertEquals((await program.command(["run", "--once"])).code, 0);
    await it.remove("a.fits");
    {
      await using daemon = await program.start({ env: { IMAGE_TRANSFER_CRASH_AT: point } });
      assert(await daemon.ended !== 0);
    }
    assertEquals(it.trashed(), point === "before_removal" ? [] : ["a.fits"]);
    await using daemon = await program.start();
    const rows = await program.until((rows) => rows.some(({ error }) => error?.code === "removed"));
    assertMatch(rows.map(({ error }) => error?.message).join(), /it lies in ".*\.image-transfer-trash\/.*\/a\.fits"/);
    assertEquals([it.shown(), it.trashed()], [["b.fits"], ["a.fits"]]);
    assertEquals(await daemon.stop(), 0);
  });
}

Deno.test("the trash is emptied after keep_deleted, also where the mirror was switched off", async () => {
  await using it = await mirrorRig({ keep_deleted: "6s" });
  const { program } = it;
  await it.write(["a.fits", "b.fits"]);
  {
    await using daemon = await program.start();
    await program.until((rows) => rows.filter(({ state }) => state === "delivered").length === 2);
    await it.remove("a.fits");
    await it.until(() => it.trashed().length === 1, "a.fits is in the trash");
    assertEquals(await daemon.stop(), 0);
  }
  const config = JSON.parse(await Deno.readTextFile(program.configFile));
  await Deno.writeTextFile(program.configFile, JSON.stringify({ ...config, delete_destination_files: false }));
  await using daemon = await program.start();
  await it.until(() => it.trashed().length === 0, "the trash is empty");
  assertEquals(it.shown(), ["b.fits"]);
  assertEquals(await daemon.stop(), 0);
});

each(["tar", "sftp", "rsync", "scp"], "a mirror over ssh moves what was deleted to the trash, and empties it", async (method) => {
  await using server = await startSshd();
  const remote = { transfer_method: method, remote_host: server.host, keep_deleted: "4s", preserve_permissions: true };
  await using it = await mirrorRig(remote, server.env);
  const { program } = it;
  await it.write(["x/a b.fits", "c.fits", "d.fits"]);
  await using daemon = await program.start();
  await program.until((rows) => rows.filter(({ state }) => state === "delivered").length === 3);
  await it.remove("x/a b.fits");
  await it.until(() => it.trashed().join() === "x/a b.fits", "it is in the trash");
  assertEquals(it.shown(), ["c.fits", "d.fits"]);
  await it.until(() => it.trashed().length === 0, "the trash is empty");
  assertEquals(await daemon.stop(), 0);
});
