/** Jobs that come from a PocketBase server, beside those of the file. */
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ConfigError } from "../../../src/config/read/parse_settings.ts";
import { readConfig } from "../../../src/config/read/load.ts";
import type { RemoteJob } from "../../../src/config/read/remote_jobs.ts";
import { aComputer } from "../a_computer.ts";

const SERVER =
  "pocketbase: { url: http://localhost:8090, admin_email: a@example.org, admin_password: x, may_set: [jobs, schedules], " +
  "may_watch: [/data], may_send_to: [/mnt, freya, evil] }\n";
const LOCAL = "watch_path: /data/images\ntransfer_method: local\nremote_base_path: /mnt/nas\n";
const spring: RemoteJob = { name: "spring", settings: { watch_path: "/data/spring", schedule: { interval: "5m" } } };

async function readJobs(text: string, remote: readonly RemoteJob[]) {
  const system = { ...aComputer(), read: () => Promise.resolve(new TextEncoder().encode(text)) };
  return (await readConfig("/config.yaml", system, remote)).jobs;
}

async function jobsOf(text: string, remote: readonly RemoteJob[]) {
  return (await readJobs(text, remote)).map(({ name, watchPath, schedule, destinations }) => ({
    name,
    watchPath,
    schedule: schedule.kind,
    to: destinations.map(({ basePath }) => basePath),
  }));
}

async function faultOf(text: string, remote: readonly RemoteJob[]): Promise<string> {
  return (await assertRejects(() => jobsOf(text, remote), ConfigError)).message;
}

Deno.test("a server's job stands beside the job of the file, with the keys of the file as its defaults", async () => {
  assertEquals(await jobsOf(LOCAL + SERVER, [spring]), [
    { name: "default", watchPath: "/data/images", schedule: "continuous", to: ["/mnt/nas"] },
    { name: "spring", watchPath: "/data/spring", schedule: "interval", to: ["/mnt/nas"] },
  ]);
});

Deno.test("a server's job replaces the job of the same name", async () => {
  const moved = { ...spring, name: "Default" };
  assertEquals((await jobsOf(LOCAL + SERVER, [moved])).map(({ watchPath }) => watchPath), ["/data/spring"]);
});

Deno.test("a file may leave all jobs to the server, and has none as long as the server is not known", async () => {
  const only = `transfer_method: local\nremote_base_path: /mnt/nas\n${SERVER}`;
  assertEquals(await jobsOf(only, []), []);
  assertEquals((await jobsOf(only, [spring])).map(({ name }) => name), ["spring"]);
});

Deno.test("may_set decides what is taken from the server", async () => {
  const limited = (list: string) => `${LOCAL}${SERVER.replace("[jobs, schedules]", list)}`;
  const asDefault = { ...spring, name: "default" };
  assertEquals((await jobsOf(limited("[]"), [spring, asDefault])).map(({ schedule }) => schedule), ["continuous"]);
  const [own, ...more] = await jobsOf(limited("[schedules]"), [spring, asDefault]);
  assertEquals([own?.watchPath, own?.schedule, more], ["/data/images", "interval", []]);
});

for (
  const settings of [
    { hooks: [{ on: ["held"], command: ["reboot"] }] },
    { rsync_options: ["-v"] },
    { destinations: [{ name: "nas", password: "x" }] },
    { delete_source: true },
    { delete_destination_files: true },
    { rclone_config: "/etc/passwd" },
    { ignore_hidden_files: false },
    { follow_links: true },
  ]
) {
  const key = Object.keys(settings.destinations?.[0] ?? settings).at(-1);
  Deno.test(`a server cannot set ${key}`, async () => {
    assertEquals(
      await faultOf(LOCAL + SERVER, [{ ...spring, settings: { ...spring.settings, ...settings } }]),
      `http://localhost:8090: the server's job "spring" sets "${key}", which only this computer's file may set`,
    );
  });
}

Deno.test("a server's job deletes nothing and sees nothing hidden, though the file's own job does", async () => {
  const jobs = await readJobs(`${LOCAL}delete_source: true\nignore_hidden_files: false\n${SERVER}`, [spring]);
  assertEquals(jobs.map(({ name, deleteSource, ignoreHiddenFiles }) => [name, deleteSource, ignoreHiddenFiles]), [
    ["default", true, false],
    ["spring", false, true],
  ]);
});

Deno.test("a server's job is no mirror, though the destination of the file that it uses is one", async () => {
  const list = "destinations: [{ name: nas, remote_base_path: /mnt/nas, delete_destination_files: true }]\n";
  const text = `watch_path: /data/images\ntransfer_method: local\n${list}${SERVER}`;
  const jobs = await readJobs(text, [spring]);
  assertEquals(jobs.map(({ destinations }) => destinations.map((one) => one.deleteDestinationFiles)), [[true], [
    false,
  ]]);
});

Deno.test("a mistake in a destination of the file is told once, though a server's job uses it", async () => {
  const text =
    `watch_path: /data/images\ntransfer_method: local\ndestinations: [{ name: nas, remote_base_pat: /mnt/nas }]\n${SERVER}`;
  assertEquals((await faultOf(text, [spring])).match(/unknown key/g)?.length, 1);
});

Deno.test("a password of the file goes to no host that a server names, and no environment variable to a server's job", async () => {
  const ftp =
    "watch_path: /data/images\ntransfer_method: ftp\nremote_host: freya\nremote_user: a\npassword: x\nremote_base_path: /in\n";
  const to = (more: Record<string, unknown>) => [{ ...spring, settings: { ...spring.settings, ...more } }];
  assertEquals((await jobsOf(ftp + SERVER, to({ remote_host: "freya", remote_base_path: "/out" }))).length, 2);
  const elsewhere = `the server's job "spring" sends elsewhere than this computer's file, which has a password`;
  for (const more of [{ remote_host: "evil" }, { destinations: [{ name: "x", remote_host: "evil" }] }, { remote_port: 2121 }]) {
    assertStringIncludes(await faultOf(ftp + SERVER, to(more)), elsewhere);
  }
  const ftps = ftp.replace("ftp\n", "ftps\n") + SERVER;
  assertStringIncludes(await faultOf(ftps, to({ transfer_method: "ftp" })), elsewhere);
  const listed = ftp.replace("password: x\n", "") + "destinations: [{ name: nas, password: x }]\n" + SERVER;
  assertEquals((await jobsOf(listed, to({ remote_base_path: "/out" }))).length, 2);
  assertStringIncludes(await faultOf(listed, to({ remote_host: "evil" })), elsewhere);
  assertEquals((await jobsOf(ftp + SERVER, to({ transfer_method: "local", remote_base_path: "/mnt" }))).length, 2);
  assertEquals((await jobsOf(LOCAL + SERVER, to({ remote_base_path: "/mnt/$SECRET" }))).length, 1);
});

Deno.test("mistakes in a server's job name the job", async () => {
  assertEquals(
    await faultOf(LOCAL + SERVER, [{ ...spring, settings: { watch_path: "/data/spring", file_patern: ["*"] } }]),
    'http://localhost:8090: the server\'s job "spring": unknown key "file_patern"; did you mean "file_patterns"?',
  );
  const [unnamed] = (await faultOf(LOCAL + SERVER, [{ ...spring, name: "a/b" }])).split("\n");
  assertEquals(unnamed, `http://localhost:8090: the server's job without a usable name: "name" ${NAME_RULE}, not "a/b"`);
});

const NAME_RULE = "must be a name of letters, digits, spaces and . _ - (at most 64 characters)";
