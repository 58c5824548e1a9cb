/** What doctor finds out for a service: hooks, schedules, the clock and the space of destinations. */
import { assertEquals, assertMatch } from "@std/assert";
import { checkDestination, clockAhead, nightsLeft } from "../../src/commands/checks/check_destination.ts";
import type { Finding } from "../../src/commands/checks/finding.ts";
import { checkSchedule } from "../../src/commands/checks/check_job.ts";
import { loadSettings } from "../../src/config/read/load.ts";
import { openLedger } from "../../src/ledger/sqlite/open_ledger.ts";
import { anAdmission, NOW, proven } from "../ledger/makers.ts";
import { install } from "../support/daemon_process.ts";
import { aDestination } from "../support/makers.ts";
import { type TempFolder, tempFolder } from "../support/temp.ts";
import { testTools } from "../support/tools.ts";

async function doctor(folder: TempFolder, config: Record<string, unknown> = {}, env: Record<string, string> = {}) {
  for (const name of ["images", "nas"]) await Deno.mkdir(folder.at(name), { recursive: true });
  const { command } = await install(folder.path, {
    watch_path: folder.at("images"),
    transfer_method: "local",
    remote_base_path: folder.at("nas"),
    minimum_free_space_gb: 0,
    ...config,
  });
  const { code, stdout } = await command(["doctor", "--json"], env);
  const findings: Finding[] = JSON.parse(stdout);
  return { code, findings, lines: findings.map(({ level, what }) => `${level}: ${what.replaceAll(folder.path, "")}`) };
}

Deno.test("doctor asks webhooks whether they are there, without a message; a program is not started", async () => {
  await using folder = await tempFolder();
  const asked: string[] = [];
  const end = new AbortController();
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, signal: end.signal, onListen() {} }, (request) => {
    const { pathname } = new URL(request.url);
    asked.push(`${request.method} ${pathname}`);
    if (pathname === "/moved") return new Response(null, { status: 308, headers: { location: "/good" } });
    return new Response(null, { status: pathname === "/good" ? 405 : 404 });
  });
  const { port } = server.addr;
  using closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const away = closed.addr.port;
  closed.close();
  await folder.write("started", "");
  const script = await folder.write("bin/image-transfer-hook", `#!/bin/sh\necho x >> ${folder.at("started")}\n`);
  await Deno.chmod(script, 0o755);
  await folder.write("bin/not-executable", "#!/bin/sh\n");
  const url = (path: string) => ({ on: ["held"], url: `http://127.0.0.1:${port}/${path}` });
  const { code, lines } = await doctor(folder, {
    hooks: [
      url("good"),
      url("gone?token=secret"),
      url("moved"),
      { on: ["failed"], url: `http://127.0.0.1:${away}/secret` },
      { on: ["delivered"], command: [script] },
      { on: ["ready"], command: [folder.at("bin/not-executable")] },
      { on: ["ready"], command: [script], working_directory: folder.at("nowhere") },
    ],
  });
  end.abort();
  await server.finished;
  const hooks = lines.filter((line) => / hook on /.test(line));
  assertEquals(asked.toSorted(), ["HEAD /gone", "HEAD /good", "HEAD /moved"]);
  assertEquals(await Deno.readTextFile(folder.at("started")), "");
  assertEquals(hooks.filter((line) => !line.includes(`:${away}`)), [
    `ok: A hook on held posts to 127.0.0.1:${port}, which responds`,
    `warning: The hook on held cannot post to 127.0.0.1:${port}: it responded with status 404`,
    `warning: The hook on held cannot post to 127.0.0.1:${port}: it redirects to another address`,
    `ok: A hook on delivered starts /bin/image-transfer-hook`,
    'fault: The hook on ready cannot start "/bin/not-executable": there is no such program',
    'fault: The hook on ready cannot start "/bin/image-transfer-hook": its working_directory "/nowhere" is not a folder',
  ]);
  const [refused] = hooks.filter((line) => line.includes(`:${away}`));
  assertMatch(refused ?? "", /^warning: The hook on failed cannot post to 127\.0\.0\.1:\d+: /);
  assertEquals([refused?.includes("secret"), code], [false, 1]);
});

Deno.test("checkSchedule() tells when files are sent next, and doubts a cron expression that waits for long", () => {
  const job = (schedule: Parameters<typeof checkSchedule>[0]["schedule"]) => ({
    name: "spring",
    schedule,
    destinations: [aDestination()],
  });
  const now = Date.UTC(2026, 10, 20, 12);
  const told = (schedule: Parameters<typeof checkSchedule>[0]["schedule"]) =>
    checkSchedule(job(schedule), now).map(({ level, what }) => `${level}: ${what}`);
  assertEquals(told({ kind: "continuous" }), []);
  assertEquals(told({ kind: "manual" }), ["ok: Files are sent only when you run: image-transfer sync spring"]);
  assertEquals(told({ kind: "interval", everyMs: 300_000 }), [
    "ok: Files are sent every 5 minutes, first when the daemon starts",
  ]);
  const [window] = told({ kind: "window", from: "06:00", to: "18:00", timezone: "UTC" });
  assertMatch(
    window ?? "",
    /^ok: Files are sent between 06:00 and 18:00 \(UTC\): now, until 2026-11-20 \d\d:00:00 \(this computer's time\)$/,
  );
  const [cron] = told({ kind: "cron", pattern: "0 6 * * *", timezone: "UTC" });
  assertMatch(cron ?? "", /^ok: Next runs \(UTC\): 2026-11-21 \S+, 2026-11-22 \S+, 2026-11-23 \S+ \(this computer's time\)$/);
  const [own] = told({ kind: "cron", pattern: "0 6 * * *", timezone: null });
  assertMatch(own ?? "", /^ok: Next runs: \S+ 06:00:00, \S+ 06:00:00, \S+ 06:00:00$/);
  const [leap] = told({ kind: "cron", pattern: "0 6 29 2 *", timezone: "UTC" });
  assertMatch(leap ?? "", /^warning: Next runs \(UTC\): 2028-02-29/);
});

Deno.test("clockAhead() tells what is certain: whole seconds and the time that the question took are allowed for", () => {
  assertEquals(clockAhead(10_000, 10_200, 10_300), 0);
  assertEquals(clockAhead(10_250, 10_200, 10_300), 0);
  assertEquals(clockAhead(15_000, 10_200, 10_300), 4_700);
  assertEquals(clockAhead(5_000, 10_200, 10_300), -4_201);
  assertEquals(clockAhead(10_000, 9_000, 30_000), 0);
});

Deno.test("doctor compares the clock of a destination with this computer's", async () => {
  await using dir = await tempFolder();
  for (const name of ["images", "nas"]) await Deno.mkdir(dir.at(name));
  await dir.write(
    "c.yaml",
    `watch_path: ${dir.at("images")}\ntransfer_method: local\nremote_base_path: ${dir.at("nas")}\nminimum_free_space_gb: 0\n`,
  );
  const clocks = async (shift: number) => {
    const tools = testTools(dir.path, { system: { now: () => Date.now() + shift } });
    const settings = { ...await loadSettings("c.yaml", dir.path, tools.system), stateDirectory: dir.at("state") };
    const findings = await checkDestination(settings.jobs[0]!.destinations[0]!, settings, tools);
    return findings.filter(({ what }) => /clock/.test(what)).map(({ level, what, hint }) => [level, what, hint.includes("NTP")]);
  };
  assertEquals(await clocks(0), [["ok", "Its clock agrees with this computer's", false]]);
  assertEquals(await clocks(10_000), [["warning", "Its clock is 10 s behind this computer's", true]]);
  assertEquals(await clocks(-10_000), [["warning", "Its clock is 10 s ahead of this computer's", true]]);
});

Deno.test("doctor says how a destination is audited, and that without hashes only sizes are compared", async () => {
  await using folder = await tempFolder();
  const { lines } = await doctor(folder, { audit: "repair" });
  assertEquals(lines.filter((line) => /audit/i.test(line)), ["ok: Audit: starts when nothing is being sent, with repair"]);
  const { lines: unproven } = await doctor(folder, { audit: true, verify_transfer: "size" });
  assertEquals(unproven.filter((line) => /audit/i.test(line)), [
    "warning: Audits can compare only sizes here: verify_transfer is size, so no hash is recorded",
  ]);
});

Deno.test("nightsLeft() divides the free space by what the last nights took; nothing without history", async () => {
  await using dir = await tempFolder();
  using ledger = openLedger(dir.path);
  const place = aDestination({ minimumFreeBytes: 1000 });
  assertEquals(nightsLeft(place, 9000, ledger), null);
  for (const night of ["20240517", "20240518"]) {
    const [one] = ledger.admit([{ ...anAdmission(`${night}.fits`, { size: 2000 }, ["nas"]), night }], NOW);
    ledger.record([proven(one!)], NOW);
  }
  assertEquals([nightsLeft(place, 9000, ledger), nightsLeft(place, 500, ledger)], [4, 0]);
  assertEquals(nightsLeft({ ...place, name: "other" }, 9000, ledger), null);
});
