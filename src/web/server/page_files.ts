/** The files of the page: embedded in the binary; from source, made once in `build/page/` and made again after a change. */
import { fromFileUrl, join } from "@std/path";
import type { System } from "../../system/system.ts";
import { Failure } from "../../domain/failure.ts";

/** A file as it is served; `type` is its media type. */
interface PageFile {
  readonly text: string;
  readonly type: string;
}

/** Null for a name that is none of {@linkcode PAGE_FILES}. */
export type PageFiles = (name: string) => Promise<PageFile | null>;

/** The files by their names; null for a name that is none of them. Read once. */
export function pageFiles(system: BuildSystem & Pick<System, "embedded" | "compiled">, signal: AbortSignal): PageFiles {
  const known = new Map<string, Promise<PageFile>>();
  let made: Promise<void> | null = null;

  async function read(name: string): Promise<PageFile> {
    made ??= system.compiled ? Promise.resolve() : makeWhereNeeded();
    await made;
    const text = await system.embedded(system.compiled ? `page/${name}` : `build/page/${name}`);
    return { text, type: PAGE_FILES[name]! };
  }

  async function makeWhereNeeded(): Promise<void> {
    const root = fromFileUrl(new URL("../../..", import.meta.url));
    const to = join(root, "build", "page");
    if (!await isBuilt(root, to, system)) await buildPage(root, to, system, signal);
  }

  return async (name) => {
    if (!Object.hasOwn(PAGE_FILES, name)) return null;
    const file = known.get(name) ?? read(name);
    known.set(name, file);
    try {
      return await file;
    } catch (error) {
      // Another try finds it, once the cause is gone.
      known.delete(name);
      made = null;
      throw error;
    }
  };
}

/** What a browser loads, with its type. */
const PAGE_FILES: Readonly<Record<string, string>> = {
  "index.html": "text/html; charset=utf-8",
  "page.js": "text/javascript; charset=utf-8",
  "page.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
};

/** The part of the system that making the page needs. */
type BuildSystem = Pick<
  System,
  "run" | "names" | "list" | "facts" | "readText" | "writeText" | "makeFolder" | "rename" | "executable" | "env" | "pid"
>;

/** Makes the files of {@linkcode PAGE_FILES} in the folder `to`; `root` is the folder of `deno.json`. */
export async function buildPage(root: string, to: string, system: BuildSystem, signal: AbortSignal): Promise<void> {
  const from = join(root, "src", "web", "page");
  await system.makeFolder(to);
  const styles = (await system.names(from)).filter((name) => name.endsWith(".css")).sort();
  const css = await Promise.all(styles.map((name) => system.readText(join(from, name))));
  await system.writeText(join(to, "page.css"), css.join("\n"));
  for (const name of ["index.html", "icon.svg"]) await system.writeText(join(to, name), await system.readText(join(from, name)));
  const locked = [`--lock=${join(root, "deno.lock")}`, "--frozen"];
  // Under a name of its own: two processes may make it at once.
  const part = join(to, `page-${system.pid}.js`);
  const { code, stderr } = await system.run({
    program: system.executable,
    args: ["bundle", "--quiet", ...locked, "--platform", "browser", "--minify", "--output", part, join(from, "main.tsx")],
    cwd: root,
    // Bundling may fetch its tool from the npm registry, in some places through a mirror that only the system trusts.
    env: { DENO_TLS_CA_STORE: system.env("DENO_TLS_CA_STORE") ?? "system,mozilla", NO_COLOR: "1" },
  }, signal);
  if (code !== 0) {
    throw new Failure("internal", `Cannot build the page: deno bundle failed: ${stderr.trim().slice(-500)}`);
  }
  await system.rename(part, join(to, "page.js"));
}

/** True where the result is there and no source is newer. */
export async function isBuilt(root: string, to: string, system: Pick<System, "list" | "facts">): Promise<boolean> {
  const made = await system.facts(join(to, "page.js"));
  if (made === null) return false;
  // The page is made of these two.
  const sources = await Promise.all([["web", "page"], ["domain"]].map((path) => newest(join(root, "src", ...path), system)));
  return Math.max(...sources) <= made.mtimeMs;
}

async function newest(folder: string, system: Pick<System, "list">): Promise<number> {
  let latest = 0;
  for (const { name, facts } of (await system.list(folder)).entries) {
    const time = facts.kind === "folder" ? await newest(join(folder, name), system) : facts.mtimeMs;
    latest = Math.max(latest, time);
  }
  return latest;
}
