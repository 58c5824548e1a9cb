/** Real daemons at a real PocketBase: jobs from the server, heartbeats, the fleet, and outages in between. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import type { FleetCommand } from "../../src/domain/fleet.ts";
import { fitsFile } from "../support/fits_maker.ts";
import { install } from "../support/daemon_process.ts";
import { has } from "../support/needs.ts";
import { type PocketbaseProcess, ROOT, startPocketbase } from "../support/pocketbase.ts";
import { until } from "../support/until.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";

const QUICK = { debounce_ms: 200, minimum_free_space_gb: 0, copy_safety_margin_gb: 0 };
const options = { ignore: !has("pocketbase") };

/** An installation whose configuration names the server and a superuser, its collections made. */
async function administered(folder: TempFolder, server: Pick<PocketbaseProcess, "url">, more: Record<string, unknown> = {}) {
  await Deno.mkdir(folder.at("camera"), { recursive: true });
  const installation = await install(folder.path, {
    ...QUICK,
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    watch_path: folder.at("camera"),
    pocketbase: {
      url: server.url,
      admin_email: ROOT.email,
      admin_password: ROOT.password,
      instance: "spring",
      config_refresh_interval_secs: 2,
      may_set: ["jobs", "schedules"],
      may_watch: [folder.at("camera"), folder.at("guider")],
      may_send_to: [folder.at("nas")],
    },
    ...more,
  });
  const made = await installation.command(["pocketbase", "setup", "--json"]);
  assertEquals(made.code, 0, made.stderr);
  return installation;
}

Deno.test(
  "jobs are pushed, come back from the server, change while the daemon runs, and survive the server",
  options,
  async () => {
    await using folder = await tempFolder();
    let server = await startPocketbase(folder.at("data"));
    try {
      const camera = await administered(folder, server);
      const pushed = await camera.command(["pocketbase", "push", "--json"]);
      assertEquals(JSON.parse(pushed.stdout), { instance: "spring", jobs: [{ job: "default", done: "created", left_out: [] }] });
      assertEquals(JSON.parse((await camera.command(["pocketbase", "push", "--json"])).stdout).jobs[0].done, "unchanged");

      await using daemon = await camera.start();
      await Deno.writeFile(folder.at("camera/a.fits"), fitsFile(30_000, 1));
      await camera.until((rows) => rows.some(({ target, state }) => target === "a.fits" && state === "delivered"));

      // Its log is there as well.
      const token = await rootToken(server.url);
      const ask = (path: string, method: string, body?: unknown) => request(server.url, token, path, method, body);
      await until(async () => {
        const { items } = await ask("/api/collections/image_transfer_logs/records?perPage=200", "GET");
        return items.some(({ message }: { message: string }) => message.startsWith("Successfully transferred"));
      });
      // From its first line on.
      const { items: [first] } = await ask("/api/collections/image_transfer_logs/records?perPage=1&sort=time", "GET");
      assertMatch(first.message, /^image-transfer \S+ started/i);

      // A second job, made on the server.
      await Deno.mkdir(folder.at("guider"));
      const records = "/api/collections/image_transfer_jobs/records";
      const settings = { watch_path: folder.at("guider"), remote_base_path: folder.at("nas/guider") };
      const { id } = await ask(records, "POST", { name: "guider", enabled: true, settings });
      await camera.untilLog(/Configuration reloaded/);
      await Deno.writeFile(folder.at("guider/g.fits"), fitsFile(30_000, 2));
      await camera.until((rows) => rows.some(({ target, state }) => target === "g.fits" && state === "delivered"));

      // A record with a mistake changes nothing, and is told here and there.
      await ask(`${records}/${id}`, "PATCH", { settings: { ...settings, hooks: [{ on: ["held"], command: ["reboot"] }] } });
      await camera.untilLog(/PocketBase: .*job "guider" sets "hooks", which only this computer's file may set/);
      const status = JSON.parse((await camera.command(["status", "--json"])).stdout);
      assertEquals(status.jobs.map(({ name }: { name: string }) => name), ["default", "guider"]);
      await until(async () => {
        const [member] = JSON.parse((await camera.command(["fleet", "--json"])).stdout);
        return String(member?.config_error).includes("hooks");
      });
      // Nobody takes the computer for well: neither itself, nor the fleet, nor its record.
      const { headline, jobs_rejected } = JSON.parse((await camera.command(["status", "--json"])).stdout);
      assertEquals([headline.level, headline.text], ["warning", "Jobs of the PocketBase server are not used here"]);
      assertMatch(jobs_rejected, /"guider" sets "hooks"/);
      assertMatch((await camera.command(["status"])).stdout, /^SERVER'S JOBS NOT USED: [^]*"guider" sets\s+"hooks"/);
      const level = async () => (await ask("/api/collections/image_transfer_heartbeats/records", "GET")).items[0].level;
      await until(async () => await level() === "warning");
      const codes = await Promise.all(["status", "fleet"].map(async (name) => (await camera.command([name, "--check"])).code));
      assertEquals(codes, [1, 1]);

      // Without the server, a restart has the jobs that it had.
      await server[Symbol.asyncDispose]();
      assertEquals(await daemon.stop(), 0);
      await using again = await camera.start();
      await Deno.writeFile(folder.at("guider/h.fits"), fitsFile(30_000, 3));
      await camera.until((rows) => rows.some(({ target, state }) => target === "h.fits" && state === "delivered"));
      const known = await camera.command(["pocketbase", "status"]);
      assertEquals(known.code, 1);
      assertMatch(
        known.stdout,
        /Cannot reach .*\n.*Jobs last fetched .* ago\.\n {2}default: from the server\n {2}guider: from the server/,
      );

      // It is back, without the job.
      server = await startPocketbase(folder.at("data"), { port: server.port });
      await ask(`${records}/${id}`, "DELETE");
      await until(async () => {
        const { jobs } = JSON.parse((await camera.command(["status", "--json"])).stdout);
        return jobs[1].removed_on_server === true;
      });
      const accepted = await camera.command(["pocketbase", "accept", "--json"]);
      assertEquals(JSON.parse(accepted.stdout), { accepted: ["guider"] });
      assertEquals(JSON.parse((await camera.command(["status", "--json"])).stdout).jobs.length, 1);
      assertEquals(await again.stop(), 0);
    } finally {
      await server[Symbol.asyncDispose]();
    }
  },
);

Deno.test(
  "a job that was pushed still calls the file's hooks and removes delivered sources, until it is changed there",
  options,
  async () => {
    await using folder = await tempFolder();
    await using server = await startPocketbase(folder.at("data"));
    const own = {
      hooks: [{ on: ["delivered"], command: ["touch", folder.at("called")] }],
      delete_source: true,
      destinations: [{ name: "nas", transfer_method: "local", remote_base_path: folder.at("nas") }],
    };
    await Deno.mkdir(folder.at("camera"));
    const jobs = [{ name: "camera", watch_path: folder.at("camera"), ...own }];
    const camera = await administered(folder, server, { jobs, watch_path: undefined, remote_base_path: undefined });
    const pushed = await camera.command(["pocketbase", "push"]);
    assertMatch(
      pushed.stderr,
      /^camera: created; delete_source, hooks are not sent: what this computer's file says stays in use/,
    );
    await using daemon = await camera.start();
    await camera.untilLog(/Configuration reloaded/);
    assertMatch((await camera.command(["pocketbase", "status"])).stdout, / {2}camera: from the server/);
    await Deno.writeFile(folder.at("camera/a.fits"), fitsFile(30_000, 1));
    const there = async (path: string) => await Deno.stat(folder.at(path)).then(() => true, () => false);
    await until(async () => await there("called") && await there("nas/a.fits") && !await there("camera/a.fits"));
    // Somebody changes it there: then it is not the file's job any more, and removes nothing.
    const token = await rootToken(server.url);
    const records = "/api/collections/image_transfer_jobs/records";
    const [{ id, settings }] = (await request(server.url, token, records, "GET", undefined)).items;
    await request(server.url, token, `${records}/${id}`, "PATCH", { settings: { ...settings, layout: "moved/{stem}{ext}" } });
    await camera.untilLog(/the server's job camera is no longer that of the file: it does without delete_source/);
    await Deno.writeFile(folder.at("camera/b.fits"), fitsFile(30_000, 2));
    await camera.until((rows) => rows.some(({ target, state }) => target === "moved/b.fits" && state === "delivered"));
    assertEquals(await daemon.stop(), 0);
    assertEquals(await there("camera/b.fits"), true);
  },
);

Deno.test("the fleet shows every computer, the worst first, and who has gone silent", options, async () => {
  await using folder = await tempFolder();
  await using server = await startPocketbase(folder.at("data"));
  const spring = await administered(folder, server);
  assertEquals(JSON.parse((await spring.command(["fleet", "--json"])).stdout), []);
  const added = await spring.command(["pocketbase", "setup", "--add", "autumn"]);
  assertMatch(added.stdout, /admin_email: autumn\./);
  await using _running = await spring.start();
  let members: { name: string; level: string; headline: string; report: { destinations: unknown[] } | null }[] = [];
  await until(async () => {
    members = JSON.parse((await spring.command(["fleet", "--json"])).stdout);
    return members.length === 2 && members.some(({ level }) => level === "good");
  });
  assertEquals(members.map(({ name, level }) => [name, level]), [["autumn", "unknown"], ["spring", "good"]]);
  assertEquals(members[1]?.report?.destinations.length, 1);
  const shown = await spring.command(["fleet", "--check"]);
  assertEquals(shown.code, 1);
  assertMatch(
    shown.stdout,
    /^All is well on 1 of 2 computers\.\n\nCOMPUTER {2}STATE +FILES +WAITING +.*\nautumn {4}UNKNOWN\n {4}It has never reported\nspring {4}well {5}0 +0 /,
  );
  // Its night, before and after it goes silent: what is not heard of is never well.
  await Deno.writeFile(folder.at("camera/a.fits"), fitsFile(30_000, 1));
  const nights = async () => JSON.parse((await spring.command(["report", "--fleet", "--json"])).stdout).computers;
  await until(async () => (await nights())[1].images.delivered === 1);
  assertEquals((await nights()).map(({ name, verdict }: { name: string; verdict: string }) => [name, verdict]), [
    ["autumn", "unknown"],
    ["spring", "well"],
  ]);
  // Three heartbeats later.
  await _running[Symbol.asyncDispose]();
  await until(async () => (await spring.command(["fleet"])).stdout.includes("spring    OFFLINE"));
  const report = await spring.command(["report", "--fleet"]);
  assertEquals(report.code, 1);
  assertMatch(
    report.stdout,
    /^Fleet: NOT all well: 2 of 2 computers unknown\n[^]*spring {2}UNKNOWN, offline since .* UTC \(.*\), by its last report 1 image seen, 1 delivered/,
  );
  assertMatch((await spring.command(["report", "--fleet", "--html"])).stdout, /^<!doctype html>[^]*<td>UNKNOWN<\/td>/);
  assertEquals((await spring.command(["report", "--fleet", "--deep"])).code, 2);
});

Deno.test("a server that is frozen or gone delays no delivery and no start", options, async () => {
  await using folder = await tempFolder();
  await using server = await startPocketbase(folder.at("data"));
  const camera = await administered(folder, server);
  Deno.kill(server.pid, "SIGSTOP");
  await using daemon = await camera.start();
  await Deno.writeFile(folder.at("camera/a.fits"), fitsFile(30_000, 1));
  await camera.until((rows) => rows.some(({ target, state }) => target === "a.fits" && state === "delivered"));
  assert(!(await Deno.readTextFile(camera.logFile)).includes("PocketBase: Cannot"));
  assertEquals(await daemon.stop(), 0);
  Deno.kill(server.pid, "SIGCONT");
});

Deno.test("commands of other computers are carried out where the file allows them, and are written down", options, async () => {
  await using folder = await tempFolder();
  await using server = await startPocketbase(folder.at("data"));
  const spring = await administered(folder, server);
  const [, email, password] = /admin_email: (\S+)\n {2}admin_password: (\S+)/.exec(
    (await spring.command(["pocketbase", "setup", "--add", "autumn"])).stdout,
  )!;
  await Deno.mkdir(folder.at("other"));
  const autumn = await install(folder.at("other"), {
    ...QUICK,
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    watch_path: folder.at("camera"),
    pocketbase: {
      url: server.url,
      admin_email: email,
      admin_password: password,
      config_refresh_interval_secs: 2,
      may_do: ["pause", "scan"],
      may_do_from: ["autumn"],
    },
    web: { listen: "127.0.0.1:0", token: TOKEN },
  });
  await using _running = await autumn.start();
  const paused = await spring.command(["fleet", "pause", "Autumn"]);
  assertEquals([paused.code, paused.stderr], [0, "Done by Autumn: local.\n"]);
  const status = JSON.parse((await autumn.command(["status", "--json"])).stdout);
  assertEquals([status.destinations[0].state, status.destinations[0].reason], ["paused", `paused by ${SUPERUSER}`]);
  const refused = await spring.command(["fleet", "resume", "autumn", "--json"]);
  assertEquals(JSON.parse(refused.stdout), {
    state: "refused",
    answer: "this computer's pocketbase.may_do does not list resume",
  });
  const unknown = await spring.command(["fleet", "scan", "autumn", "nothing"]);
  assertEquals(unknown.code, 1);
  assertMatch(unknown.stderr, /autumn did not carry it out: Unknown job/);
  await autumn.untilLog(/PocketBase: command from root@example\.org at spring: resume: refused/);
  // From a page as well, and whoever looks finds who did what, when, and how it came out.
  const page = pageOf(status.url);
  assertEquals(await page("/api/fleet/command", { computer: "Autumn", action: "scan", argument: "default" }), {
    state: "done",
    answer: "default",
  });
  const commands: FleetCommand[] = await page("/api/fleet/commands");
  assertEquals(commands.map(({ from, to, action, argument, state }) => [from, to, action, argument, state]), [
    ["autumn", "autumn", "scan", "default", "done"],
    [SUPERUSER, "autumn", "scan", "nothing", "failed"],
    [SUPERUSER, "autumn", "resume", "", "refused"],
    [SUPERUSER, "autumn", "pause", "", "done"],
  ]);
  assert(
    commands.every(({ at, answered_at }) => answered_at !== null && at <= answered_at && Date.parse(at) > Date.now() - 600_000),
  );
  const listed = await spring.command(["fleet", "commands"]);
  assertMatch(
    listed.stdout,
    /^\S+Z {2}autumn to autumn: scan default: done \(default\)\n(.*\n){2}\S+Z {2}root@example\.org at spring to autumn: pause: done \(local\)\n$/,
  );
  assertEquals(JSON.parse((await spring.command(["fleet", "commands", "--json"])).stdout), commands);
  // A superuser at a computer without a record gets none: nobody waits for a heartbeat of it.
  const known = await spring.command(["pocketbase", "status"]);
  assertMatch(known.stdout, /^Connected to \S+ as root@example\.org at spring\. This computer has no account there yet/);
  assertEquals(JSON.parse((await spring.command(["pocketbase", "status", "--json"])).stdout).instance, null);
  const members: { name: string }[] = JSON.parse((await spring.command(["fleet", "--json"])).stdout);
  assertEquals(members.map(({ name }) => name), ["autumn"]);
  const nobody = await spring.command(["fleet", "scan", "winter"]);
  assertMatch(nobody.stderr, /Unknown computer "winter"\nKnown computers: /);
  // Its account is ended by name; what it was asked stays written down.
  const removed = await spring.command(["pocketbase", "remove", "Autumn", "--json"]);
  assertEquals([removed.code, JSON.parse(removed.stdout)], [0, { removed: "autumn" }]);
  assertEquals(JSON.parse((await spring.command(["fleet", "--json"])).stdout), []);
  assertEquals(JSON.parse((await spring.command(["fleet", "commands", "--json"])).stdout).length, commands.length);
});

/** Who gives a command where the computer has no record of its own. */
const SUPERUSER = `${ROOT.email} at spring`;
const TOKEN = "a-token-for-the-tests";

/** Asks the API of a page; with a body, by POST. */
// deno-lint-ignore no-explicit-any -- an answer of the API
function pageOf(url: string): (path: string, body?: unknown) => Promise<any> {
  const headers = { authorization: `Bearer ${TOKEN}`, "content-type": "application/json" };
  return async (path, body) => {
    const question = body === undefined ? { headers } : { headers, method: "POST", body: JSON.stringify(body) };
    return await (await fetch(new URL(path, url), question)).json();
  };
}

async function rootToken(url: string): Promise<string> {
  const body = { identity: ROOT.email, password: ROOT.password };
  return (await request(url, "", "/api/collections/_superusers/auth-with-password", "POST", body)).token;
}

// deno-lint-ignore no-explicit-any -- an answer of PocketBase
async function request(url: string, token: string, path: string, method: string, body: unknown): Promise<any> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { "content-type": "application/json", authorization: token },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  assert(response.ok, text);
  return text === "" ? null : JSON.parse(text);
}
