// deno-lint-ignore-file no-console -- a program that talks to people
/**
 * The test command: finds out which real components are here, installs what it can (root on Debian), runs the
 * groups of tests, says which parts were left out and why, and ends with `N passed, N failed, N skipped`.
 *
 *     deno task test              for who waits: of each group what takes minutes, and not tens of them
 *     deno task test all          every group but `binary`, `night` and the labs, which are run by name only
 *     deno task test faults       one group
 *
 * With `IMAGE_TRANSFER_TEST_REQUIRE=all` a missing component, and any skipped test, is a failure.
 * With `IMAGE_TRANSFER_TEST_TALLY=FILE` the counts of several calls add up in that file.
 */
import { fromFileUrl, join } from "@std/path";
import { type Component, COMPONENTS, FETCHED, UNPACKED, which } from "./support/needs.ts";

/**
 * A group of tests: where they are, how its files run (in one process, on all processors or one after the other; or each in a process
 * of its own, so many at a time), and what it needs where it is run by name only.
 */
interface Group {
  readonly paths: readonly string[];
  readonly run: "parallel" | "in turn" | { readonly processes: number };
  readonly byName?: string;
  readonly quick?: Quick;
}

/** What of a group is for who waits: these files, or all but those; of these the tests that are called so. */
interface Quick {
  readonly files?: readonly string[];
  readonly without?: readonly string[];
  readonly tests?: string;
}

export const GROUPS: Readonly<Record<string, Group>> = {
  unit: {
    paths: [
      "architecture_test.ts",
      "readme_test.ts",
      "support",
      "domain",
      "async",
      "formats",
      "system",
      "ledger",
      "config",
      "methods",
      "intake",
      "delivery",
      "events",
      "reports",
      "daemon",
      "services",
      "commands",
      "simulation",
    ],
    run: "parallel",
    // They start servers, cut lines, or let time limits pass.
    quick: {
      without: [
        "commands/completions_test.ts",
        "commands/demo/demo_test.ts",
        "commands/doctor_ftp_test.ts",
        "commands/doctor_rclone_test.ts",
        "commands/seeds/seeds_test.ts",
        "commands/spoilt_config_test.ts",
        "daemon/pipelines_test.ts",
        "delivery/outbox_outage_test.ts",
        "events/hooks/hooks_test.ts",
        "intake/intake_faults_test.ts",
        "intake/watch/lost_events_test.ts",
        "intake/watch/watch_job_test.ts",
        "methods/ftp/lying_server_test.ts",
        "methods/ftp/names_test.ts",
        "methods/rclone/rclone_test.ts",
        "methods/sftp/sftp_test.ts",
        "methods/shell/failed_flush_test.ts",
        "methods/ssh/long_line_test.ts",
        "methods/ssh/ssh_session_test.ts",
        "methods/tar/tar_test.ts",
        "reports/morning/report_html_test.ts",
        "reports/morning/report_schedule_test.ts",
        "system/files/walk_test.ts",
      ],
    },
  },
  // These wait most of the time, for connections and time limits, and look at the processes that they have started.
  conformance: {
    paths: ["conformance"],
    run: { processes: 3 },
    quick: {
      files: ["ftp_test.ts", "local_test.ts", "rclone_test.ts", "sftp_test.ts", "tar_test.ts"].map((name) =>
        `conformance/${name}`
      ),
      tests: "^(local|tar|sftp without a shell|ftp at vsftpd|rclone to S3) passes",
    },
  },
  faults: {
    paths: ["faults"],
    run: { processes: 3 },
    quick: {
      files: [
        "clock",
        "crash",
        "disk",
        "ledger",
        "login",
        "names",
        "neighbour",
        "power",
        "removal",
        "source",
        "state",
        "stop",
        "watch",
        "writers",
      ].map((name) => `faults/${name}_test.ts`),
      // Of those that are made for several methods, the two that most people use.
      tests: "^[^(]*($|\\((local|tar))",
    },
  },
  fleet: {
    paths: ["fleet"],
    run: { processes: 3 },
    quick: { files: ["heartbeat", "outage", "remote_commands", "server", "setup"].map((name) => `fleet/${name}_test.ts`) },
  },
  web: {
    paths: ["web"],
    run: "in turn",
    quick: {
      without: ["connection", "history", "images", "night", "now", "views"].map((name) => `web/page_${name}_test.ts`),
    },
  },
  binary: { paths: ["binary"], run: "in turn", byName: "it builds programs, which takes minutes" },
  night: { paths: ["night"], run: "in turn", byName: "it takes hours and 20 GB, and is meant for deno task night" },
  labs: { paths: ["labs"], run: "in turn", byName: "it needs the built program, and machines with systemd and Windows" },
};

/** How tests came out; `names` are those of the skipped ones, `failures` those of the failed ones. */
interface Tally {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  readonly names: readonly string[];
  readonly failures: readonly string[];
}

const NONE: Tally = { passed: 0, failed: 0, skipped: 0, names: [], failures: [] };

async function main(): Promise<number> {
  const strict = Deno.env.get("IMAGE_TRANSFER_TEST_REQUIRE") === "all";
  const isQuick = Deno.args.length === 0;
  const isGeneral = isQuick || Deno.args[0] === "all";
  const asked = isGeneral ? Object.keys(GROUPS).filter((name) => !GROUPS[name]!.byName) : Deno.args;
  const unknown = asked.filter((name) => !(name in GROUPS));
  if (unknown.length > 0) {
    console.error(`No group of tests "${unknown.join(" ")}"; there are: all ${Object.keys(GROUPS).join(" ")}`);
    return 2;
  }
  const missing = await install();
  let sum: Tally = await earlier();
  const runEach = async (names: readonly string[]) => {
    for (const name of names) {
      console.log(`\n=== ${name}`);
      const tally = await runGroup(GROUPS[name]!, isQuick ? GROUPS[name]!.quick : undefined);
      sum = add(sum, tally); // Read when it has ended: others add meanwhile.
    }
  };
  const isBusy = (name: string) => isGeneral && name === "unit";
  // A browser gives up where the processors are busy with other tests.
  const isLast = (name: string) => isGeneral && name === "web";
  // Beside those that keep the processors busy, those that wait.
  await Promise.all([runEach(asked.filter(isBusy)), runEach(asked.filter((name) => !isBusy(name) && !isLast(name)))]);
  await runEach(asked.filter(isLast));
  if (strict) sum = add(sum, { ...NONE, failed: missing.length });
  const tally = Deno.env.get("IMAGE_TRANSFER_TEST_TALLY");
  if (tally) await Deno.writeTextFile(tally, JSON.stringify(sum));
  const { lines, code } = closing(sum, { missing, groups: isGeneral ? byName() : [], isQuick, strict });
  for (const line of lines) console.log(line);
  return code;
}

/** What is said in the end, and the exit code: what was left out and why, then the counts. `groups` are those not run. */
export function closing(
  sum: Tally,
  left: {
    readonly missing: readonly Component[];
    readonly groups: readonly string[];
    readonly isQuick?: boolean;
    readonly strict: boolean;
  },
): { readonly lines: readonly string[]; readonly code: number } {
  const required = left.strict ? " With IMAGE_TRANSFER_TEST_REQUIRE=all this is a failure." : "";
  const lines = [
    "",
    ...left.isQuick
      ? ["Not run: what takes long, such as most methods under most faults; run it too with: deno task test all"]
      : [],
    ...left.groups.map((name) => `Not run: the group ${name} (${GROUPS[name]?.byName}); run it with: deno task test ${name}`),
    ...left.missing.map(({ tests, packages, lacks }) =>
      `Left out: ${tests} (not found: ${lacks ?? packages.join(", ")}).${required}`
    ),
    ...sum.names.map((name) => `Skipped: ${name}.${required}`),
    ...sum.failures.map((name) => `Failed: ${name}`),
    `${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`,
  ];
  return { lines, code: sum.failed > 0 || (left.strict && sum.skipped + left.missing.length > 0) ? 1 : 0 };
}

function byName(): string[] {
  return Object.keys(GROUPS).filter((name) => GROUPS[name]!.byName);
}

/** Installs what is missing where that is possible; returns what is still missing. */
async function install(): Promise<Component[]> {
  const missing = () => Object.values<Component>(COMPONENTS).filter((component) => !component.found());
  const first = missing();
  if (which("apt-get") && Deno.uid() === 0) await installPackages(first);
  // What is fetched is fetched by programs that may have just been installed.
  for (const { fetch } of first) for (const command of fetch ?? []) await get(command);
  return missing();
}

async function installPackages(components: readonly Component[]): Promise<void> {
  const packages = [...new Set(components.flatMap((component) => component.packages))];
  const unpacked = components.flatMap(({ unpacked }) => unpacked ?? []);
  if (packages.length + unpacked.length === 0) return;
  console.log(`Installing ${packages.join(" ")} …`);
  await apt("update", "-qq");
  const install = ["install", "-y", "-qq", "--no-install-recommends"];
  if (!await apt(...install, ...packages)) {
    // One package that this system does not have must not keep all others out.
    for (const component of components) if (component.packages.length > 0) await apt(...install, ...component.packages);
  }
  if (unpacked.length > 0) await unpack(unpacked);
}

/** Fetches packages and unpacks them without installing them. */
async function unpack(packages: readonly string[]): Promise<void> {
  const folder = await Deno.makeTempDir();
  const script =
    'cd "$1" && shift && into="$1" && shift && apt-get download -qq "$@" && for each in *.deb; do dpkg-deb -x "$each" "$into"; done';
  await Deno.mkdir(UNPACKED, { recursive: true });
  const args = ["-c", script, "sh", folder, UNPACKED, ...packages];
  await new Deno.Command("sh", { args, stdout: "null", stderr: "inherit" }).output();
  await Deno.remove(folder, { recursive: true });
}

/** Where the program that gets it is missing, it stays missing. */
async function get([program, ...args]: readonly string[]): Promise<void> {
  if (!program || !which(program)) return;
  console.log(`Getting ${args.at(-1)} …`);
  await new Deno.Command(program, { args, env: { GOBIN: `${FETCHED}/go/bin` }, stdout: "null", stderr: "inherit" }).output();
}

async function apt(...args: string[]): Promise<boolean> {
  const env = { DEBIAN_FRONTEND: "noninteractive" };
  return (await new Deno.Command("apt-get", { args, env, stdout: "null", stderr: "inherit" }).output()).success;
}

async function runGroup({ paths, run }: Group, quick: Quick = {}): Promise<Tally> {
  const here = (path: string) => fromFileUrl(new URL(path, import.meta.url));
  const without = new Set(quick.without?.map(here));
  const files = (quick.files ?? paths).map(here).filter(exists).flatMap(testFiles).filter((file) => !without.has(file)).sort();
  if (files.length === 0) return NONE;
  if (typeof run === "string") return (await runTests(files, { run, tests: quick.tests })).tally;
  const left = [...files];
  let sum = NONE;
  const work = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      const { tally, output } = await runTests([file], { run, tests: quick.tests });
      // In one piece: it must not be mixed with that of others.
      for (let at = 0; at < output.length;) at += Deno.stdout.writeSync(output.subarray(at));
      sum = add(sum, tally);
    }
  };
  await Promise.all(Array.from({ length: run.processes }, work));
  return sum;
}

/** What tests import must have the hashes that are written there. */
const LOCK: readonly string[] = [`--lock=${fromFileUrl(new URL("deno.lock", import.meta.url))}`, "--frozen"];

/** Files that run in parallel: more than there are processors, as tests wait most of the time. */
const JOBS = navigator.hardwareConcurrency + 1;

/** Runs tests in a process of their own, or only those that are called so; gives what it printed where many processes run at a time. */
async function runTests(
  paths: readonly string[],
  { run, tests }: { readonly run: Group["run"]; readonly tests: string | undefined },
): Promise<{ readonly tally: Tally; readonly output: Uint8Array }> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const args = ["test", ...LOCK, "--allow-all", "--no-check", `--junit-path=${report}`, ...paths];
  if (run === "parallel") args.push("--parallel");
  if (tests !== undefined) args.push(`--filter=/${tests}/`);
  const stdio = typeof run === "string" ? "inherit" : "piped";
  const env = { DENO_JOBS: String(JOBS) };
  const ended = await new Deno.Command(Deno.execPath(), { args, env, stdin: "null", stdout: stdio, stderr: stdio }).output();
  const counts = chosen(count(await Deno.readTextFile(report)), new RegExp(tests ?? ""));
  await Deno.remove(report);
  const output = stdio === "inherit" ? new Uint8Array() : new Uint8Array([...ended.stdout, ...ended.stderr]);
  // A file that does not even load has no test in the report; neither has one whose tests are called otherwise by now.
  const isRun = counts.failed > 0 || (ended.success && (tests === undefined || counts.passed + counts.skipped > 0));
  const broken = { ...counts, failed: 1, failures: [`what is run from ${paths.join(" ")}`] };
  return { tally: isRun ? counts : broken, output };
}

/** Without the tests that were not asked for: the report has them as skipped. */
export function chosen(tally: Tally, tests: RegExp): Tally {
  const names = tally.names.filter((name) => tests.test(name));
  return { ...tally, names, skipped: tally.skipped - (tally.names.length - names.length) };
}

function testFiles(path: string): string[] {
  if (Deno.statSync(path).isFile) return [path];
  return [...Deno.readDirSync(path)].flatMap(({ name, isDirectory }) => {
    if (isDirectory) return testFiles(join(path, name));
    return name.endsWith("_test.ts") ? [join(path, name)] : [];
  });
}

/** Reads the totals of a JUnit report, and which tests were skipped or failed. */
export function count(xml: string): Tally {
  const total = (name: string) =>
    [...xml.matchAll(new RegExp(`<testsuite [^>]*\\b${name}="(\\d+)"`, "g"))].reduce((sum, match) => sum + Number(match[1]), 0);
  const failed = total("failures") + total("errors");
  const skipped = total("disabled") + total("skipped");
  const named = (how: string) =>
    [...xml.matchAll(new RegExp(`<testcase name="([^"]*)"[^>]*>\\s*<(?:${how})\\b`, "g"))].map((match) => plain(match[1]!));
  return {
    passed: total("tests") - failed - skipped,
    failed,
    skipped,
    names: named("skipped"),
    failures: named("failure|error"),
  };
}

/** Without the entities of XML. */
function plain(text: string): string {
  return text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => ENTITIES[name] ?? "");
}

const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };

async function earlier(): Promise<Tally> {
  const file = Deno.env.get("IMAGE_TRANSFER_TEST_TALLY");
  if (!file || !exists(file)) return NONE;
  return JSON.parse(await Deno.readTextFile(file));
}

function add(a: Tally, b: Tally): Tally {
  return {
    passed: a.passed + b.passed,
    failed: a.failed + b.failed,
    skipped: a.skipped + b.skipped,
    names: [...a.names, ...b.names],
    failures: [...a.failures, ...b.failures],
  };
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

if (import.meta.main) Deno.exit(await main());
