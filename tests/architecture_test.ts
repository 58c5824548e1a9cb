/**
 * Holds the house to its plan: floors, no cycles, file length, who may name the operating system, and what
 * source text may not contain.
 */
import { assertEquals } from "@std/assert";
import { fromFileUrl, join, normalize } from "@std/path";
import { allPrograms, EDITORS } from "../src/commands/programs.ts";
import { GROUPS } from "./run.ts";

const SRC = fromFileUrl(new URL("../src", import.meta.url));
const FLOORS: Readonly<Record<string, number>> = {
  domain: 0,
  async: 0,
  formats: 1,
  system: 1,
  ledger: 1,
  config: 1,
  methods: 2,
  intake: 2,
  delivery: 2,
  events: 2,
  reports: 3,
  services: 3,
  fleet: 3,
  web: 3,
  daemon: 4,
  commands: 5,
};
/** Rooms on one floor, of which one may import the other. */
const NEIGHBOURS: readonly string[] = ["async → domain", "delivery → methods", "web → reports", "fleet → reports"];
/** The one implementation of the ledger. */
const SQLITE = "ledger/sqlite/";
const LONGEST = 500;

interface Source {
  readonly path: string;
  readonly text: string;
  readonly imports: readonly string[];
}

function sources(folder = SRC, prefix = ""): Source[] {
  return [...Deno.readDirSync(folder)].flatMap((entry): Source[] => {
    const path = prefix + entry.name;
    if (entry.isDirectory) return sources(join(folder, entry.name), `${path}/`);
    if (!/\.tsx?$/.test(entry.name) || entry.name.endsWith(".d.ts")) return [];
    const text = Deno.readTextFileSync(join(folder, entry.name));
    const specifiers = [
      ...text.matchAll(/^(?:import|export)\s[^"';]*?from\s+"([^"]+)"|^import\s+"([^"]+)"|\bimport\("([^"]+)"\)/gm),
    ];
    return [{ path, text, imports: specifiers.map((match) => match[1] ?? match[2] ?? match[3]!) }];
  });
}

function room(path: string): string {
  return path.split("/")[0]!;
}

function resolved(source: Source): string[] {
  return source.imports.filter((specifier) => specifier.startsWith("."))
    .map((specifier) => normalize(join(source.path, "..", specifier)).replaceAll("\\", "/"));
}

const all = sources();

Deno.test("architecture: imports go downwards or stay in their own folder", () => {
  const wrong = all.flatMap((source) =>
    resolved(source).filter((target) => {
      const [from, to] = [room(source.path), room(target)];
      if (from === to || NEIGHBOURS.includes(`${from} → ${to}`)) return false;
      return (FLOORS[to] ?? 9) >= (FLOORS[from] ?? -1);
    }).map((target) => `${source.path} → ${target}`)
  );
  assertEquals(wrong, []);
});

Deno.test("architecture: every file lies in a room of the house plan", () => {
  assertEquals(all.filter((source) => !(room(source.path) in FLOORS)).map((source) => source.path), []);
});

Deno.test("architecture: no import cycles", () => {
  const graph = new Map(all.map((source) => [source.path, resolved(source)]));
  const done = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) cycles.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
    if (done.has(path) || trail.includes(path)) return;
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
    done.add(path);
  };
  for (const path of graph.keys()) visit(path, []);
  assertEquals(cycles, []);
});

Deno.test(`architecture: no file is longer than ${LONGEST} lines`, () => {
  const long = all.map((source) => ({ path: source.path, lines: source.text.split("\n").length - 1 })).filter(({ lines }) =>
    lines > LONGEST
  );
  assertEquals(long, []);
});

Deno.test("architecture: only system/ and ledger/sqlite/ name Deno or node: input and output", () => {
  const names = all.filter(({ path }) => room(path) !== "system" && !path.startsWith(SQLITE))
    .filter((source) =>
      /\bDeno\.(?!errors\b)/.test(withoutComments(source.text)) ||
      source.imports.some((specifier) => /^node:(?!zlib$|buffer$|stream$|crypto$)/.test(specifier))
    )
    .map((source) => source.path);
  assertEquals(names, []);
});

Deno.test("architecture: main.ts alone opens SQLite: all others are handed the contract of the ledger", () => {
  assertEquals(
    all.filter((source) => !source.path.startsWith(SQLITE) && resolved(source).some((target) => target.startsWith(SQLITE)))
      .map(({ path }) => path),
    [],
  );
});

Deno.test("architecture: domain/ knows no clock, no randomness and no other floor", () => {
  const impure = all.filter((source) => room(source.path) === "domain")
    .filter((source) => /\bDate\.now\(|\bnew Date\(\)|\bMath\.random\(|\bperformance\./.test(withoutComments(source.text)))
    .map((source) => source.path);
  assertEquals(impure, []);
});

Deno.test("architecture: time and chance come from system/ alone, so that a simulated world can give its own", () => {
  const byHand = new RegExp(
    "\\bDate\\.now\\b|\\bnew Date(?:\\(\\)|(?!\\w|\\())|\\bDate\\(\\)|\\bTemporal\\.Now\\b|\\bperformance\\.now\\b|\\bset(Timeout|Interval|Immediate)\\(|" +
      "\\bMath\\.random\\b|\\brandomUUID\\b|\\bgetRandomValues\\b|\\brandom(Bytes|Int)\\b",
  );
  const found = all.filter(({ path, text }) =>
    room(path) !== "system" && !HAS_NO_KIT.test(path) && path !== NAMES_THE_INSTALLATION && byHand.test(withoutComments(text))
  );
  assertEquals(found.map(({ path }) => path), []);
});
/** The ledger is handed to the daemon as `System` is: the simulated world opens it with a name of its own. */
const NAMES_THE_INSTALLATION = `${SQLITE}open_ledger.ts`;

Deno.test("architecture: what a module of the pipeline keeps is kept apart for each System: nothing outlives a simulated crash", () => {
  const kept =
    /^(?:export )?(?:let\b|(?:const|var) \w+\b(?!: Readonly(?:Map|Set)\b)[^=\n]*= (?:new (?:Map|Set)\b|\w*(?:[mM]utex|[sS]emaphore|bell|queue)\(|\[\];|\{\};))/m;
  const pipeline = all.filter(({ path }) => ["intake", "delivery", "methods"].includes(room(path)));
  assertEquals(pipeline.filter(({ text }) => kept.test(withoutComments(text))).map(({ path }) => path), []);
});

Deno.test("architecture: races, abort listeners and time limits are made by the async kit alone", () => {
  // Deno 2.7 forgets the listeners of AbortSignal.any(); AbortSignal.timeout() knows only the real clock.
  const byHand = /\bPromise\.(race|any)\b|\bAbortSignal\.(any|timeout)\b|\bonabort\b|EventListener\(\s*"abort"/;
  const found = all.filter(({ path, text }) =>
    room(path) !== "async" && !HAS_NO_KIT.test(path) && byHand.test(withoutComments(text))
  );
  assertEquals(found.map(({ path }) => path), []);
});
/** The page runs in browsers: their clock is the real one, and nothing of the kit is sent to them. */
const HAS_NO_KIT = /^web\/page\//;

Deno.test("architecture: only the ledger reads receipts back; all others come from verify()", () => {
  const readers = all.filter(({ text }) => /\bstoredReceipt\b/.test(text)).map(({ path }) => path);
  assertEquals(readers.sort(), ["domain/receipt.ts", "ledger/sqlite/rows.ts"]);
});

Deno.test("architecture: every source file says in its header what it is", () => {
  assertEquals(
    all.filter((source) => !/^\/\*\*/.test(source.text.replace(/^\/\/\/.*\n|^\/\*\* @jsx.*\n/gm, ""))).map((
      source,
    ) => source.path),
    [],
  );
});

Deno.test("architecture: every test file belongs to a group that `deno task test` knows", () => {
  const tests = fromFileUrl(new URL(".", import.meta.url));
  const known = [...Deno.readTextFileSync(join(tests, "run.ts")).matchAll(/(?:paths: \[|^ +)"([\w.]+)"/gm)].map((match) =>
    match[1]!
  );
  const rooms = [...Deno.readDirSync(tests)].filter(({ name, isDirectory }) =>
    isDirectory ? holdsTests(join(tests, name)) : name.endsWith("_test.ts")
  );
  assertEquals(rooms.map(({ name }) => name).filter((name) => !known.includes(name)), []);
  const quick = Object.values(GROUPS).flatMap(({ quick }) => [...quick?.files ?? [], ...quick?.without ?? []]);
  assertEquals(quick.filter((path) => !Deno.statSync(join(tests, path)).isFile), []);
});

function holdsTests(folder: string): boolean {
  return [...Deno.readDirSync(folder)].some(({ name, isDirectory }) =>
    isDirectory ? holdsTests(join(folder, name)) : name.endsWith("_test.ts")
  );
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|\s)\/\/.*$/gm, "$1");
}

Deno.test("architecture: what is started by name, the compiled program may start, and nothing else", () => {
  const allowed = (["linux", "darwin", "windows"] as const).flatMap(allPrograms);
  const started = all.flatMap(({ text }) => [...text.matchAll(/\bprogram: "([a-z-]+)"(?! \|)/g)].map(([, name]) => name!));
  assertEquals(started.includes("find"), true);
  assertEquals(started.filter((name) => !allowed.includes(name)), []);
  const editors = Object.values(EDITORS).flat();
  const users = all.filter(({ path }) => !path.endsWith("commands/programs.ts") && !path.endsWith("methods/programs.ts"));
  const unused = allowed.filter((name) => !editors.includes(name) && !users.some(({ text }) => text.includes(`"${name}"`)));
  assertEquals(unused, []);
});

const json = async (path: string) => JSON.parse(await Deno.readTextFile(new URL(path, import.meta.url)));

Deno.test("tests/build/jsr.json differs from what is used only in where @std comes from", async () => {
  const [config, ours, jsr] = await Promise.all([json("../deno.json"), json("../import_map.json"), json("build/jsr.json")]);
  // In a configuration, a package stands for all that is in it.
  const packages = Object.keys(ours.imports).filter((name) => !(name.endsWith("/") && ours.imports[name.slice(0, -1)]));
  assertEquals(Object.keys(jsr.imports), packages);
  for (const name of packages) {
    const std = name.replace(/^@std\/\w+/, "jsr:$&@1");
    assertEquals(jsr.imports[name], std === name ? ours.imports[name] : std);
  }
  assertEquals({ ...jsr.compilerOptions, types: config.compilerOptions.types }, config.compilerOptions);
});

Deno.test("deno.lock has the packages of the program, no test's, with the same hashes as tests/deno.lock", async () => {
  const [program, tests] = await Promise.all([json("../deno.lock"), json("deno.lock")]);
  for (const [name, entry] of Object.entries(program.npm)) assertEquals(entry, tests.npm[name], name);
  const named = all.flatMap(({ imports }) => imports).join("\n");
  for (const specifier of Object.keys(program.specifiers)) {
    const name = specifier.replace(/^npm:(.+)@.*$/, "$1").replace("deno-std", "@std");
    assertEquals(named.includes(name), true, `${name} is in deno.lock, and nothing in src imports it`);
  }
});
