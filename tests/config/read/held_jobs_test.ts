/** What a computer's own file lets jobs of a server do; the folders and links are real. */
import { assert, assertEquals, assertMatch } from "@std/assert";
import { permissionLines } from "../../../src/config/read/held_jobs.ts";
import { readConfig } from "../../../src/config/read/load.ts";
import type { Settings } from "../../../src/config/settings.ts";
import { createSystem } from "../../../src/system/create_system.ts";
import { type TempFolder, tempFolder } from "../../support/temp.ts";
import { aComputer } from "../a_computer.ts";

const SERVER = { url: "https://pb.example", admin_email: "a@example.org", admin_password: "x" };
type Keys = Readonly<Record<string, unknown>>;

/** The settings of a file whose server has the job `there`; `own` are further keys of the file. */
async function settingsWith(there: Keys, own: Keys, system: Parameters<typeof readConfig>[1]): Promise<Settings> {
  const text = JSON.stringify({ transfer_method: "local", ...own });
  const read = () => Promise.resolve(new TextEncoder().encode(text));
  const file = system.platform === "windows" ? "C:\\config.yaml" : "/nowhere/config.yaml";
  return await readConfig(file, { ...system, read }, [{ name: "there", settings: there }]);
}

/** A home folder with a camera, a key, and links that lead to it. */
async function aHome(folder: TempFolder) {
  for (const made of ["camera/raw", "logs", "nas/deep", ".ssh", "state/work", "other"]) {
    await Deno.mkdir(folder.at(made), { recursive: true });
  }
  for (
    const [to, link] of [[".ssh", "camera/keys"], [".ssh", "nas/keys"], ["state", "camera/ours"], ["absent", "camera/later"], [
      "camera/raw",
      "camera/today",
    ]]
  ) {
    await Deno.symlink(folder.at(to!), folder.at(link!));
  }
  await Deno.symlink(folder.at("camera"), folder.at("another-name"));
  const system = { ...createSystem(), home: folder.path };
  const own = {
    state_directory: folder.at("state"),
    log_directory: folder.at("logs"),
    pocketbase: {
      ...SERVER,
      may_set: ["jobs"],
      may_watch: ["~/camera"],
      may_send_to: ["~/nas", "me@freya:/data", "nas2", "box:in"],
    },
  };
  return async (there: Keys, more: Keys = {}) => {
    const local = { transfer_method: "local", watch_path: "~/camera/raw", remote_base_path: "~/nas/deep" };
    const { jobs, held = [] } = await settingsWith({ ...local, ...there }, { ...own, ...more }, system);
    const [job] = held;
    if (job === undefined) return jobs.length === 1 ? "allowed" : "nothing";
    assertEquals(jobs, []);
    return job.refused ?? JSON.stringify([job.watch, job.sendTo]).replaceAll(folder.path, "~");
  };
}

const options = { ignore: Deno.build.os === "windows" };
const to = (remote_host: string, remote_base_path: string, more: Keys = {}) => ({
  transfer_method: "sftp",
  remote_host,
  remote_base_path,
  ...more,
});

Deno.test(
  "a job of the server is allowed where its folders and places are listed, however they are written",
  options,
  async () => {
    await using folder = await tempFolder();
    const verdict = await aHome(folder);
    for (
      const there of [
        {},
        { watch_path: folder.at("another-name/raw") },
        { watch_path: "~/camera/NIGHT", layout: "{night}/{path}" },
        { remote_base_path: "~/nas/new", layout: "deep/{header.OBJECT}/{stem}{ext}" },
        to("FREYA", "/data/m31", { remote_user: "me" }),
        to("nas2", "anywhere", { remote_user: "me" }),
        { transfer_method: "rclone", remote_base_path: "box:in/2026" },
        { file_patterns: ["$(touch pwned)*.fits"] },
      ]
    ) assertEquals(await verdict(there), "allowed", JSON.stringify(there));
  },
);

Deno.test("a job of the server waits where its folder or place is not listed", options, async () => {
  await using folder = await tempFolder();
  const verdict = await aHome(folder);
  assertEquals(await verdict({ watch_path: "~/other" }), '[["~/other"],[]]');
  assertEquals(await verdict({ watch_path: "~/camera-2" }), '[["~/camera-2"],[]]');
  assertEquals(await verdict({ remote_base_path: "~/other" }), '[[],["~/other"]]');
  assertEquals(await verdict(to("freya", "/data", { remote_user: "root" })), '[[],["root@freya:/data"]]');
  assertEquals(await verdict(to("freya", "/data")), '[[],["freya:/data"]]');
  assertEquals(await verdict(to("freya", "/database", { remote_user: "me" })), '[[],["me@freya:/database"]]');
  assertEquals(await verdict(to("nas23", "x")), '[[],["nas23:x"]]');
  assertEquals(await verdict(to("fe80::1", "x")), '[[],["[fe80::1]:x"]]');
  assertEquals(await verdict({ transfer_method: "rclone", remote_base_path: "BOX:in" }), '[[],["BOX:in"]]');
  // What the file itself sends to is no permission for a server.
  assertEquals(await verdict({ remote_base_path: "~/other" }, { remote_base_path: "~/other" }), '[[],["~/other"]]');
});

Deno.test("no line allows a job of the server a hidden folder, one of ours, or a link to either", options, async () => {
  await using folder = await tempFolder();
  const verdict = await aHome(folder);
  const refused: readonly [RegExp, Keys][] = [
    [/^watch_path .*\.ssh is in a hidden folder$/, { watch_path: "~/.ssh" }],
    [/^watch_path .*keys is in a hidden folder$/, { watch_path: "~/camera/keys" }],
    [/^watch_path .*keys\/sub is in a hidden folder$/, { watch_path: "~/another-name/keys/sub" }],
    [/^watch_path .* is in a hidden folder$/, { watch_path: "~/camera/NIGHT/.ssh" }],
    [/^watch_path .*ours .*image-transfer's own$/, { watch_path: "~/camera/ours" }],
    [/^watch_path .*work .*image-transfer's own$/, { watch_path: "~/state/work" }],
    [/^watch_path .* .*image-transfer's own$/, { watch_path: "~", remote_base_path: "/mnt/nas" }],
    [/^watch_path .*today leads through a link in a folder of may_watch; write .*raw instead$/, { watch_path: "~/camera/today" }],
    [/^watch_path .*logs .*image-transfer's own$/, { watch_path: "~/logs" }],
    [/^":sftp,ssh=touch x:" is not the name of a remote$/, { transfer_method: "rclone", remote: ":sftp,ssh=touch x:" }],
    [/^"box,ssh=touch x" is not the name of a remote$/, { transfer_method: "rclone", remote_base_path: "box,ssh=touch x:in" }],
    [/^file_mode lets others run files as this account$/, { file_mode: "4755" }],
    [/^watch_path .*later cannot be followed/, { watch_path: "~/camera/later" }],
    [/^remote_base_path .*keys is in a hidden folder$/, { remote_base_path: "~/nas/keys" }],
    [/^remote_base_path .* is left by a link/, { remote_base_path: "~/nas", layout: "keys/{stem}" }],
    [/^remote_base_path .*state .*image-transfer's own$/, { remote_base_path: "~/state" }],
    [/^remote_base_path \.ssh is in a hidden folder$/, to("nas2", ".ssh")],
    [/^remote_base_path \/root\/\.ssh is in a hidden folder$/, to("nas2", "/root/.ssh")],
    ...[".bashrc.d/{stem}.sh", "{ext}/{stem}", "a/{folder}.ssh/{name}", "{header.OBJECT|}.d/{name}", ".{stem}", "a\\.ssh\\{name}"]
      .map((
        layout,
      ): [RegExp, Keys] => [/^layout .* makes hidden/, { layout }]),
    [/^layout .* makes hidden/, to("nas2", "/data", { layout: ".ssh/{stem}" })],
  ];
  for (const [reason, there] of refused) assertMatch(await verdict(there), reason, JSON.stringify(there));
});

Deno.test("without may_set: [jobs] a job of the server waits, and the lines that allow it are those of the file's format", async () => {
  const { held = [], pocketbase, notes, jobs } = await settingsWith(
    { watch_path: "/data/raw", destinations: [{ ...to("freya", "/in", { remote_user: "me" }), name: "freya" }] },
    { pocketbase: { ...SERVER, may_watch: ["/data/old"] } },
    { ...aComputer(), read: () => Promise.reject(new Error("unused")) },
  );
  assertEquals(jobs, []);
  const lines = ['may_set: ["schedules", "jobs"]', 'may_watch: ["/data/old", "/data/raw"]', 'may_send_to: ["me@freya:/in"]'];
  assertEquals(permissionLines(held, pocketbase!, "yaml"), lines.map((line) => `  ${line}`));
  assertEquals(permissionLines(held, pocketbase!, "toml"), lines.map((line) => line.replace(":", " =")));
  assertEquals(notes.slice(-3), lines);
});

Deno.test("with may_set: [] the server decides nothing, and nothing waits for it", async () => {
  const system = { ...aComputer(), read: () => Promise.reject(new Error("unused")) };
  const there = { watch_path: "/data/raw", remote_base_path: "/mnt", schedule: { interval: "5m" } };
  const { jobs, held, notes } = await settingsWith(there, { pocketbase: { ...SERVER, may_set: [] } }, system);
  assertEquals([jobs, held, notes], [[], [], []]);
});

Deno.test("the value of an environment variable that a job of the server names is said nowhere", async () => {
  const system = { ...aComputer({ env: { FTP_PASSWORD: "geheim" } }), read: () => Promise.reject(new Error("unused")) };
  for (const remote_base_path of ["/in/$FTP_PASSWORD", "/in/${FTP_PASSWORD}"]) {
    const { jobs, held, notes } = await settingsWith({ watch_path: "/data", remote_base_path }, { pocketbase: SERVER }, system);
    assertEquals(jobs, []);
    assertMatch(notes.join(), /it uses an environment variable: \/in\/\$/);
    assert(!JSON.stringify([held, notes]).includes("geheim"));
  }
});

Deno.test("on Windows, case and separators do not matter, and short names of folders to come allow nothing", async () => {
  const there = new Map([["c:\\camera", "C:\\Camera"], ["c:\\camera\\keys~1", "C:\\Users\\a\\.ssh"], ["d:\\nas", "D:\\NAS"], [
    "c:\\",
    "C:\\",
  ]]);
  const system = {
    ...aComputer({ platform: "windows", home: "C:\\Users\\a", env: { LOCALAPPDATA: "C:\\Users\\a\\AppData\\Local" } }),
    realPath: (path: string) => Promise.resolve(there.get(path.toLowerCase()) ?? null),
    facts: () => Promise.resolve(null),
    read: () => Promise.reject(new Error("unused")),
  };
  const may = { may_set: ["jobs"], may_watch: ["c:/camera"], may_send_to: ["D:/nas"] };
  const verdict = async (watch_path: string, remote_base_path = "d:\\NAS\\x") => {
    const { held = [] } = await settingsWith({ watch_path, remote_base_path }, { pocketbase: { ...SERVER, ...may } }, system);
    return held[0]?.refused ?? held[0]?.watch ?? "allowed";
  };
  assertEquals(await verdict("C:/CAMERA\\raw"), "allowed");
  assertEquals(await verdict("C:\\Camera2"), ["C:\\Camera2"]);
  for (
    const path of [
      "c:/camera/KEYS~1",
      "c:/camera/.ssh",
      "c:/camera/ssh~1",
      "c:/camera/.ssh./x",
      "C:\\Users\\a\\AppData\\Local\\image-transfer\\run",
    ]
  ) {
    assertMatch(String(await verdict(path)), /^watch_path /, path);
  }
});
