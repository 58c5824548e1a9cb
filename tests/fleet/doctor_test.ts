/** What `doctor` and `pocketbase status` say of a server that answers, and cannot be used as it is. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { JOBS, LOGS } from "../../src/fleet/collections.ts";
import { install } from "../support/daemon_process.ts";
import { has } from "../support/needs.ts";
import { ROOT, startPocketbase } from "../support/pocketbase.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { fleetServer, never } from "./link_rig.ts";

const options = { ignore: !has("pocketbase") };

async function aCamera(folder: TempFolder, pocketbase: Record<string, unknown>) {
  await Deno.mkdir(folder.at("camera"), { recursive: true });
  const local = { transfer_method: "local", watch_path: folder.at("camera"), remote_base_path: folder.at("nas") };
  const camera = await install(folder.path, { ...local, pocketbase, minimum_free_space_gb: 0, copy_safety_margin_gb: 0 });
  await Deno.chmod(camera.configFile, 0o600);
  return camera;
}

Deno.test("a server without the collections is no good, and what makes them is named", options, async () => {
  await using folder = await tempFolder();
  await using server = await startPocketbase(folder.at("data"));
  const accounts = [
    { admin_email: ROOT.email, admin_password: ROOT.password },
    { admin_email: "spring.0c3f@daemon.invalid", admin_password: "unused-1" },
  ];
  for (const account of accounts) {
    const camera = await aCamera(folder, { url: server.url, ...account });
    for (const command of [["doctor"], ["pocketbase", "status"]]) {
      const { code, stdout, stderr } = await camera.command(command);
      assertEquals(code, 1, stdout);
      assertMatch(stdout + stderr, /Cannot use http:\S+ yet: it lacks collections of image-transfer[^]*pocketbase setup/);
      assert(!/: connected as|Connected to|All is well/.test(stdout + stderr), stdout + stderr);
    }
  }
});

Deno.test(
  "one missing collection is noticed, and so are mistakes in the server's jobs, which are not the file's",
  options,
  async () => {
    await using folder = await tempFolder();
    await using server = await fleetServer(folder.at("data"));
    const { url, root, account, id } = server;
    const camera = await aCamera(folder, {
      url,
      admin_email: account.adminEmail,
      admin_password: account.adminPassword,
      may_set: ["jobs"],
      may_watch: [folder.at("guider")],
      may_send_to: [folder.at("nas")],
    });
    const doctor = async () => (await camera.command(["doctor"])).stdout;
    assertMatch(
      await doctor(),
      /✓ PocketBase http\S+: connected as spring\n.*✓ Whoever owns that server may send files from \S+guider to \S+nas\n/,
    );

    const settings = { watch_path: folder.at("guider"), file_patern: ["*"] };
    const body = { daemon: id, name: "guider", enabled: true, settings };
    const { id: job } = await root.ask<{ id: string }>(`/api/collections/${JOBS}/records`, { method: "POST", body }, never);
    const wrong = `${url}: the server's job "guider": unknown key "file_patern"; did you mean "file_patterns"?`;
    const status = await camera.command(["pocketbase", "status"]);
    assertEquals(status.code, 1);
    for (const said of [status.stdout, await doctor()]) {
      assert(said.includes(wrong), said);
      assert(!/config\.yaml:\d/.test(said), said);
    }
    assertEquals(JSON.parse((await camera.command(["pocketbase", "status", "--json"])).stdout).fault, wrong);

    // What waits is told with the lines to paste, by doctor and by whoever gives the computer a new password.
    await root.ask(
      `/api/collections/${JOBS}/records/${job}`,
      { method: "PATCH", body: { settings: { watch_path: "~/other" } } },
      never,
    );
    assertMatch(
      await doctor(),
      /! jobs of the server wait until this computer's file allows them: guider\n {6}may_watch: \["\S+guider", "\S+\/other"\]\n.*add these lines to "pocketbase"/,
    );
    await root.ask(`/api/collections/${LOGS}`, { method: "DELETE" }, never);
    assertMatch(await doctor(), /✗ Cannot use http:\S+ yet: it lacks collections/);
    const superuser = ["--email", ROOT.email, "--password-file", folder.at("root")];
    await Deno.writeTextFile(folder.at("root"), ROOT.password, { mode: 0o600 });
    const added = await camera.command(["pocketbase", "setup", "--add", "spring", ...superuser]);
    assertMatch(
      added.stdout,
      /^pocketbase:\n(?: {2}.*\n){3} {2}may_set: \["schedules", "jobs"\]\n {2}may_watch: \["~\/other"\]\n$/,
      added.stderr,
    );
  },
);
