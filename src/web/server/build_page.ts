/**
 * Makes what a browser loads out of `src/web/page/`: `main.tsx` with all it imports becomes `page.js`, all `*.css` (by name) become
 * `page.css`, `index.html` and `icon.svg` stay as they are. The build embeds the result; from source it is made when the page is first asked for.
 *
 * @module
 */
import { join } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import type { System } from "../../system/system.ts";

/** What a browser loads, with its type. */
export const PAGE_FILES: Readonly<Record<string, string>> = {
  "index.html": "text/html; charset=utf-8",
  "page.js": "text/javascript; charset=utf-8",
  "page.css": "text/css; charset=utf-8",
  "icon.svg": "image/svg+xml",
};

/** The part of the system that making the page needs. */
export type BuildSystem = Pick<
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
