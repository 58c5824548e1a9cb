/** Jobs that vanish from a real server: they stay as they were until a person accepts it, as with a mirror's removal limit. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { addAccount } from "../../src/fleet/accounts.ts";
import { DAEMONS, JOBS } from "../../src/fleet/collections.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { install } from "../support/daemon_process.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { has } from "../support/needs.ts";
import { tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";
import { type FleetServer, fleetServer, linkRig, never } from "./link_rig.ts";

const options = { ignore: !has("pocketbase") };
const RECORDS = `/api/collections/${JOBS}/records`;

async function addJob({ root, id: daemon }: FleetServer, name: string, settings: Record<string, unknown>): Promise<string> {
  const body = { name, daemon, enabled: true, settings };
  return (await root.ask<{ id: string }>(RECORDS, { method: "POST", body }, never)).id;
}

Deno.test(
  "a job that is removed from the server goes on, is told everywhere, and ends once that is accepted",
  options,
  async () => {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    for (const name of ["camera", "guider", "spectro"]) await Deno.mkdir(folder.at(name));
    const { adminEmail, adminPassword } = server.account;
    const camera = await install(folder.path, {
      ...{ debounce_ms: 200, minimum_free_space_gb: 0, copy_safety_margin_gb: 0 },
      ...{ transfer_method: "local", remote_base_path: folder.at("nas"), watch_path: folder.at("camera") },
      pocketbase: {
        ...{ url: server.url, admin_email: adminEmail, admin_password: adminPassword, config_refresh_interval_secs: 1 },
        ...{ may_set: ["jobs", "schedules"], may_watch: [folder.path], may_send_to: [folder.path] },
      },
      web: { listen: "127.0.0.1:0", token: TOKEN },
    });
    const status = async () => JSON.parse((await camera.command(["status", "--json"])).stdout);
    const names = async () => (await status()).jobs.map(({ name }: { name: string }) => name);
    const ids = [];
    for (const name of ["guider", "spectro"]) {
      ids.push(await addJob(server, name, { watch_path: folder.at(name), remote_base_path: folder.at(`nas/${name}`) }));
    }
    await using daemon = await camera.start();
    await until(async () => (await names()).length === 3);
    assertEquals((await camera.command(["status", "--check"])).code, 0);

    for (const id of ids) await server.root.ask(`${RECORDS}/${id}`, { method: "DELETE" }, never);
    await camera.untilLog(/PocketBase: jobs? guider(, spectro were| was) removed on the server/);
    const marked = async () => (await status()).jobs.filter((one: { removed_on_server?: true }) => one.removed_on_server);
    await until(async () => (await marked()).length === 2);
    assertEquals((await camera.command(["status", "--check"])).code, 1);
    await Deno.writeFile(folder.at("guider/g.fits"), fitsFile(30_000, 1));
    await camera.until((rows) => rows.some(({ target, state }) => target === "g.fits" && state === "delivered"));
    const { headline, url } = await status();
    assertEquals(headline, {
      level: "warning",
      text: "Jobs guider and spectro were removed on the server; they still run here",
      advice: "If that is right, run: image-transfer pocketbase accept",
    });
    const shown = (await camera.command(["status"])).stdout.replaceAll(/\s+/g, " ");
    assertMatch(shown, /^JOBS REMOVED: .*guider watches \S+ removed on the server: .*pocketbase accept guider/);
    await until(async () => (await camera.command(["fleet", "--check"])).code === 1);
    assertMatch((await camera.command(["fleet"])).stdout, /spring +WAITING[^]*guider and spectro were removed on the server/);
    assertMatch((await camera.command(["pocketbase", "status"])).stdout, / {2}guider: removed on the server; .*accept guider/);

    // A start without the server changes nothing.
    await server.kill();
    assertEquals(await daemon.stop(), 0);
    await using again = await camera.start();
    assertEquals(await names(), ["default", "guider", "spectro"]);
    assertEquals((await status()).headline.level, "warning");
    await server.start();

    const unknown = await camera.command(["pocketbase", "accept", "default"]);
    assertEquals([unknown.code, unknown.stderr.split("\n")[0]], [2, 'Job "default" is not marked as removed on the server']);
    const accepted = await camera.command(["pocketbase", "accept", "Guider"]);
    assertEquals([accepted.code, accepted.stderr], [0, "No longer running here: guider.\n"]);
    assertEquals(await names(), ["default", "spectro"]);
    // The other one on the page.
    const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
    const page = new URL("/", (await status()).url ?? url);
    const trouble = await (await fetch(new URL("/api/trouble", page), { headers })).json();
    const [{ action, hint }] = trouble.items.filter(({ what }: { what: string }) => what === "spectro");
    assertEquals([action, hint], [
      { do: "accept_removed", job: "spectro" },
      "If that is right, end it here, or run: image-transfer pocketbase accept spectro",
    ]);
    const answer = await fetch(new URL("/api/accept-removed", page), { headers, method: "POST", body: '{"job":"spectro"}' });
    assertEquals(await answer.json(), { jobs: ["spectro"] });
    assertEquals(await names(), ["default"]);
    await until(async () => (await camera.command(["fleet", "--check"])).code === 0);
    assertEquals(await again.stop(), 0);
  },
);

Deno.test("accept without a daemon: the next start is without the job", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const id = await addJob(server, "guider", { watch_path: folder.at("guider") });
  {
    await using link = await linkRig(folder, server.account);
    await link.until(() => link.jobs().includes("guider"), "the job");
    await server.root.ask(`${RECORDS}/${id}`, { method: "PATCH", body: { enabled: false } }, never);
    await link.until(() => link.settings().removedOnServer?.length === 1, "the mark");
  }
  // With the file of the rig.
  const program = await install(folder.path, JSON.parse(await Deno.readTextFile(folder.at("config.yaml"))));
  assertMatch((await program.command(["pocketbase", "accept"])).stderr, /^No longer running here: guider\.\n/);
  await using link = await linkRig(folder, server.account);
  await link.until(() => link.beats() > 0, "a start");
  assertEquals([link.jobs(), link.settings().removedOnServer], [["default"], []]);
});

/** What makes a job vanish, and whether it is back after `undo`. */
const VANISHES: Record<string, { act: (job: string, server: FleetServer) => Promise<unknown>; undo?: typeof enable }> = {
  "is disabled": {
    act: (job, { root }) => root.ask(`${RECORDS}/${job}`, { method: "PATCH", body: { enabled: false } }, never),
    undo: enable,
  },
  "goes with an account that is made again": {
    async act(_job, { root, id, account }) {
      await root.ask(`/api/collections/${DAEMONS}/records/${id}`, { method: "DELETE" }, never);
      await addAccount("spring", root, createSystem(), never);
      const [made] = await root.all<{ id: string }>(DAEMONS, { filter: 'name = "spring"' }, never);
      const body = { email: account.adminEmail, password: account.adminPassword, passwordConfirm: account.adminPassword };
      await root.ask(`/api/collections/${DAEMONS}/records/${made!.id}`, { method: "PATCH", body }, never);
    },
  },
};

function enable(job: string, { root }: FleetServer): Promise<unknown> {
  return root.ask(`${RECORDS}/${job}`, { method: "PATCH", body: { enabled: true } }, never);
}

for (const [how, { act, undo }] of Object.entries(VANISHES)) {
  Deno.test(`a job that ${how} stays, marked`, options, async () => {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    const job = await addJob(server, "guider", { watch_path: "/guider" });
    await using link = await linkRig(folder, server.account);
    await link.until(() => link.jobs().includes("guider"), "the job");
    await act(job, server);
    await link.until(() => link.settings().removedOnServer?.length === 1, "the mark");
    assertEquals([link.jobs(), link.settings().removedOnServer], [["default", "guider"], ["guider"]]);
    assert(link.notices().some((message) => /job guider was removed on the server/.test(message)));
    if (undo === undefined) return;
    await undo(job, server);
    await link.until(() => link.settings().removedOnServer?.length === 0, "the end of the mark");
    assertEquals(link.jobs(), ["default", "guider"]);
  });
}

Deno.test("a backup that is restored is no order: jobs made since it stay, marked", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  await addJob(server, "guider", { watch_path: "/guider" });
  await server.kill();
  await copyFolder(folder.at("data"), folder.at("backup"));
  await server.start();
  await addJob(server, "spectro", { watch_path: "/spectro" });
  await using link = await linkRig(folder, server.account);
  await link.until(() => link.jobs().includes("spectro"), "the jobs");
  await server.kill();
  await Deno.remove(folder.at("data"), { recursive: true });
  await Deno.rename(folder.at("backup"), folder.at("data"));
  await server.start();
  await link.until(() => link.settings().removedOnServer?.length === 1, "the mark");
  assertEquals([link.jobs(), link.settings().removedOnServer], [["default", "guider", "spectro"], ["spectro"]]);
});

Deno.test("a job that has vanished is marked although another record has an error", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const guider = await addJob(server, "guider", { watch_path: "/guider" });
  await using link = await linkRig(folder, server.account);
  await link.until(() => link.jobs().includes("guider"), "the job");
  await addJob(server, "spectro", { watch_path: "/spectro", hooks: [{ on: ["held"], command: ["reboot"] }] });
  await server.root.ask(`${RECORDS}/${guider}`, { method: "DELETE" }, never);
  await link.until(() => link.settings().removedOnServer?.length === 1, "the mark");
  assertEquals(link.jobs(), ["default", "guider"]);
});

const TOKEN = "a-token-for-the-tests-of-removed-jobs";

async function copyFolder(from: string, to: string): Promise<void> {
  const { success } = await new Deno.Command("cp", { args: ["-a", from, to] }).output();
  assert(success);
}
