/**
 * What a daemon loads that copies to a folder and shows its page: libraries and rooms that it does not need are loaded by
 * `await import()` where they are needed, or an idle daemon keeps them in memory.
 */
import { assertEquals } from "@std/assert";
import { fromFileUrl, toFileUrl } from "@std/path";

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
/** What `run` imports one after the other. */
const ENTRIES = ["main.ts", "src/commands/run/run_daemon.ts", "src/events/metrics.ts", "src/methods/local/local.ts"];
/** Of each of these, a reason: command lines, PocketBase and the page's framework are none of them. */
const LIBRARIES = [
  "@logtape/file",
  "@logtape/logtape",
  "croner",
  "deno-std",
  "hono",
  "ms",
  "picomatch",
  "prom-client",
  "toml-eslint-parser",
  "yaml",
  "zod",
];
/** None of their modules. */
const NOT_NEEDED =
  /^src\/(fleet|services\/(?!service_program)|commands\/(?!run\/|text\/|[\w]+\.ts$)|methods\/(?!local\/|[\w]+\.ts$|shell\/shell_quote)|web\/page\/)/;

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly code?: { readonly specifier: string }; readonly isDynamic?: boolean }[];
}

async function modulesOf(entry: string): Promise<readonly Module[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["info", "--json", entry], cwd: ROOT }).output();
  return JSON.parse(new TextDecoder().decode(stdout)).modules;
}

/** Everything that is evaluated before an `await import()`. */
async function loaded(): Promise<Set<string>> {
  const graph = new Map((await Promise.all(ENTRIES.map(modulesOf))).flat().map((module) => [module.specifier, module]));
  const found = new Set<string>();
  const visit = (specifier: string): void => {
    if (found.has(specifier)) return;
    found.add(specifier);
    for (const { code, isDynamic } of graph.get(specifier)?.dependencies ?? []) {
      if (code !== undefined && !isDynamic) visit(code.specifier);
    }
  };
  for (const entry of ENTRIES) visit(toFileUrl(`${ROOT}${entry}`).href);
  return found;
}

Deno.test("run loads no library and no room that an idle daemon does not need", async () => {
  const all = [...await loaded()];
  const libraries = all.flatMap((specifier) => /^npm:\/?((?:@[^/]+\/)?[^@/]+)/.exec(specifier)?.[1] ?? []);
  assertEquals([...new Set(libraries)].toSorted(), LIBRARIES);
  const own = all.filter((specifier) => specifier.startsWith("file:")).map((specifier) =>
    fromFileUrl(specifier).slice(ROOT.length)
  );
  assertEquals(own.filter((path) => NOT_NEEDED.test(path.replaceAll("\\", "/"))), []);
  assertEquals(own.length > 180, true);
});
