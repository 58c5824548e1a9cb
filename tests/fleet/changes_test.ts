/** A thousand changes of the configuration in a moment, at a real server, heard by a real daemon that delivers meanwhile. */
import { assert, assertEquals } from "@std/assert";
import { mapLimit } from "../../src/async/map_limit.ts";
import { JOBS } from "../../src/fleet/collections.ts";
import { install } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { needs } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { fleetServer, never } from "./link_rig.ts";

Deno.test(
  "after 1,000 changes the last one is in force, with a handful of reloads; a bad one in between changes nothing",
  needs("pocketbase"),
  async () => {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    await Deno.mkdir(folder.at("camera"));
    await Deno.mkdir(folder.at("guider"));
    const { adminEmail, adminPassword } = server.account;
    const camera = await install(folder.path, {
      ...{ debounce_ms: 200, minimum_free_space_gb: 0, copy_safety_margin_gb: 0 },
      transfer_method: "local",
      remote_base_path: folder.at("nas"),
      watch_path: folder.at("camera"),
      // Only realtime can tell of the changes in time.
      pocketbase: {
        url: server.url,
        admin_email: adminEmail,
        admin_password: adminPassword,
        config_refresh_interval_secs: 600,
        may_set: ["jobs"],
        may_watch: ["/"],
        may_send_to: ["/"],
      },
    });
    const records = `/api/collections/${JOBS}/records`;
    const settings = (number: number, more = {}) => ({
      watch_path: folder.at("guider"),
      remote_base_path: folder.at("nas"),
      layout: `${number}/{stem}{ext}`,
      ...more,
    });
    const { id } = await server.root.ask<{ id: string }>(
      records,
      { method: "POST", body: { name: "guider", enabled: true, settings: settings(0) } },
      never,
    );
    await using daemon = await camera.start();
    await camera.untilLog(/Configuration reloaded/);
    // A folder that is known must not be missing later.
    await Deno.mkdir(folder.at("nas/1000"));
    const before = await memoryOf(daemon.pid);

    const change = (number: number, more = {}) =>
      server.root.ask(`${records}/${id}`, { method: "PATCH", body: { settings: settings(number, more) } }, never);
    const changes = async (from: number, to: number) =>
      void await mapLimit(Array.from({ length: to - from }, (_, index) => from + index), 8, (number) => change(number));
    await changes(1, 500);
    // It stays long enough to be seen.
    await change(500, { file_patterns: "no list", hooks: [{ on: ["held"], command: ["reboot"] }] });
    await camera.untilLog(/PocketBase: .*job "guider" sets "hooks", which only this computer's file may set/);
    await Deno.writeFile(folder.at("camera/meanwhile.fits"), fitsFile(30_000, 1));
    await Promise.all([
      changes(501, 1000),
      camera.until((rows) => rows.some(({ target, state }) => target === "meanwhile.fits" && state === "delivered")),
    ]);
    await change(1000);
    // Nothing tells when it is in force, but where files go.
    for (let turn = 0; !(await arrived(folder.at("nas/1000"))).some((name) => /^last\d+\.fits$/.test(name)); turn++) {
      assert(turn < 120, `nothing comes to nas/1000:\n${(await camera.log()).slice(-6000)}`);
      await Deno.writeFile(folder.at(`guider/last${turn}.fits`), fitsFile(30_000, turn + 2));
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    // It is logged when all of it is done.
    await camera.untilLog(/(Configuration reloaded[^]*){2}/);
    const reloads = (await camera.log()).match(/Configuration reloaded/g)?.length ?? 0;
    // The first, those of each half (one every ten seconds at most), and the last.
    assert(reloads >= 2 && reloads <= 10, `${reloads} reloads`);
    const grown = await memoryOf(daemon.pid) - before;
    assert(grown < 80, `grown by ${grown} MB`);
    assertEquals(await daemon.stop(), 0);
  },
);

async function arrived(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

/** What the process has in memory, MB. */
async function memoryOf(pid: number): Promise<number> {
  const [, pages = "0"] = (await Deno.readTextFile(`/proc/${pid}/statm`)).split(" ");
  return Number(pages) * 4096 / 1e6;
}
