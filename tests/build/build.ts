/**
 * Makes the one binary: `deno task build [--target T] [--output P] [--main M]`. It checks, bundles, and compiles with explicit permission
 * lists, using the Deno that runs it (and the base runtime in `DENORT_BIN`, when set). Two builds of one source are the same, byte by byte.
 */
import { basename, fromFileUrl, join, resolve } from "@std/path";
import { createSystem } from "../../src/system/create_system.ts";
import { buildPage } from "../../src/web/server/page_files.ts";
import { V8_FLAGS } from "./v8_flags.ts";
import { permissionArguments, type Target, TARGETS, thisTarget } from "./permissions.ts";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));

/** Modules that run in Workers: each is bundled by itself and stands beside the main bundle, see `workerUrl`. */
const WORKERS: readonly string[] = [
  "src/system/files/file_worker.ts",
  "src/system/processes/start_worker.ts",
  "src/system/watching/watch_worker.ts",
  "src/web/api/preview_worker.ts",
];
/** Folders embedded as they are. */
const EMBEDDED: readonly string[] = ["service"];
/** Packages of the CommonJS kind call `require`, which a module does not have; for `__held` see {@linkcode bundle}. */
const BANNER = `import{createRequire as __cr}from"node:module";const require=__cr(import.meta.url),__held=()=>{};\n`;

/** What the program consists of must have the hashes that are written there. */
const LOCK: readonly string[] = [`--lock=${join(ROOT, "deno.lock")}`, "--frozen"];

interface BuildOptions {
  readonly target?: Target;
  /** `./image-transfer`, with `.exe` for Windows, unless given. */
  readonly output?: string;
  /** `main.ts` unless given (tests build small programs of their own). */
  readonly main?: string;
  /** Type check first (true). */
  readonly check?: boolean;
}

/** Builds, and gives the path of the binary. */
export async function build(options: BuildOptions = {}): Promise<string> {
  const target = options.target ?? thisTarget();
  const main = resolve(ROOT, options.main ?? "main.ts");
  const output = resolve(options.output ?? join(ROOT, target.includes("windows") ? "image-transfer.exe" : "image-transfer"));
  const stage = await Deno.makeTempDir({ prefix: "image-transfer-build-" });
  try {
    if (options.check ?? true) await deno(ROOT, "check", "--quiet", ...LOCK, main);
    for (const entry of [main, ...WORKERS.map((worker) => join(ROOT, worker))]) await bundle(entry, join(stage, "bundle"));
    for (const folder of EMBEDDED) await copyFolder(join(ROOT, folder), join(stage, folder));
    await buildPage(ROOT, join(stage, "page"), createSystem(), new AbortController().signal);
    await setTimes(stage);
    const includes = [...EMBEDDED, "page", ...WORKERS.map((worker) => `bundle/${basename(worker).replace(/\.ts$/, ".js")}`)];
    await deno(
      stage,
      "compile",
      // Also at run time: Deno would tell of every program in the list that is not installed, at every start.
      "--quiet",
      ...["--no-config", "--no-npm", "--no-remote", "--no-check", "--no-lock", "--unstable-net"],
      // It would be kept under a fixed name in /tmp, where others may put one first; and takes memory for what is never called.
      "--no-code-cache",
      V8_FLAGS,
      ...permissionArguments(target),
      ...includes.flatMap((path) => ["--include", path]),
      ...["--target", target, "--output", join(stage, basename(output)), `bundle/${basename(main).replace(/\.ts$/, ".js")}`],
    );
    // A build that fails leaves the former binary; and one that runs cannot be written, but replaced.
    await Deno.copyFile(join(stage, basename(output)), `${output}.new`);
    await Deno.rename(`${output}.new`, output);
    return output;
  } finally {
    await Deno.remove(stage, { recursive: true });
  }
}

/** Bundles a program into `folder`, in pieces: what is imported when it is needed takes no memory until then. */
async function bundle(entry: string, folder: string): Promise<void> {
  const [whole, small] = [`${folder}.whole`, `${folder}.small`];
  await bundlePieces(ROOT, whole, entry, ...LOCK);
  for (const file of await filesIn(whole)) await rewrite(join(whole, file), join(whole, file), withHeld);
  // The names of the pieces depend on where they lie below the current folder, which has another name each time.
  await bundlePieces(whole, small, basename(entry).replace(/\.ts$/, ".js"), "--minify");
  await Deno.mkdir(folder, { recursive: true });
  for (const file of await filesIn(small)) {
    await rewrite(join(small, file), join(folder, file), (text) => ascii(withBanner(text)));
  }
  for (const done of [whole, small]) await Deno.remove(done, { recursive: true });
}

async function bundlePieces(cwd: string, folder: string, entry: string, ...options: string[]): Promise<void> {
  await deno(cwd, "bundle", "--quiet", "--platform", "deno", "--code-splitting", ...options, "--outdir", folder, entry);
}

async function filesIn(folder: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
}

async function rewrite(from: string, to: string, change: (text: string) => string): Promise<void> {
  await Deno.writeTextFile(to, change(await Deno.readTextFile(from)));
}

/**
 * Minifying puts what a `using` holds in the place where it is used, if only once, and then never closes it. So it comes second, when
 * every `using` has another use before it, which nobody can see through.
 */
function withHeld(text: string): string {
  return text.replace(/^([ \t]*)((?:await )?using (\w+) = )/gm, "$1__held(() => $3);\n$1$2");
}

function withBanner(text: string): string {
  return /\b(require|__held)\b/.test(text) ? BANNER + text : text;
}

/** The engine uses a text of ASCII where it lies, and copies any other. What is left of others are letters in regular expressions. */
function ascii(text: string): string {
  return text.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** The times of embedded files are part of the binary. */
async function setTimes(folder: string): Promise<void> {
  const fixed = new Date(Date.UTC(2000, 0, 1));
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) await setTimes(join(folder, name));
    await Deno.utime(join(folder, name), fixed, fixed);
  }
}

async function copyFolder(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    await (isDirectory ? copyFolder(join(from, name), join(to, name)) : Deno.copyFile(join(from, name), join(to, name)));
  }
}

async function deno(cwd: string, ...args: string[]): Promise<void> {
  // Bundling may fetch its tool from the npm registry, in some places through a mirror that only the system trusts.
  const env = { DENO_TLS_CA_STORE: Deno.env.get("DENO_TLS_CA_STORE") ?? "system,mozilla" };
  const { success } = await new Deno.Command(Deno.execPath(), { args, cwd, env, stdout: "inherit", stderr: "inherit" }).output();
  if (!success) throw new Error(buildFailure(args[0]!, Deno.env.get("DENORT_BIN")));
}

/** What a person can do about a step that failed: compiling needs a download of its own. */
export function buildFailure(step: string, baseRuntime: string | undefined): string {
  const what = `Cannot build: "deno ${step}" failed, see above`;
  if (step !== "compile") return what;
  return baseRuntime === undefined
    ? `${what}. It downloads Deno's base runtime; without access to dl.deno.land, get denort of Deno ${Deno.version.deno} elsewhere and set ` +
      "DENORT_BIN to the file. Without building, use deno task start in place of image-transfer."
    : `${what}. It uses the base runtime ${baseRuntime}, which DENORT_BIN names: that must be denort of Deno ${Deno.version.deno}`;
}

/** Reads `--name value` pairs; anything else is an error. */
export function parseArguments(args: readonly string[]): BuildOptions {
  const options: Record<string, string> = {};
  for (let at = 0; at < args.length; at += 2) {
    const [name, value] = [args[at] ?? "", args[at + 1]];
    if (!["--target", "--output", "--main"].includes(name)) {
      throw new Error(`unknown option "${name}": --target, --output, --main`);
    }
    if (value === undefined) throw new Error(`"${name}" needs a value`);
    options[name.slice(2)] = value;
  }
  const target = TARGETS.find((target) => target === options["target"]);
  if (options["target"] !== undefined && target === undefined) {
    throw new Error(`unknown target "${options["target"]}": ${TARGETS.join(", ")}`);
  }
  return { ...options, ...(target === undefined ? {} : { target }) } as BuildOptions;
}

if (import.meta.main) {
  const say = (to: typeof Deno.stdout, text: string) => to.writeSync(new TextEncoder().encode(`${text}\n`));
  try {
    say(Deno.stdout, await build(parseArguments(Deno.args)));
  } catch (error) {
    say(Deno.stderr, error instanceof Error ? error.message : String(error));
    Deno.exit(1);
  }
}
