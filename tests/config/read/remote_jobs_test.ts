/** Jobs that come from a PocketBase server, beside those of the file. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError } from "../../../src/config/read/config_error.ts";
import { parsePartially } from "../../../src/config/read/parse_settings.ts";
import type { RemoteJob } from "../../../src/config/read/remote_jobs.ts";
import { aComputer } from "../a_computer.ts";

const SERVER = "pocketbase: { url: http://localhost:8090, admin_email: a@example.org, admin_password: x }\n";
const LOCAL = "watch_path: /data/images\ntransfer_method: local\nremote_base_path: /mnt/nas\n";
const spring: RemoteJob = { name: "spring", settings: { watch_path: "/data/spring", schedule: { interval: "5m" } } };

function jobsOf(text: string, remote: readonly RemoteJob[]) {
  const { resolved, fault } = parsePartially(text, "config.yaml", "yaml", aComputer(), remote);
  if (fault !== null) throw fault;
  return resolved.settings.jobs.map(({ name, watchPath, schedule, destinations }) => ({
    name,
    watchPath,
    schedule: schedule.kind,
    to: destinations.map(({ basePath }) => basePath),
  }));
}

function faultOf(text: string, remote: readonly RemoteJob[]): string {
  return assertThrows(() => jobsOf(text, remote), ConfigError).message;
}

Deno.test("a server's job stands beside the job of the file, with the keys of the file as its defaults", () => {
  assertEquals(jobsOf(LOCAL + SERVER, [spring]), [
    { name: "default", watchPath: "/data/images", schedule: "continuous", to: ["/mnt/nas"] },
    { name: "spring", watchPath: "/data/spring", schedule: "interval", to: ["/mnt/nas"] },
  ]);
});

Deno.test("a server's job replaces the job of the same name", () => {
  const moved = { ...spring, name: "Default" };
  assertEquals(jobsOf(LOCAL + SERVER, [moved]).map(({ watchPath }) => watchPath), ["/data/spring"]);
});

Deno.test("a file may leave all jobs to the server, and has none as long as the server is not known", () => {
  const only = `transfer_method: local\nremote_base_path: /mnt/nas\n${SERVER}`;
  assertEquals(jobsOf(only, []), []);
  assertEquals(jobsOf(only, [spring]).map(({ name }) => name), ["spring"]);
});

Deno.test("may_set decides what is taken from the server", () => {
  const limited = (list: string) => `${LOCAL}${SERVER.replace(" }", `, may_set: ${list} }`)}`;
  const asDefault = { ...spring, name: "default" };
  assertEquals(jobsOf(limited("[]"), [spring, asDefault]).map(({ schedule }) => schedule), ["continuous"]);
  const [own, ...more] = jobsOf(limited("[schedules]"), [spring, asDefault]);
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
  ]
) {
  const key = Object.keys(settings.destinations?.[0] ?? settings).at(-1);
  Deno.test(`a server cannot set ${key}`, () => {
    assertEquals(
      faultOf(LOCAL + SERVER, [{ ...spring, settings: { ...spring.settings, ...settings } }]),
      `config.yaml:4:1: the server's job "spring" sets "${key}", which only this file may set`,
    );
  });
}

Deno.test("a server's job deletes nothing, though the file's own job does", () => {
  const { resolved } = parsePartially(`${LOCAL}delete_source: true\n${SERVER}`, "config.yaml", "yaml", aComputer(), [spring]);
  assertEquals(resolved.settings.jobs.map(({ name, deleteSource }) => [name, deleteSource]), [["default", true], [
    "spring",
    false,
  ]]);
});

Deno.test("a server's job is no mirror, though the destination of the file that it uses is one", () => {
  const list = "destinations: [{ name: nas, remote_base_path: /mnt/nas, delete_destination_files: true }]\n";
  const text = `watch_path: /data/images\ntransfer_method: local\n${list}${SERVER}`;
  const { resolved, fault } = parsePartially(text, "config.yaml", "yaml", aComputer(), [spring]);
  assertEquals(fault, null);
  assertEquals(resolved.settings.jobs.map(({ destinations }) => destinations.map((one) => one.deleteDestinationFiles)), [[true], [
    false,
  ]]);
});

Deno.test("a mistake in a destination of the file is told once, though a server's job uses it", () => {
  const text =
    `watch_path: /data/images\ntransfer_method: local\ndestinations: [{ name: nas, remote_base_pat: /mnt/nas }]\n${SERVER}`;
  assertEquals(faultOf(text, [spring]).match(/unknown key/g)?.length, 1);
});

Deno.test("a password of the file goes to no host that a server names, and no environment variable to a server's job", () => {
  const ftp =
    "watch_path: /data/images\ntransfer_method: ftp\nremote_host: freya\nremote_user: a\npassword: x\nremote_base_path: /in\n";
  const to = (more: Record<string, unknown>) => [{ ...spring, settings: { ...spring.settings, ...more } }];
  assertEquals(jobsOf(ftp + SERVER, to({ remote_host: "freya", remote_base_path: "/out" })).length, 2);
  const elsewhere = 'the server\'s job "spring" sends elsewhere than this file, which has a password';
  for (const more of [{ remote_host: "evil" }, { destinations: [{ name: "x", remote_host: "evil" }] }, { remote_port: 2121 }]) {
    assertStringIncludes(faultOf(ftp + SERVER, to(more)), elsewhere);
  }
  const ftps = ftp.replace("ftp\n", "ftps\n") + SERVER;
  assertStringIncludes(faultOf(ftps, to({ transfer_method: "ftp" })), elsewhere);
  const listed = ftp.replace("password: x\n", "") + "destinations: [{ name: nas, password: x }]\n" + SERVER;
  assertEquals(jobsOf(listed, to({ remote_base_path: "/out" })).length, 2);
  assertStringIncludes(faultOf(listed, to({ remote_host: "evil" })), elsewhere);
  assertEquals(jobsOf(ftp + SERVER, to({ transfer_method: "local", remote_base_path: "/mnt" })).length, 2);
  assertStringIncludes(faultOf(LOCAL + SERVER, to({ remote_base_path: "/in/$SECRET" })), "uses an environment variable");
});

Deno.test("mistakes in a server's job name the job", () => {
  assertEquals(
    faultOf(LOCAL + SERVER, [{ ...spring, settings: { watch_path: "/data/spring", file_patern: ["*"] } }]),
    'config.yaml:4:1: the server\'s job "spring": unknown key "file_patern"; did you mean "file_patterns"?',
  );
});
