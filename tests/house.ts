// deno-lint-ignore-file no-console -- a program that talks to people
/** `deno task house [room]`: what the source weighs and how finely it is cut, room by room. */
import { fromFileUrl, join, normalize } from "@std/path";

const SRC = fromFileUrl(new URL("../src", import.meta.url));

interface Source {
  readonly path: string;
  readonly room: string;
  readonly text: string;
  readonly imports: readonly { path: string; names: readonly string[] }[];
}

function sources(folder: string, prefix = ""): Source[] {
  return [...Deno.readDirSync(folder)].flatMap((entry): Source[] => {
    const path = prefix + entry.name;
    if (entry.isDirectory) return sources(join(folder, entry.name), `${path}/`);
    if (!/\.tsx?$/.test(entry.name)) return [];
    const text = Deno.readTextFileSync(join(folder, entry.name));
    return [{
      path,
      room: prefix.split("/").slice(0, prefix.startsWith("methods/") ? 2 : 1).join("/"),
      text,
      imports: importsOf(path, text),
    }];
  });
}

function importsOf(path: string, text: string): Source["imports"] {
  const statements = text.matchAll(
    /^(?:import|export)\s+(?:type\s+)?([^"';]*?)\s*from\s+"(\.[^"]+)"|\bimport\("(\.[^"]+)"\)|new URL\("(\.[^"]+)"/gm,
  );
  return [...statements].map(([, names, from, lazy, url]) => ({
    path: normalize(join(path, "..", (from ?? lazy ?? url)!)).replaceAll("\\", "/"),
    names: from === undefined ? ["*"] : (names!.match(/[\w$*]+(?=\s*(?:,|\}|as\b|$))/g) ?? []).filter((name) => name !== "type"),
  }));
}

function codeOf(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

/** Names of functions that are not exported and named exactly once after their declaration. */
function calledOnce(text: string): string[] {
  const code = codeOf(text);
  const names = [...code.matchAll(/^(?:async )?function\*? (\w+)/gm)].map((match) => match[1]!);
  return names.filter((name) => (code.match(new RegExp(`(?<![\\w$.])${name}(?![\\w$])`, "g")) ?? []).length === 2);
}

function exportsOf(text: string): string[] {
  return [...codeOf(text).matchAll(/^export (?:async )?(?:abstract )?(?:function\*?|const|class|interface|type|let) (\w+)/gm)]
    .map((match) => match[1]!);
}

const BAG = /^(?:export )?interface (\w*(?:Tools|Base|Parts|Context|Deps|Kit|Surroundings|Options|Reach|Means))\b/gm;

function measure(all: readonly Source[], tests: readonly Source[], room: string): Record<string, number> {
  const here = all.filter((source) => room === "" || source.room === room);
  const lines = here.flatMap(({ text }) => text.split("\n").slice(0, -1));
  const importers = new Map<string, Set<string>>();
  for (const source of all) {
    for (const { path } of source.imports) importers.set(path, (importers.get(path) ?? new Set()).add(source.path));
  }
  const byTests = new Map<string, Set<string>>();
  for (const { path, names } of tests.flatMap(({ imports }) => imports)) {
    const below = path.replace(/^.*?src\//, "");
    byTests.set(below, new Set([...byTests.get(below) ?? [], ...names]));
  }
  const unused = here.flatMap((source) => unusedExports(source, all).map((name) => ({ source, name })));
  const once = here.flatMap(({ text }) => calledOnce(text));
  return {
    lines: lines.length,
    files: here.length,
    "called once": once.length,
    "one importer": here.filter(({ path }) => importers.get(path)?.size === 1).length,
    bags: here.flatMap(({ text }) => [...text.matchAll(BAG)]).length,
    "comments %": Math.round(1000 * lines.filter((line) => /^\s*(?:\/\/|\/?\*)/.test(line)).length / Math.max(1, lines.length)) /
      10,
    "exports for nobody": unused.filter(({ source, name }) => !byTests.get(source.path)?.has(name)).length,
    "for tests only": unused.filter(({ source, name }) => byTests.get(source.path)?.has(name)).length,
  };
}

/** What `deno task house ROOM` adds: the names behind the numbers. */
function named(all: readonly Source[], room: string): string[] {
  const importers = new Map<string, string[]>();
  for (const source of all) {
    for (const { path } of source.imports) importers.set(path, [...new Set([...importers.get(path) ?? [], source.path])]);
  }
  const here = all.filter((source) => source.room === room);
  return here.toSorted((one, other) => one.path < other.path ? -1 : 1).map((source) => {
    const only = importers.get(source.path);
    const once = calledOnce(source.text);
    const apart = unusedExports(source, all);
    return [
      `${source.path} ${source.text.split("\n").length - 1}`,
      ...only?.length === 1 ? [`only for ${only[0]}`] : [],
      ...once.length > 0 ? [`called once: ${once.join(", ")}`] : [],
      ...apart.length > 0 ? [`imported by no source: ${apart.join(", ")}`] : [],
    ].join("\n    ");
  });
}

function unusedExports(source: Source, all: readonly Source[]): string[] {
  const used = new Set(
    all.flatMap(({ imports }) => imports).filter(({ path }) => path === source.path).flatMap(({ names }) => names),
  );
  return used.has("*") ? [] : exportsOf(source.text).filter((name) => !used.has(name));
}

const main: Source = { path: "../main.ts", room: "", text: "", imports: [] };
const src = sources(SRC);
const entry = Deno.readTextFileSync(join(SRC, "..", "main.ts"));
const all = [...src, {
  ...main,
  imports: importsOf("../main.ts", entry).map((one) => ({ ...one, path: one.path.replace(/^(\.\.\/)?src\//, "") })),
}];
const tests = sources(fromFileUrl(new URL(".", import.meta.url)), "../tests/");
const wanted = Deno.args[0];
if (wanted !== undefined) { for (const line of named(all, wanted)) console.log(line); }
const rooms = wanted === undefined ? [...new Set(src.map(({ room }) => room))].sort() : [wanted];
console.table(Object.fromEntries([...rooms, ""].map((room) => [room || "all of src", measure(all, tests, room)])));
console.log(`tests: ${tests.reduce((sum, { text }) => sum + text.split("\n").length - 1, 0)} lines`);
