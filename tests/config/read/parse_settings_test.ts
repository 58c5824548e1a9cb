/** Configurations that are fine, and what they mean. */
import type { Schedule } from "../../../src/domain/schedule.ts";
import { assert, assertEquals, assertExists } from "@std/assert";
import { type ConfigKind, parseSettings } from "../../../src/config/read/parse_settings.ts";
import { showConfig } from "../../../src/config/show/show.ts";
import { type Destination, type Job, loginOf, type Settings } from "../../../src/config/settings.ts";
import { aDestination } from "../../support/makers.ts";
import { aComputer } from "../a_computer.ts";

const BASE = "watch_path: /data\nremote_host: freya\nremote_base_path: /images\n";

function settingsOf(text: string, kind: ConfigKind = "yaml", computer = aComputer()): Settings {
  return parseSettings(text, `config.${kind}`, kind, computer);
}

function onlyJob(settings: Settings): Job {
  assertEquals(settings.jobs.length, 1);
  const [job] = settings.jobs;
  assertExists(job);
  return job;
}

function onlyDestination(settings: Settings): Destination {
  const { destinations } = onlyJob(settings);
  assertEquals(destinations.length, 1);
  const [destination] = destinations;
  assertExists(destination);
  return destination;
}

/** Each way to write a key, and what is read of it. */
function takes<T>(key: string, read: (settings: Settings) => T, ways: readonly (readonly [written: string, meaning: T])[]): void {
  for (const [written, meaning] of ways) {
    Deno.test(`parseSettings() takes ${key} ${written} for ${JSON.stringify(meaning)}`, () => {
      assertEquals(read(settingsOf(`${BASE}${key}: ${written}\n`)), meaning);
    });
  }
}

async function seed(name: string): Promise<string> {
  return await Deno.readTextFile(new URL(`../golden/seeds/${name}`, import.meta.url));
}

Deno.test("parseSettings() reads the example of seed 1 from Windows to Linux, on Windows and elsewhere", async () => {
  const text = await seed("windows_to_linux.yaml");
  const windows = aComputer({ platform: "windows", home: "C:\\Users\\Observer" });
  assertEquals(onlyJob(settingsOf(text, "yaml", windows)).watchPath, "C:\\Users\\Observer\\data\\images");
  const job = onlyJob(settingsOf(text));
  assertEquals([job.name, job.watchPath, job.filePatterns], ["default", "C:/Users/Observer/data/images", ["*.fits"]]);
  const { name, basePath, transport } = onlyDestination(settingsOf(text));
  assertEquals([name, basePath], ["freya", "/home/observer/data/images"]);
  assertEquals(transport, { method: "scp", host: "freya", user: "observer", port: null, compression: false });
});

Deno.test("parseSettings() reads the first configuration of seed 1", async () => {
  const destination = onlyDestination(settingsOf(await seed("first_config.yaml")));
  assertEquals([destination.verify, destination.retryAttempts, destination.retryDelayMs], ["checksum", 3, 5000]);
});

Deno.test("parseSettings() reads the example of seed 1 with rsync; its options are done anyway", async () => {
  const settings = settingsOf(await seed("linux_to_linux_rsync.yaml"));
  assertEquals(onlyJob(settings).watchPath, "/home/observer/telescope/images");
  const { transport } = onlyDestination(settings);
  assert(transport.method === "rsync");
  assertEquals([transport.host, transport.rsyncOptions], ["processing-server.local", []]);
});

Deno.test("parseSettings() reads the example of seed 1 on one machine; host and user are ignored", async () => {
  const { name, transport, basePath } = onlyDestination(settingsOf(await seed("local_transfer.yaml")));
  assertEquals([name, transport, basePath], ["local", { method: "local" }, "/home/observer/processing/inbox"]);
});

Deno.test("parseSettings() reads the whole of seed 2", async () => {
  const settings = settingsOf(await seed("sync_daemon.toml"), "toml");
  const { url, adminEmail, adminPassword, timeoutMs, retryAttempts, retryDelayMs, refreshMs } = settings.pocketbase!;
  assertEquals([url, adminEmail, adminPassword], ["http://localhost:8090", "admin@example.com", "admin123456"]);
  assertEquals([timeoutMs, retryAttempts, retryDelayMs, refreshMs], [30_000, 3, 5000, 300_000]);
  const job = onlyJob(settings);
  assertEquals([job.name, job.watchPath, job.filePatterns], ["documents", "/home/user/Documents", ["*"]]);
  assertEquals(job.excludePatterns, ["*.tmp", "*.log", ".git/*"]);
  assertEquals([job.ignoreHiddenFiles, job.recursive, job.debounceMs, job.rescanIntervalMs], [false, true, 1000, 300_000]);
  assertEquals(job.watchEvents, ["create", "write", "remove", "rename"]);
  const { name, transport, basePath, verify } = onlyDestination(settings);
  assertEquals([name, transport.method, basePath, verify], ["local", "local", "/backup/Documents", "checksum"]);
  assertEquals([settings.pidFile, settings.autoReload], ["/var/run/sync-daemon.pid", false]);
  assertEquals([settings.log.directory, settings.log.file, settings.log.level], ["/var/log", "sync-daemon.log", "info"]);
  assertEquals([settings.maxConcurrentSyncs, settings.maxFileOperations, settings.syncQueueSize], [4, 100, 1000]);
});

Deno.test("parseSettings() leaves out the jobs and watchers that seed 2 disables", () => {
  const settings = settingsOf(
    `
[[sync_jobs]]
id = "a"
source_path = "/a"
destination_path = "/sent/a"
enabled = false
[[sync_jobs]]
id = "b"
source_path = "/b"
destination_path = "/sent/b"
[[file_watchers]]
sync_job_id = "a"
[[file_watchers]]
sync_job_id = "b"
enabled = false
debounce_ms = 5
`,
    "toml",
  );
  assertEquals([onlyJob(settings).name, onlyJob(settings).debounceMs], ["b", 1000]);
});

Deno.test("parseSettings() fills in the defaults", () => {
  const settings = settingsOf(BASE);
  const { name: _name, destinations: _, ...job } = onlyJob(settings);
  assertEquals(job, {
    watchPath: "/data",
    filePatterns: ["*.fits", "*.fit", "*.fts", "*.fz", "*.fits.gz"],
    excludePatterns: [],
    newerThan: null,
    recursive: true,
    ignoreHiddenFiles: true,
    schedule: { kind: "continuous" },
    cooldownMs: 0,
    hooks: [],
    watchEvents: ["create", "write", "remove", "rename"],
    watchMode: "auto",
    debounceMs: 1000,
    rescanIntervalMs: 300_000,
    completeness: "auto",
    marker: "{name}.done",
    minFileAgeMs: 2000,
    incompleteAfterMs: 600_000,
    deliverIncomplete: false,
    verifySource: "warn",
    growingFiles: null,
    deleteSource: false,
    dryRun: false,
    night: { timezone: null, rollover: "12:00", siteLongitude: null },
  });
  const destination = aDestination({
    name: "freya",
    job: "default",
    transport: { method: "auto", host: "freya", user: null, port: null, compression: false, rsyncOptions: [] },
    basePath: "/images",
    parallelTransfers: 4,
    minimumFreeBytes: 2e9,
    copySafetyMarginBytes: 1e9,
  });
  assertEquals(onlyDestination(settings), destination);
  assertEquals(settings.log, {
    level: "info",
    directory: "/home/observer/logs",
    file: "image_transfer.log",
    maxBytes: 10_000_000,
    backupCount: 5,
    namesDestinations: false,
    format: "text",
  });
  assertEquals(settings.web, {
    host: "127.0.0.1",
    port: 9090,
    token: null,
    metricsToken: null,
    tlsCert: null,
    tlsKey: null,
    metrics: true,
  });
  assertEquals([settings.shutdownTimeoutMs, settings.autoReload, settings.pidFile], [20_000, true, null]);
});

Deno.test("parseSettings() lets a destination, its job and the top give keys, the nearest first", () => {
  const settings = settingsOf(`
retry_attempts: 1
remote_base_path: /images
parallel_transfers: 2
min_file_age_seconds: 9
jobs:
  - name: a
    watch_path: /a
    retry_attempts: 2
    destinations:
      - { remote_host: x, retry_attempts: 3 }
      - { remote_host: y }
  - name: b
    watch_path: /b
    remote_host: z
`);
  const seen = settings.jobs.map((job) =>
    job.destinations.map((one) => [one.name, one.retryAttempts, one.parallelTransfers, one.basePath])
  );
  assertEquals(seen, [[["x", 3, 2, "/images"], ["y", 2, 2, "/images"]], [["z", 1, 2, "/images"]]]);
  assertEquals(settings.jobs.map((job) => job.minFileAgeMs), [9000, 9000]);
});

Deno.test("parseSettings() takes destinations at the top for every job", () => {
  const settings = settingsOf(`
destinations: [{ remote_host: x, remote_base_path: /x }, { remote_host: y, remote_base_path: /y }]
jobs: [{ name: a, watch_path: /a }, { name: b, watch_path: /b }]
`);
  assertEquals(settings.jobs.map((job) => job.destinations.map((one) => `${one.job} ${one.name}`)), [["a x", "a y"], [
    "b x",
    "b y",
  ]]);
});

Deno.test("parseSettings() reads TOML with the same keys", () => {
  const settings = settingsOf(
    `
log_level = "WARN"
file_mode = 0o664
[[jobs]]
name = "spring"
watch_path = "C:/data"
[[jobs.destinations]]
name = "freya"
remote_host = "freya"
remote_base_path = "/images"
directory_mode = "0775"
`,
    "toml",
  );
  const { fileMode, directoryMode } = onlyDestination(settings);
  assertEquals([fileMode, directoryMode, settings.log.level], [0o664, 0o775, "warning"]);
});

const MODES = ["0664", "0o664", "664", '"0664"', '"664"', '"0o664"'];
takes("file_mode", (settings) => onlyDestination(settings).fileMode, MODES.map((written) => [written, 0o664]));

const AUTO: readonly (readonly [string, string, string | null])[] = [
  ["remote_host: localhost", "local", null],
  ["remote_host: localhost\nremote_user: me", "auto", "localhost"],
  ["remote_host: localhost\nremote_port: 2222", "auto", "localhost"],
  ["remote_host: localhost\ntransfer_method: rsync", "rsync", "localhost"],
  ["remote_host: 127.0.0.1", "auto", "127.0.0.1"],
  ["remote_host: '[fe80::1%eth0]'", "auto", "fe80::1%eth0"],
  ["transfer_method: local", "local", null],
  ["remote_host: 'ignored with local!'\ntransfer_method: LOCAL", "local", null],
];
for (const [keys, method, host] of AUTO) {
  Deno.test(`parseSettings() chooses ${method} for ${keys.replaceAll("\n", ", ")}`, () => {
    const destination = onlyDestination(settingsOf(`watch_path: /data\nremote_base_path: /images\n${keys}\n`));
    assertEquals([destination.transport.method, loginOf(destination.transport)?.host ?? null], [method, host]);
  });
}

const level = (settings: Settings) => onlyDestination(settings).verify;
takes("verify_transfer", level, [["true", "checksum"], ["false", "none"], ["SIZE", "size"]]);
takes("verify", level, [["size", "size"], ["none", "none"]]);
takes("comparison_method", level, [["checksum", "checksum"]]);

Deno.test("parseSettings() knows a level under another name above the job that has its own", () => {
  const settings = settingsOf(
    `verify: size\n${BASE}jobs:\n  - { name: a, watch_path: /a, verify_transfer: true }\n  - { name: b, watch_path: /b }\n`,
  );
  assertEquals(settings.jobs.map((job) => job.destinations[0]?.verify), ["checksum", "size"]);
});

const REMOTE_PATHS: readonly (readonly [string, string])[] = [
  ["/data/images/", "/data/images"],
  ["~/images", "images"],
  ["~", "."],
  ["$HOME/images", "images"],
  ["images//new/./x", "images/new/x"],
  ["$DATA/images", "/volumes/data/images"],
  ["${DATA}/images", "/volumes/data/images"],
  ["D:\\images\\new", "D:/images/new"],
  ["/", "/"],
];
for (const [written, basePath] of REMOTE_PATHS) {
  Deno.test(`parseSettings() takes remote_base_path ${written} for ${basePath}`, () => {
    const computer = aComputer({ env: { DATA: "/volumes/data", HOME: "/home/observer" } });
    const settings = settingsOf(`watch_path: /data\nremote_host: freya\nremote_base_path: '${written}'\n`, "yaml", computer);
    assertEquals(onlyDestination(settings).basePath, basePath);
  });
}

const NIGHTS: readonly (readonly [string, string, string, string])[] = [
  ["/data/NIGHT/raw", "{path}", "/data", "{night}/raw/{path}"],
  ["/data/NIGHT", "{stem}{ext}", "/data", "{night}/{stem}{ext}"],
  ["/NIGHT", "{path}", "/", "{night}/{path}"],
  ["NIGHT", "{path}", ".", "{night}/{path}"],
  ["/data/night_NIGHT", "{path}", "/data", "night_{night}/{path}"],
  ["/data/MIDNIGHT", "{path}", "/data/MIDNIGHT", "{path}"],
  ["/data", "NIGHT/{path}", "/data", "NIGHT/{path}"],
];
for (const [written, layout, basePath, result] of NIGHTS) {
  Deno.test(`parseSettings() takes ${written} with ${layout} for ${basePath} with ${result}`, () => {
    const settings = settingsOf(`watch_path: /images\nremote_host: freya\nremote_base_path: ${written}\nlayout: "${layout}"\n`);
    assertEquals([onlyDestination(settings).basePath, onlyDestination(settings).layout], [basePath, result]);
  });
}

const WATCHED: readonly (readonly [string, string, string | undefined])[] = [
  ["/data/NIGHT", "/data", "NIGHT"],
  ["/data/img_NIGHT/raw", "/data", "img_NIGHT/raw"],
  ["C:/data/NIGHT", "C:/data", "NIGHT"],
  ["/data/MIDNIGHT", "/data/MIDNIGHT", undefined],
];
for (const [written, folder, below] of WATCHED) {
  Deno.test(`parseSettings() watches ${written} as ${below ?? "all"} below ${folder}, and shows it as it was written`, () => {
    const computer = aComputer(written.startsWith("C:") ? { platform: "windows", home: "C:\\Users\\o" } : {});
    const text = `watch_path: ${written}\nremote_host: freya\nremote_base_path: /data\n`;
    const { jobs: [job], full } = parseSettings(text, "c", "yaml", computer);
    assertEquals([job?.watchPath.replaceAll("\\", "/"), job?.nightFolder], [folder, below]);
    const again = parseSettings(showConfig(full, "yaml"), "c", "yaml", computer).jobs[0];
    assertEquals([again?.watchPath, again?.nightFolder], [job?.watchPath, job?.nightFolder]);
  });
}

const OFF = [
  "growing_files: false",
  "web: false",
  "pocketbase: false",
  "schedule: continuous",
  "schedule: none",
  "schedule: false",
  "cooldown_seconds: 0",
  "hooks: []",
  "hooks: false",
  "delete_destination_files: false",
  "bandwidth_limit: false",
];
for (const keys of OFF) {
  Deno.test(`parseSettings() accepts ${keys}`, () => {
    assertEquals(settingsOf(`${BASE}${keys}\n`).web === null, keys.startsWith("web"));
  });
}

takes("rescan_interval", (settings) => onlyJob(settings).rescanIntervalMs, [
  ...[["300", 300_000], ['"300"', 300_000], ["5m", 300_000], ["1h", 3_600_000], ["90 s", 90_000]] as const,
  ["1.5h", 5_400_000],
]);

const MIDNIGHT = { since: "local", shownMs: Date.parse("2026-11-01") } as const;
const EVENING = { since: "local", shownMs: Date.parse("2026-11-01T18:00Z") } as const;
const WEEK = { since: "first_start", backMs: 604_800_000 } as const;
for (
  const [kind, written, expected] of [
    ["yaml", "2026-11-01", MIDNIGHT],
    ["yaml", '"2026-11-01"', MIDNIGHT],
    ["yaml", "2026-11-01 18:00", EVENING],
    ["yaml", "2026-11-01T18:00:00+01:00", { since: "moment", atMs: Date.parse("2026-11-01T17:00Z") }],
    ["yaml", "7d", WEEK],
    ["yaml", "Now", { since: "first_start", backMs: 0 }],
    ["yaml", "false", null],
    ["toml", "2026-11-01", MIDNIGHT],
    ["toml", '"2026-11-01"', MIDNIGHT],
    ["toml", "2026-11-01T18:00:00", EVENING],
    ["toml", "2026-11-01 18:00:00Z", { since: "moment", atMs: Date.parse("2026-11-01T18:00Z") }],
    ["toml", '"7d"', WEEK],
    ["toml", "false", null],
  ] as const
) {
  Deno.test(`parseSettings() takes newer_than ${written} in ${kind}`, () => {
    const assign = kind === "toml" ? "=" : ":";
    const text = Object.entries({
      watch_path: '"/data"',
      remote_host: '"freya"',
      remote_base_path: '"/images"',
      newer_than: written,
    })
      .map(([key, value]) => `${key} ${assign} ${value}\n`.replace(" :", ":")).join("");
    assertEquals(onlyJob(settingsOf(text, kind)).newerThan, expected);
  });
}

takes("bandwidth_limit", (settings) => onlyDestination(settings).bandwidthLimit, [
  ...[["10 MB/s", 10_000_000], ["500k", 500_000], ["1 MiB/s", 1_048_576], ["100 Mbit/s", 12_500_000]] as const,
  ...[["250000", 250_000], ["0", null], ["false", null]] as const,
]);

Deno.test("parseSettings() takes bandwidth_limit at the top for that of the line, and each other one for that of a destination", () => {
  const limits = (text: string) =>
    settingsOf(text).jobs.flatMap(({ destinations }) => destinations.map((each) => [each.lineLimit, each.bandwidthLimit]));
  const to = (host: string, more = "") => `{ remote_host: ${host}, remote_base_path: /data${more} }`;
  const list = `destinations: [${to("nas")}, ${to("freya", ", bandwidth_limit: 2 MB/s")}, ${to("localhost")}]`;
  const top = "bandwidth_limit: 5 MB/s\n";
  assertEquals(limits(`watch_path: /camera\n${top}${list}\n`), [[5e6, null], [5e6, 2e6], [null, null]]);
  // A destination that is written at the top has it as its own, too.
  assertEquals(limits(`watch_path: /camera\n${top}remote_host: localhost\nremote_base_path: /data\n`), [[null, 5e6]]);
  const job = `jobs: [{ name: a, watch_path: /camera, bandwidth_limit: 3 MB/s, ${list} }, { name: b, watch_path: /b, ${list} }]`;
  assertEquals(limits(`${top}${job}\n`), [
    ...[[5e6, 3e6], [5e6, 2e6], [null, 3e6]],
    ...[[5e6, null], [5e6, 2e6], [null, null]],
  ]);
});

Deno.test("parseSettings() takes a timetable of the bandwidth in the job's time zone", () => {
  const timetable =
    'bandwidth_limit: [{ from: "20:00", to: "6:00", limit: 2 MB/s }, { from: "06:00", to: "08:30", limit: false }]';
  const entries = [{ from: 1200, to: 360, limit: 2_000_000 }, { from: 360, to: 510, limit: null }];
  const limitOf = (more: string) => onlyDestination(settingsOf(`${BASE}${timetable}\n${more}`)).bandwidthLimit;
  assertEquals(limitOf(""), { timezone: null, entries });
  assertEquals(limitOf("night_timezone: Pacific/Honolulu\n"), { timezone: "Pacific/Honolulu", entries });
});

takes("web", ({ web }) => [web?.host, web?.port], [
  ["{ listen: 127.0.0.1:0 }", ["127.0.0.1", 0]],
  ["{ listen: 9191 }", ["127.0.0.1", 9191]],
  ["{ listen: localhost:80 }", ["localhost", 80]],
  ["{ listen: '[::1]:8080' }", ["::1", 8080]],
]);

Deno.test("parseSettings() takes a secret from the environment", () => {
  const computer = aComputer({ env: { PAGE_TOKEN: "0123456789abcdef" } });
  assertEquals(settingsOf(`${BASE}web: { token: $PAGE_TOKEN }\n`, "yaml", computer).web?.token, "0123456789abcdef");
});

const STATE: readonly (readonly ["linux" | "darwin" | "windows", string, Record<string, string>, string])[] = [
  ["linux", "/home/me", {}, "/home/me/.local/state/image-transfer"],
  ["linux", "/home/observer", { STATE_DIRECTORY: "/var/lib/image-transfer" }, "/var/lib/image-transfer"],
  ["darwin", "/Users/me", {}, "/Users/me/Library/Application Support/image-transfer"],
  ["windows", "C:\\Users\\me", { LOCALAPPDATA: "D:\\Local" }, "D:\\Local\\image-transfer"],
  ["windows", "C:\\Users\\me", {}, "C:\\Users\\me\\AppData\\Local\\image-transfer"],
];
for (const [platform, home, env, folder] of STATE) {
  Deno.test(`parseSettings() keeps its state in ${folder} on ${platform}`, () => {
    const text = BASE.replace("/data", platform === "windows" ? "C:/data" : "/data");
    assertEquals(settingsOf(text, "yaml", aComputer({ platform, home, env })).stateDirectory, folder);
  });
}

Deno.test("parseSettings() has the log name destinations where there are several, in one job or in all", () => {
  const destinations = (count: number) =>
    `destinations:\n${
      Array.from({ length: count }, (_, n) => `  - {name: d${n}, transfer_method: local, remote_base_path: /d${n}}\n`).join("")
    }`;
  const names = (text: string) => settingsOf(text).log.namesDestinations;
  const job = (name: string) => `  - {name: ${name}, watch_path: /${name}}\n`;
  assertEquals([names(`watch_path: /w\n${destinations(1)}`), names(`watch_path: /w\n${destinations(2)}`)], [false, true]);
  assertEquals(names(`${destinations(1)}jobs:\n${job("a")}${job("b")}`), true);
});

Deno.test("parseSettings() takes a log file with its folder", () => {
  const { log } = settingsOf(`${BASE}log_file: ~/elsewhere/it.log\n`);
  assertEquals([log.directory, log.file], ["/home/observer/elsewhere", "it.log"]);
});

Deno.test("parseSettings() takes a file with a byte order mark and Windows' line ends", () => {
  assertEquals(onlyJob(settingsOf(`\uFEFF${BASE.replaceAll("\n", "\r\n")}`)).watchPath, "/data");
  assertEquals(
    onlyJob(settingsOf('\uFEFFwatch_path = "/data"\r\nremote_host = "x"\r\nremote_base_path = "y"\r\n', "toml")).watchPath,
    "/data",
  );
});

Deno.test("parseSettings() takes anchors and merges of YAML, and tells the line of what they bring", () => {
  const text = `
jobs:
  - { name: a, watch_path: /a, destinations: [ &nas { remote_host: nas, remote_base_path: /x } ] }
  - { name: b, watch_path: /b, destinations: [ { <<: *nas, remote_base_path: /y } ] }
`;
  assertEquals(settingsOf(text).jobs.map((job) => job.destinations[0]?.basePath), ["/x", "/y"]);
});

/** Every way to write a schedule, those of the seeds included. */
const SCHEDULES: [about: string, text: string, schedule: Schedule][] = [
  ["manual", "schedule: manual", { kind: "manual" }],
  ["an interval", "schedule: { interval: 5m }", { kind: "interval", everyMs: 300_000 }],
  ["seed 4's hours", "schedule: { interval_hours: 2 }", { kind: "interval", everyMs: 7_200_000 }],
  ["cron with five fields", 'schedule: { cron: "0 6 * * *" }', { kind: "cron", pattern: "0 6 * * *", timezone: null }],
  ["cron in a time zone", 'schedule: { cron: "0 */10 6 * * *", timezone: America/Santiago }', {
    kind: "cron",
    pattern: "0 */10 6 * * *",
    timezone: "America/Santiago",
  }],
  ["the time zone of the night", 'night_timezone: Europe/Berlin\nschedule: { from: "06:00", to: "18:00" }', {
    kind: "window",
    from: "06:00",
    to: "18:00",
    timezone: "Europe/Berlin",
  }],
];

for (const [about, text, schedule] of SCHEDULES) {
  Deno.test(`parseSettings() reads a schedule: ${about}`, () => {
    assertEquals(onlyJob(settingsOf(`${BASE}${text}\n`)).schedule, schedule);
  });
}

const SEED_2 = '[[sync_jobs]]\nid = "documents"\nsource_path = "/a"\ndestination_path = "/b"\n[sync_jobs.schedule]\n';
const SEED_2_SCHEDULES: [text: string, schedule: Schedule][] = [
  ['type = "interval"\ninterval = "5m"', { kind: "interval", everyMs: 300_000 }],
  ['type = "cron"\nexpression = "0 */15 * * * *"', { kind: "cron", pattern: "0 */15 * * * *", timezone: null }],
  ['type = "cron"\nexpression = "0 0 2 * * MON"', { kind: "cron", pattern: "0 0 2 * * MON", timezone: null }],
  ['type = "manual"', { kind: "manual" }],
];

for (const [text, schedule] of SEED_2_SCHEDULES) {
  Deno.test(`parseSettings() reads seed 2's schedule: ${text.replace("\n", ", ")}`, () => {
    assertEquals(onlyJob(settingsOf(`${SEED_2}${text}\n`, "toml")).schedule, schedule);
  });
}
