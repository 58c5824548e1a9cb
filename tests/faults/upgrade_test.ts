/**
 * What an earlier program left in the middle of its work is taken over: `upgrade/state-977d155.tar.gz` holds its state directory, its
 * watched folders and its destinations after a `kill -9`, with a part of one file in the temporary folder of each method, a backlog, a
 * failed file, removals of a mirror that wait for an answer, and a job of a PocketBase server that is away.
 *
 * To make another one, from a checkout of the earlier program: `IMAGE_TRANSFER_LEAVE=FILE.tar.gz IMAGE_TRANSFER_BINARY=PROGRAM deno test -A
 * tests/faults/upgrade_test.ts`, where PROGRAM is a script that starts it.
 */
import { DatabaseSync } from "node:sqlite";
import { assert, assertEquals } from "@std/assert";
import { fromFileUrl, join } from "@std/path";
import { fingerprint } from "../../src/domain/source_file.ts";
import { createSystem } from "../../src/system/create_system.ts";
import { install, type Installation } from "../support/daemon_process.ts";
import { fitsFile, sha256 } from "../support/fits_maker.ts";
import { startFtpd } from "../support/ftpd.ts";
import { needs } from "../support/needs.ts";
import { ROOT, startPocketbase } from "../support/pocketbase.ts";
import { rcloneConfig, startWebdav } from "../support/rclone_servers.ts";
import { startSshd } from "../support/sshd.ts";
import { freePort } from "../support/tcp_proxy.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { until } from "../support/until.ts";
import { loginTo, tool } from "./rig.ts";

const LEFT = fromFileUrl(new URL("upgrade/state-977d155.tar.gz", import.meta.url));
const LEAVE = Deno.env.get("IMAGE_TRANSFER_LEAVE");
const NEEDED = ["root", "sshd", "rsync", "vsftpd", "rclone"] as const;

/** Where the images go; `away` cannot be reached by the earlier program. */
const REACHED = ["disk", "tar", "rsync", "scp", "sftp", "ftp", "webdav"] as const;
const ALL = [...REACHED, "away"] as const;
/** Delivered everywhere before the end. */
const DONE = ["20261122/a.fits", "20261122/b.fits", "20261122/c.fits"];
/** Was being sent everywhere when the program was killed. */
const LARGE = "20261123/large.fits";
/** At `disk` another file has its name, and `on_conflict` is `fail` there. */
const TAKEN = "20261122/taken.fits";
const MIRRORED = ["1.fits", "2.fits", "3.fits", "4.fits"];

interface Site extends AsyncDisposable {
  readonly folder: TempFolder;
  readonly installation: Installation;
}

/** The servers and the configuration around `folder`, which holds what is left, or nothing yet. */
async function siteIn(folder: TempFolder, pocketbase: string, slowly: Readonly<Record<string, unknown>>): Promise<Site> {
  const stack = new AsyncDisposableStack();
  const sshd = stack.use(await startSshd());
  const ftpd = stack.use(await startFtpd());
  for (const path of ["camera", "guider", "mirrored", ...ALL.map((name) => `far/${name}`), "far/mirror", "far/guider"]) {
    await Deno.mkdir(folder.at(path), { recursive: true });
  }
  const webdav = stack.use(await startWebdav(folder.at("far/webdav")));
  const config = await rcloneConfig(folder, webdav.section());
  const own: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
    disk: { transfer_method: "local", on_conflict: "fail" },
    away: {
      transfer_method: "sftp",
      remote_host: "127.0.0.1",
      remote_user: sshd.user,
      remote_port: LEAVE ? freePort() : sshd.port,
    },
    ftp: { transfer_method: "ftp", ...await loginTo(ftpd, folder) },
    webdav: { transfer_method: "rclone", remote_base_path: "dav:night", rclone_config: config },
  };
  const destinations = ALL.map((name) => ({
    name,
    remote_base_path: folder.at(`far/${name}`),
    ...own[name] ?? { transfer_method: name, remote_host: sshd.host },
    ...slowly,
  }));
  const installation = await install(folder.path, {
    minimum_free_space_gb: 0,
    copy_safety_margin_gb: 0,
    debounce_ms: 200,
    retry_delay: 1,
    jobs: [
      { name: "camera", watch_path: folder.at("camera"), destinations },
      {
        name: "mirrored",
        watch_path: folder.at("mirrored"),
        delete_destination_files: true,
        max_delete: 2,
        destinations: [{ name: "mirror", transfer_method: "local", remote_base_path: folder.at("far/mirror") }],
      },
    ],
    pocketbase: {
      url: pocketbase,
      admin_email: ROOT.email,
      admin_password: ROOT.password,
      instance: "spring",
      config_refresh_interval_secs: 2,
      ...LEAVE ? {} : { may_set: ["jobs"], may_watch: [folder.at("guider")], may_send_to: [folder.at("far/guider")] },
    },
  }, sshd.env);
  return { folder, installation, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

interface Row {
  readonly target: string;
  readonly job: string;
  readonly destination: string;
  readonly state: string;
  readonly delivered_at: string | null;
  readonly error: { readonly code: string } | null;
}

async function rowsOf({ command }: Installation): Promise<readonly Row[]> {
  const { code, stdout, stderr } = await command(["history", "--json", "--limit", "1000"]);
  assertEquals(code, 0, stderr);
  return JSON.parse(stdout);
}

const isDelivered = ({ state }: Row) => state === "delivered";

/** A FITS file whose data is one block again and again: it compresses well. */
async function expose(folder: TempFolder, name: string, bytes: number, seed: number): Promise<void> {
  const file = fitsFile(bytes, seed);
  for (let at = 2880 * 2; at < file.length; at += 2880) file.copyWithin(at, 2880, 2880 * 2);
  await folder.write(name, file);
}

/** Paths below a folder, relative to it. */
function below(folder: string, prefix = ""): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory ? below(join(folder, name), `${prefix}${name}/`) : [prefix + name]
  );
}

const isStaged = (path: string) => path.includes(".image-transfer-");

async function leaveBehind(file: string): Promise<void> {
  await using folder = await tempFolder();
  await using server = await startPocketbase(folder.at("pocketbase"));
  await using site = await siteIn(folder, server.url, { bandwidth_limit: "600 kB/s" });
  const { installation } = site;
  const settings = {
    watch_path: folder.at("guider"),
    destinations: [{ name: "guide", transfer_method: "local", remote_base_path: folder.at("far/guider") }],
  };
  const made = await installation.command(["pocketbase", "setup"]);
  assertEquals(made.code, 0, made.stderr);
  const login = await fetch(`${server.url}/api/collections/_superusers/auth-with-password`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ identity: ROOT.email, password: ROOT.password }),
  });
  const { token } = await login.json();
  const sent = await fetch(`${server.url}/api/collections/image_transfer_jobs/records`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: token },
    body: JSON.stringify({ name: "guider", enabled: true, settings }),
  });
  assertEquals(sent.status, 200, await sent.text());
  await folder.write(`far/disk/${TAKEN}`, "another file");
  for (const [index, name] of [...DONE, TAKEN].entries()) await expose(folder, `camera/${name}`, 20_000, index + 1);
  for (const [index, name] of MIRRORED.entries()) await expose(folder, `mirrored/${name}`, 9_000, index + 11);
  await expose(folder, "guider/first.fits", 9_000, 21);
  await using daemon = await installation.start();
  const expected = (DONE.length + 1) * REACHED.length - 1 + MIRRORED.length + 1;
  const count = async () => (await rowsOf(installation)).filter(isDelivered).length;
  await until(async () => await count() === expected, "the first files", 60, installation.log);
  for (const name of MIRRORED.slice(0, 3)) await Deno.remove(folder.at("mirrored", name));
  await installation.untilLog(/REMOVALS WAIT|max_delete is 2/);
  await expose(folder, `camera/${LARGE}`, 3_000_000, 31);
  await until(
    () => {
      const parts = REACHED.filter((name) =>
        below(folder.at("far", name)).some((path) => isStaged(path) && Deno.statSync(folder.at("far", name, path)).size > 200_000)
      );
      return Promise.resolve(parts.length >= REACHED.length - 1);
    },
    "a part everywhere",
    60,
    installation.log,
  );
  daemon.kill("SIGKILL");
  await daemon.ended;
  await folder.write("left.json", JSON.stringify({ folder: folder.path, pocketbase: server.url }));
  const rows = await rowsOf(installation);
  await folder.write("rows.json", JSON.stringify(rows));
  await tool(
    "tar",
    "--format=posix",
    "-czf",
    file,
    "-C",
    folder.path,
    "state",
    "camera",
    "guider",
    "mirrored",
    "far",
    "left.json",
    "rows.json",
  );
}

/** Unpacks what is left. The ledger names files by path and inode: it is told those that they have here, as if they had stayed in place. */
async function unpack(folder: TempFolder): Promise<{ readonly pocketbase: string; readonly rows: readonly Row[] }> {
  await tool("tar", "-xzpf", LEFT, "-C", folder.path);
  const left = JSON.parse(await Deno.readTextFile(folder.at("left.json")));
  using db = new DatabaseSync(join(folder.at("state"), "ledger.sqlite"));
  const system = createSystem();
  for (const { id, absolute_path } of db.prepare("SELECT id, absolute_path FROM versions").all()) {
    const path = String(absolute_path).replace(left.folder, folder.path);
    const facts = await system.facts(path);
    const { identity, ctimeMs } = facts ?? { identity: "", ctimeMs: 0 };
    db.prepare("UPDATE versions SET absolute_path = ?, identity = ?, ctime_ms = ?, fingerprint = ? WHERE id = ?")
      .run(path, identity, ctimeMs, facts === null ? "gone" : fingerprint(facts), Number(id));
  }
  db.prepare("UPDATE mirrors SET root = ?").run((await system.facts(folder.at("mirrored")))!.identity);
  for (const path of below(folder.at("state"))) {
    const file = folder.at("state", path);
    if (!path.endsWith(".json")) continue;
    await Deno.writeTextFile(file, (await Deno.readTextFile(file)).replaceAll(left.folder, folder.path));
  }
  return { pocketbase: left.pocketbase, rows: JSON.parse(await Deno.readTextFile(folder.at("rows.json"))) };
}

Deno.test(
  "what an earlier program left in the middle of its work is taken over: nothing is sent again, nothing stays behind",
  needs(...NEEDED, ...LEAVE ? ["pocketbase"] as const : []),
  async () => {
    if (LEAVE) return await leaveBehind(LEAVE);
    await using folder = await tempFolder();
    const { pocketbase, rows: before } = await unpack(folder);
    for (const name of REACHED) {
      assert(below(folder.at("far", name)).some(isStaged) || name === "webdav", `${name} has nothing staged`);
    }
    const changed = () => ALL.flatMap((name) => timesOf(folder.at("far", name)));
    const times = new Map(changed());
    await using site = await siteIn(folder, pocketbase, {});
    const { installation } = site;
    await using daemon = await installation.start();
    const left = async () => (await rowsOf(installation)).filter((row) => !isDelivered(row));
    await expose(folder, "guider/second.fits", 9_000, 22);
    const isAll = async () =>
      (await left()).length === 1 && (await rowsOf(installation)).some(({ target }) => target === "second.fits");
    await until(isAll, "the rest, the backlog, and the job of the server", 60, installation.log);

    const after = await rowsOf(installation);
    const keyOf = ({ job, target, destination }: Row) => `${job}/${target} → ${destination}`;
    const earlier = new Map(before.filter(isDelivered).map((row) => [keyOf(row), row.delivered_at]));
    assertEquals(new Map(after.filter((row) => earlier.has(keyOf(row))).map((row) => [keyOf(row), row.delivered_at])), earlier);
    assertEquals((await left()).map((row) => [keyOf(row), row.error?.code]), [[`camera/${TAKEN} → disk`, "exists"]]);
    for (const [path, time] of changed()) if (times.has(path) && !isStaged(path)) assertEquals(time, times.get(path), path);
    for (const name of ALL) {
      const there = folder.at("far", name === "webdav" ? "webdav/night" : name);
      const other = name === "disk" ? [] : [TAKEN];
      for (const path of [...DONE, LARGE, ...other]) {
        assertEquals(await hashOf(join(there, path)), await hashOf(folder.at("camera", path)), `${path} at ${name}`);
      }
      assertEquals(below(there).filter(isStaged), [], name);
    }
    assertEquals(await hashOf(folder.at("far/guider/second.fits")), await hashOf(folder.at("guider/second.fits")));
    // Nobody has answered for the removals yet.
    assertEquals(below(folder.at("far/mirror")).filter((path) => !isStaged(path)).sort(), MIRRORED);
    const isHeld = async () => /max_delete is 2/.test((await installation.command(["status"])).stdout);
    await until(isHeld, "the mirror asks", 60, installation.log);
    const accepted = await installation.command(["resume", "--accept", "mirrored/mirror"]);
    assertEquals(accepted.code, 0, accepted.stderr);
    const isRemoved = () => Promise.resolve(MIRRORED.slice(0, 3).every((name) => !below(folder.at("far/mirror")).includes(name)));
    await until(isRemoved, "the removals", 60, installation.log);
    assertEquals(await daemon.stop(), 0);
  },
);

function timesOf(folder: string): [string, number][] {
  return below(folder).map((path) => [join(folder, path), Deno.statSync(join(folder, path)).ctime?.getTime() ?? 0]);
}

async function hashOf(path: string): Promise<string> {
  return await sha256(await Deno.readFile(path));
}
