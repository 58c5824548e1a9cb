/** Real daemons at a real PocketBase whose owner wants their keys, or to run a program there. */
import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { fetchJobs } from "../../src/fleet/jobs_of_server.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { install } from "../support/daemon_process.ts";
import { has } from "../support/needs.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { freePort } from "../support/tcp_proxy.ts";
import { type FleetServer, fleetServer, linkRig, never } from "./link_rig.ts";

const QUICK = { debounce_ms: 200, min_file_age_seconds: 0, minimum_free_space_gb: 0, copy_safety_margin_gb: 0 };
const options = { ignore: !has("pocketbase") || Deno.build.os === "windows" };

/** A camera with a key in its home folder; `may` are further keys of its `pocketbase` section. */
async function aCamera(folder: TempFolder, { url, account }: FleetServer, may: Record<string, unknown>) {
  for (const made of ["camera/.ssh", "guider", "nas", ".ssh", "bin"]) await Deno.mkdir(folder.at(made), { recursive: true });
  for (const secret of [".ssh/id_ed25519", "camera/.ssh/id_ed25519"]) await Deno.writeTextFile(folder.at(secret), "the key");
  await Deno.symlink(folder.at(".ssh"), folder.at("camera/link"));
  await Deno.symlink(folder.at("bin"), folder.at("nas/link"));
  return await install(folder.path, {
    ...QUICK,
    transfer_method: "local",
    watch_path: folder.at("camera"),
    remote_base_path: folder.at("nas"),
    pocketbase: {
      url,
      admin_email: account.adminEmail,
      admin_password: account.adminPassword,
      config_refresh_interval_secs: 2,
      ...may,
    },
  });
}

/** The owner of the server writes a job for everybody. */
async function order({ root }: FleetServer, name: string, settings: Record<string, unknown>): Promise<void> {
  const body = { name, enabled: true, settings: { ...TAKE_ALL, ...settings } };
  await root.ask("/api/collections/image_transfer_jobs/records", { method: "POST", body }, never);
}

const TAKE_ALL = { file_patterns: ["*"], completeness: "quiet", min_file_age_seconds: 0 };

/** What lies in a folder, links not followed. */
async function everythingIn(folder: string, below = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${below}`)) {
    found.push(...isDirectory ? await everythingIn(folder, `${below}${name}/`) : [`${below}${name}`]);
  }
  return found.sort();
}

Deno.test("the owner of a server gets no key and runs nothing on a computer whose file allows no jobs", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const camera = await aCamera(folder, server, {});
  const port = freePort();
  let calls = 0;
  using host = Deno.listen({ port, hostname: "127.0.0.1" });
  const answering = (async () => {
    for await (const call of host) {
      calls++;
      call.close();
    }
  })().catch(() => {});
  await order(server, "key", {
    watch_path: "~/.ssh",
    destinations: [{
      name: "mine",
      transfer_method: "ftp",
      remote_host: "127.0.0.1",
      remote_port: port,
      remote_base_path: "/in",
    }],
  });
  await order(server, "code", {
    watch_path: folder.at("state"),
    file_patterns: ["*.json", "$(touch pwned)"],
    layout: ".bashrc.d/{stem}.sh",
    transfer_method: "local",
    remote_base_path: folder.at("bin"),
  });
  await order(server, "honest", { watch_path: "~/guider", remote_base_path: folder.at("nas/guider") });
  await order(server, "default", { watch_path: "~/.ssh", schedule: { interval: "1s" } });
  await using daemon = await camera.start();
  await camera.untilLog(/may_watch/);
  await Deno.writeFile(folder.at("camera/a.fits"), fitsFile(30_000, 1));
  await camera.until((rows) => rows.some(({ target, state }) => target === "a.fits" && state === "delivered"));
  assertEquals(await everythingIn(folder.at("nas")), ["a.fits", "link"]);
  assertEquals(await Deno.stat(folder.at("bin/.bashrc.d")).catch(() => null), null);
  assertEquals(calls, 0);

  // The honest job waits, and whoever looks is told the lines that allow it.
  const lines = [
    `  may_set: ["schedules", "jobs"]`,
    `  may_watch: ["${folder.at("guider")}"]`,
    `  may_send_to: ["${folder.at("nas/guider")}"]`,
  ];
  const status = await camera.command(["pocketbase", "status"]);
  assert(status.stdout.includes(lines.join("\n")), status.stdout);
  assertMatch(status.stdout, /code: refused: watch_path .* image-transfer's own/);
  assertMatch(status.stdout, /key: refused: watch_path .* hidden/);
  // Nobody takes it for well before: neither the computer, nor the fleet.
  const plain = await camera.command(["status"]);
  assertMatch(
    plain.stdout.replaceAll(/\s+/g, " "),
    /^SERVER'S JOBS NOT USED: .*code is refused: .*wait until this computer's file allows them: honest/,
  );
  assertMatch((await camera.command(["status"])).stdout, /image-transfer pocketbase status/);
  const log = await camera.log();
  for (const line of lines) assert(log.includes(line.trim()), log);
  const kept = await Deno.readTextFile(folder.at("state/pocketbase-jobs.json"));
  assert(!kept.includes("$(touch"), "no shell may find a command in it");

  // Pasted, they do.
  const config = JSON.parse(await Deno.readTextFile(camera.configFile));
  const pasted = Object.fromEntries(
    lines.map((line) => line.trim().split(": ", 2)).map(([key, list]) => [key, JSON.parse(list!)]),
  );
  await Deno.writeTextFile(camera.configFile, JSON.stringify({ ...config, pocketbase: { ...config.pocketbase, ...pasted } }));
  await Deno.writeFile(folder.at("guider/g.fits"), fitsFile(30_000, 2));
  await camera.until((rows) => rows.some(({ job, state }) => job === "honest" && state === "delivered"));
  assert(!(await camera.command(["status"])).stdout.includes("honest: waits"));
  assertEquals(await daemon.stop(), 0);
  assertEquals(await everythingIn(folder.at("nas")), ["a.fits", "guider/g.fits", "link"]);
  assertEquals(calls, 0);
  host.close();
  await answering;
});

Deno.test("the owner of a server whose jobs are allowed is kept to the folders and hosts of the file", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  const may = {
    may_set: ["jobs"],
    may_watch: [folder.at("camera"), folder.at("guider")],
    may_send_to: [folder.at("nas")],
    // Nothing but a change lets it look at the jobs again.
    config_refresh_interval_secs: 3600,
  };
  const camera = await aCamera(folder, server, may);
  await Deno.writeTextFile(folder.at("camera/run.ssh"), "a key of his");
  const here = { transfer_method: "local", watch_path: folder.at("camera"), remote_base_path: folder.at("nas/loot") };
  await order(server, "link", { ...here, watch_path: folder.at("camera/link") });
  await order(server, "out", { ...here, remote_base_path: folder.at("nas"), layout: "link/{stem}" });
  await order(server, "ext", { ...here, layout: "{ext}/authorized_keys{stem}" });
  await order(server, "elsewhere", { ...here, transfer_method: "ftp", remote_host: "127.0.0.1", remote_base_path: "/in" });
  await order(server, "all", { ...here, remote_base_path: folder.at("nas/all") });
  await using daemon = await camera.start();
  await camera.until((rows) => rows.some(({ job, state }) => job === "all" && state === "delivered"));
  await Deno.mkdir(folder.at("camera/sub"));
  await Deno.writeTextFile(folder.at("camera/sub/own"), "of the camera");
  await order(server, "sub", { ...here, watch_path: folder.at("camera/sub"), remote_base_path: folder.at("nas/sub") });
  await camera.until((rows) => rows.filter(({ state }) => state === "delivered").length === 3);
  // Whoever may write into the camera's folder makes one with the name of a link at the destination.
  await Deno.mkdir(folder.at("camera/link2"));
  await Deno.symlink(folder.at("bin"), folder.at("nas/all/link2"));
  await Deno.writeTextFile(folder.at("camera/link2/run.sh"), "a program");
  await camera.untilLog(/"link2" is a link, and jobs of a PocketBase server follow none/);
  // The watched folder itself becomes a link.
  await Deno.rename(folder.at("camera/sub"), folder.at("sub-before"));
  await Deno.symlink(folder.at(".ssh"), folder.at("camera/sub"));
  await camera.untilLog(/File created: id_ed25519/);
  // Nor does another one that comes when all is checked.
  await Deno.rename(folder.at("guider"), folder.at("guider-before"));
  await Deno.symlink(folder.at(".ssh"), folder.at("guider"));
  await order(server, "late", { ...here, watch_path: folder.at("guider") });
  const log = await camera.untilLog(/job late is refused/);
  for (const name of ["link", "out", "ext", "sub"]) assertMatch(log, new RegExp(`the server's job ${name} is refused: `));
  assertMatch(
    log,
    /wait until this computer's file allows them: elsewhere\n.*\n.*may_send_to: \[".*\/nas", "127\.0\.0\.1:\/in"\]/,
  );
  assertEquals(await daemon.stop(), 0);
  assertEquals(await everythingIn(folder.at("nas")), ["all/link2", "all/run.ssh", "all/sub/own", "link", "sub/own"]);
  assertEquals(await everythingIn(folder.at("bin")), []);
});

Deno.test("a job of the server ends once its folder has become a link, without any change on the server", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  await using link = await linkRig(folder, server.account);
  await Deno.mkdir(folder.at("guider"));
  await order(server, "guider", { watch_path: folder.at("guider") });
  await link.until(() => link.jobs().includes("guider"), "the job");
  await Deno.rename(folder.at("guider"), folder.at("other"));
  await Deno.symlink(folder.at("other"), folder.at("guider"));
  await link.until(() => !link.jobs().includes("guider"), "its end");
  const [held] = link.settings().held ?? [];
  assertMatch(held?.refused ?? "", /leads through a link in a folder of may_watch; write .*other instead/);
});

Deno.test("jobs that are nested without end, or far too many, are named, and what runs stays", options, async () => {
  await using folder = await tempFolder();
  await using server = await fleetServer(folder.at("data"));
  await using link = await linkRig(folder, server.account);
  const path = "/api/collections/image_transfer_jobs/records";
  const nested = JSON.parse(`${"[".repeat(9000)}${"]".repeat(9000)}`);
  const body = { name: "deep", enabled: true, settings: { schedule: nested } };
  const { id } = await server.root.ask<{ id: string }>(path, { method: "POST", body }, never);
  await link.until(() => link.notices().some((text) => /Job "deep" of \S+ is nested too deeply/.test(text)), "the notice");
  await server.root.ask(`${path}/${id}`, { method: "DELETE" }, never);
  const many = { ...server.root, all: <T>() => Promise.resolve(Array(1001).fill({ ...body, daemon: "" }) as T[]) };
  await assertRejects(
    () => fetchJobs(many, { id: server.id, name: "spring" }, never),
    Error,
    "has 1001 jobs for this computer, more than 1000",
  );
  assertEquals(link.jobs(), ["default"]);
});
