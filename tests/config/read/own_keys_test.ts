/** What a job of a server keeps of the job of the same name in the file. */
import { assertEquals } from "@std/assert";
import { readConfig } from "../../../src/config/read/load.ts";
import { forServer } from "../../../src/config/read/remote_jobs.ts";
import { writtenJobs } from "../../../src/config/show/show.ts";
import { createSystem } from "../../../src/system/create_system.ts";

type Keys = Readonly<Record<string, unknown>>;

const SERVER = {
  ...{ url: "https://pb.example", admin_email: "a@example.org", admin_password: "x" },
  ...{ may_set: ["jobs"], may_watch: ["/data", "/other"], may_send_to: ["/mnt", "freya", "thief"] },
};
const FTPS = { name: "freya", transfer_method: "ftps", remote_host: "freya", remote_user: "me", remote_base_path: "/in" };
const CAMERA = {
  name: "camera",
  watch_path: "/data",
  hooks: [{ on: ["held"], command: ["notify"] }],
  delete_source: true,
  destinations: [{ ...FTPS, password: "secret-word", tls_ca: "/etc/ca.pem" }, {
    name: "disk",
    transfer_method: "local",
    remote_base_path: "/mnt",
  }],
};

/** What the file's jobs are once the server has them, and what it says of them; `change` is what somebody does there. */
async function pushedAndRead(
  jobs: readonly Keys[] | null,
  change: (settings: Keys) => Keys = (settings) => settings,
  top: Keys = {},
) {
  const text = JSON.stringify({ ...top, ...jobs === null ? {} : { jobs }, pocketbase: SERVER });
  const system = { ...createSystem(), read: () => Promise.resolve(new TextEncoder().encode(text)) };
  const { full } = await readConfig("/nowhere/config.yaml", system, []);
  const pushed = writtenJobs(full).map((job) => ({ name: job.name, settings: change(forServer(job).kept) }));
  const settings = await readConfig("/nowhere/config.yaml", system, JSON.parse(JSON.stringify(pushed)));
  const [job] = settings.jobs;
  const [first, second] = job!.destinations;
  return {
    hooks: job!.hooks.length,
    deletes: job!.deleteSource,
    mirrors: second?.deleteDestinationFiles,
    password: "password" in first!.transport ? first!.transport.password : null,
    held: settings.held?.length,
    notes: settings.notes,
  };
}

const ALL = { hooks: 1, deletes: true, mirrors: false, password: "secret-word", held: 0, notes: [] };

Deno.test("a job that was pushed keeps what only the file has, also with another schedule", async () => {
  assertEquals(await pushedAndRead([CAMERA]), ALL);
  assertEquals(await pushedAndRead([CAMERA], (settings) => ({ ...settings, schedule: { interval: "5m" } })), ALL);
  // The name of the record counts.
  assertEquals(await pushedAndRead([CAMERA], (settings) => ({ ...settings, name: "other" })), ALL);
});

Deno.test("a mirror that was pushed stays one, and is none with another layout", async () => {
  const [first, second] = CAMERA.destinations;
  const mirror = { ...CAMERA, delete_source: false, destinations: [first, { ...second, delete_destination_files: true }] };
  assertEquals((await pushedAndRead([mirror])).mirrors, true);
  const { mirrors, notes } = await pushedAndRead([mirror], (settings) => ({ ...settings, layout: "{job}/{name}" }));
  assertEquals([mirrors, notes.length], [false, 1]);
});

Deno.test("so does the only job of a file without a list", async () => {
  const { name: _name, ...top } = CAMERA;
  assertEquals(await pushedAndRead(null, undefined, top), ALL);
});

for (
  const [what, change] of Object.entries<(settings: Keys) => Keys>({
    "reads elsewhere": (settings) => ({ ...settings, watch_path: "/other" }),
    "wants other files": (settings) => ({ ...settings, file_patterns: ["*"] }),
  })
) {
  Deno.test(`a job that ${what} deletes nothing, keeps hooks and the password, and the file says so`, async () => {
    assertEquals(await pushedAndRead([CAMERA], change), {
      ...{ ...ALL, deletes: false },
      notes: ["the server's job camera is no longer that of the file: it does without delete_source"],
    });
  });
}

Deno.test("a password goes to no other server, port or account", async () => {
  for (const elsewhere of [{ remote_host: "thief" }, { remote_port: 2121 }, { transfer_method: "ftp" }, { remote_user: "you" }]) {
    const { password, notes } = await pushedAndRead([CAMERA], (settings) => ({
      ...settings,
      destinations: [{ ...FTPS, ...elsewhere }],
    }));
    assertEquals(
      [password, notes.filter((note) => note.includes("password, tls_ca")).length],
      [null, 1],
      JSON.stringify(elsewhere),
    );
  }
});
