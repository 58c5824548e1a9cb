/**
 * Makes what is released: `deno task release [TARGET…]`. For each target (all five, if none is named)
 * `dist/<target>/image-transfer[.exe]` and `dist/image-transfer-<version>-<target>.tar.gz` or `.zip`; and beside them the
 * install scripts, a bill of materials and `SHA256SUMS`. The same source gives the same bytes.
 *
 * The base runtime is the official one, which `deno compile` fetches by itself; `DENORT_BIN_<TARGET>` (in capitals, `_` for
 * `-`) names another, and `DENORT_BIN` one for the target of this machine.
 */
import { fromFileUrl, join } from "@std/path";
import { type Entry, tarGz, zip } from "./archive.ts";
import { build } from "./build.ts";
import { type Target, TARGETS, thisTarget } from "./permissions.ts";
import { type Graph, type Lock, sbom } from "./sbom.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;
const SCRIPTS = ["install.sh", "install.ps1"] as const;

/** Releases into `dist`; gives the files made there. */
export async function release(targets: readonly Target[] = TARGETS, dist = join(ROOT, "dist")): Promise<string[]> {
  const version: string = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json"))).version;
  const time = await commitTime();
  await Deno.mkdir(dist, { recursive: true });
  const common = [...await texts(), ...await completions()];
  const made: string[] = [];
  for (const target of targets) {
    const isWindows = target.includes("windows");
    const name = `image-transfer-${version}-${target}`;
    const program = join(dist, target, isWindows ? "image-transfer.exe" : "image-transfer");
    await Deno.mkdir(join(dist, target), { recursive: true });
    await withRuntime(target, () => build({ target, output: program, check: made.length === 0 }));
    const own = [
      { name: isWindows ? "image-transfer.exe" : "image-transfer", bytes: await Deno.readFile(program), mode: 0o755 },
      isWindows ? SERVICE_CMD : SERVICE_SH,
    ];
    const entries = [...own, ...common].map((entry) => ({ ...entry, name: `${name}/${entry.name}` }));
    const archive = `${name}${isWindows ? ".zip" : ".tar.gz"}`;
    await Deno.writeFile(join(dist, archive), await (isWindows ? zip : tarGz)(entries, time));
    made.push(archive);
  }
  const bill = `image-transfer-${version}.cdx.json`;
  await Deno.writeTextFile(join(dist, bill), sbom(version, await graphs(), await lock(), Deno.version.deno, time));
  for (const script of SCRIPTS) await Deno.copyFile(join(ROOT, "service", script), join(dist, script));
  made.push(bill, ...SCRIPTS);
  const sums = await Promise.all(made.sort().map(async (file) => `${await sha256(join(dist, file))}  ${file}\n`));
  await Deno.writeTextFile(join(dist, "SHA256SUMS"), sums.join(""));
  return [...made, "SHA256SUMS"];
}

/** The other name of the program, as the seed has it: `image-transfer-service --install`. */
const SERVICE_SH: Entry = {
  name: "image-transfer-service",
  bytes: new TextEncoder().encode(`#!/bin/sh
program="$(dirname -- "$0")/image-transfer"
case "\${1:-}" in
  --install | --uninstall) exec "$program" "$@" ;;
  "") exec "$program" service --help ;;
  *) exec "$program" service "$@" ;;
esac
`),
  mode: 0o755,
};
const SERVICE_CMD: Entry = {
  name: "image-transfer-service.cmd",
  bytes: new TextEncoder().encode(
    [
      "@echo off",
      'if "%~1"=="--install" goto direct',
      'if "%~1"=="--uninstall" goto direct',
      '"%~dp0image-transfer.exe" service %*',
      "exit /b %errorlevel%",
      ":direct",
      '"%~dp0image-transfer.exe" %*',
      "exit /b %errorlevel%",
      "",
    ].join("\r\n"),
  ),
  mode: 0o755,
};

async function texts(): Promise<Entry[]> {
  const service: string[] = [];
  const docs: string[] = [];
  for await (const { name } of Deno.readDir(join(ROOT, "service"))) service.push(`service/${name}`);
  for await (const { name, isFile } of Deno.readDir(join(ROOT, "docs"))) if (isFile) docs.push(`docs/${name}`);
  return await Promise.all(
    ["README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md", "scripts/manage-daemon.ps1", ...docs.sort(), ...service.sort()].map(
      async (name) => ({
        name,
        bytes: await Deno.readFile(join(ROOT, name)),
        mode: name.endsWith(".sh") ? 0o755 : 0o644,
      }),
    ),
  );
}

async function completions(): Promise<Entry[]> {
  return await Promise.all(SHELLS.map(async (shell) => ({
    name: `completions/image-transfer.${shell === "powershell" ? "ps1" : shell}`,
    bytes: new TextEncoder().encode(await output(Deno.execPath(), ["run", "-A", "--no-check", "main.ts", "completions", shell])),
    mode: 0o644,
  })));
}

async function graphs(): Promise<Graph[]> {
  const roots = ["main.ts", "src/web/page/main.tsx"];
  return await Promise.all(roots.map(async (root) => JSON.parse(await output(Deno.execPath(), ["info", "--json", root]))));
}

async function lock(): Promise<Lock> {
  return JSON.parse(await Deno.readTextFile(join(ROOT, "deno.lock")));
}

/** When the source was committed, seconds since 1970 UTC: the time of everything in a release. */
async function commitTime(): Promise<number> {
  return Number(Deno.env.get("SOURCE_DATE_EPOCH") ?? await output("git", ["log", "-1", "--format=%ct"]));
}

/** Runs with `DENORT_BIN` as it has to be for a target, and puts it back. */
async function withRuntime(target: Target, run: () => Promise<unknown>): Promise<void> {
  const before = Deno.env.get("DENORT_BIN");
  const own = Deno.env.get(`DENORT_BIN_${target.toUpperCase().replaceAll("-", "_")}`) ??
    (target === thisTarget() ? before : undefined);
  const set = (value: string | undefined) =>
    value === undefined ? Deno.env.delete("DENORT_BIN") : Deno.env.set("DENORT_BIN", value);
  set(own);
  try {
    await run();
  } finally {
    set(before);
  }
}

async function sha256(path: string): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", await Deno.readFile(path))).toHex();
}

async function output(program: string, args: string[]): Promise<string> {
  const { success, stdout } = await new Deno.Command(program, { args, cwd: ROOT, stderr: "inherit" }).output();
  if (!success) throw new Error(`Cannot release: "${program} ${args.join(" ")}" failed, see above`);
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  const wrong = Deno.args.filter((arg) => !TARGETS.some((target) => target === arg));
  if (wrong.length > 0) throw new Error(`unknown target "${wrong.join(" ")}": ${TARGETS.join(", ")}`);
  const targets = TARGETS.filter((target) => Deno.args.length === 0 || Deno.args.includes(target));
  const files = await release(targets);
  Deno.stdout.writeSync(new TextEncoder().encode(files.map((file) => `dist/${file}\n`).join("")));
}
