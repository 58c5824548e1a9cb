// deno-lint-ignore-file no-console -- a program that talks to people
/**
 * The test command: finds out which real components are here, installs what it can (root on Debian), runs the
 * groups of tests, says which parts were left out and why, and ends with `N passed, N failed, N skipped`.
 *
 *     deno task test              every group but `binary`, `night` and the labs, which are run by name only
 *     deno task test faults       one group
 *
 * With `IMAGE_TRANSFER_TEST_REQUIRE=all` a missing component, and any skipped test, is a failure.
 * With `IMAGE_TRANSFER_TEST_TALLY=FILE` the counts of several calls add up in that file.
 *
 * @module
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
}

const GROUPS: Readonly<Record<string, Group>> = {
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
  },
  // These wait most of the time, for connections and time limits, and look at the processes that they have started.
  conformance: { paths: ["conformance"], run: { processes: 3 } },
  faults: { paths: ["faults"], run: { processes: 2 } },
  fleet: { paths: ["fleet"], run: { processes: 2 } },
  web: { paths: ["web"], run: "in turn" },
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
  const asked = Deno.args.length > 0 ? Deno.args : Object.keys(GROUPS).filter((name) => !GROUPS[name]!.byName);
  const unknown = asked.filter((name) => !(name in GROUPS));
  if (unknown.length > 0) {
    console.error(`No group of tests "${unknown.join(" ")}"; there are: ${Object.keys(GROUPS).join(" ")}`);
    return 2;
  }
  const missing = await install();
  let sum: Tally = await earlier();
  for (const name of asked) {
    console.log(`\n=== ${name}`);
    sum = add(sum, await runGroup(name));
  }
  if (strict) sum = add(sum, { ...NONE, failed: missing.length });
  const tally = Deno.env.get("IMAGE_TRANSFER_TEST_TALLY");
  if (tally) await Deno.writeTextFile(tally, JSON.stringify(sum));
  const { lines, code } = closing(sum, { missing, groups: Deno.args.length > 0 ? [] : byName(), strict });
  for (const line of lines) console.log(line);
  return code;
}

/** What is said in the end, and the exit code: what was left out and why, then the counts. `groups` are those not run. */
export function closing(
  sum: Tally,
  left: { readonly missing: readonly Component[]; readonly groups: readonly string[]; readonly strict: boolean },
): { readonly lines: readonly string[]; readonly code: number } {
  const required = left.strict ? " With IMAGE_TRANSFER_TEST_REQUIRE=all this is a failure." : "";
  const lines = [
    "",
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

async function runGroup(name: string): Promise<Tally> {
  const group = GROUPS[name]!;
  const paths = group.paths.map((path) => fromFileUrl(new URL(path, import.meta.url))).filter(exists);
  if (paths.length === 0) return NONE;
  if (typeof group.run === "string") {
    return (await runTests(paths, group.run === "parallel" ? ["--parallel"] : [], "inherit")).tally;
  }
  const left = paths.flatMap(testFiles).sort();
  let sum = NONE;
  const work = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      const { tally, output } = await runTests([file], [], "piped");
      // In one piece: it must not be mixed with that of others.
      for (let at = 0; at < output.length;) at += Deno.stdout.writeSync(output.subarray(at));
      sum = add(sum, tally);
    }
  };
  await Promise.all(Array.from({ length: group.run.processes }, work));
  return sum;
}

/** Runs tests in a process of their own; gives what it printed, unless that is inherited. */
async function runTests(
  paths: readonly string[],
  options: readonly string[],
  stdio: "inherit" | "piped",
): Promise<{ readonly tally: Tally; readonly output: Uint8Array }> {
  const report = await Deno.makeTempFile({ suffix: ".xml" });
  const args = ["test", "--allow-all", "--no-check", `--junit-path=${report}`, ...options, ...paths];
  const ended = await new Deno.Command(Deno.execPath(), { args, stdin: "null", stdout: stdio, stderr: stdio }).output();
  const counts = count(await Deno.readTextFile(report));
  await Deno.remove(report);
  const output = stdio === "inherit" ? new Uint8Array() : new Uint8Array([...ended.stdout, ...ended.stderr]);
  // A file that does not even load has no test in the report.
  const broken = { ...counts, failed: 1, failures: [`what is run from ${paths.join(" ")}`] };
  return { tally: ended.success || counts.failed > 0 ? counts : broken, output };
}

function testFiles(path: string): string[] {
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
