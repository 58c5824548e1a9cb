/**
 * Which files some process has open for writing. Linux: the tables of open and of mapped files in `/proc`, read by a spawned `find`,
 * because Deno with a permission list may not read them. macOS: `lsof`. Windows: a file that cannot be opened for writing.
 */
import { basename, dirname, join } from "@std/path";
import { untilAborted } from "../../async/abort.ts";
import { deadline } from "../../async/deadline.ts";
import { clock } from "../host/clock.ts";
import { splitAtNul } from "./processes.ts";
import { faultOf } from "../fault.ts";
import { files } from "../files/files.ts";
import { processes } from "./processes.ts";
import { which } from "./launch.ts";
import { chunks } from "../../domain/chunks.ts";

/** See `Watching.openForWriting`. One pass over the whole system costs some 15 ms of processor time, for any number of paths. */
export async function openForWriting(paths: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string> | null> {
  signal.throwIfAborted();
  if (paths.length === 0) return new Set();
  if (Deno.build.os === "windows") return await heldOnWindows(paths, signal);
  const asked = await realPaths(paths);
  const reals = [...asked.keys()];
  const held = Deno.build.os === "darwin" ? await lookWithLsof(reals, signal) : await heldInProc(reals, signal);
  return held && new Set([...asked].flatMap(([real, given]) => held.has(real) ? given : []));
}

/** See `Watching.seesEveryWriter`. Determined once: the account does not change. */
export function seesEveryWriter(): Promise<boolean> {
  return seesAll ??= looksEverywhere().catch((error) => {
    // Not for ever: no program could be started just then, for example because too many files were open.
    seesAll = undefined;
    throw error;
  });
}
let seesAll: Promise<boolean> | undefined;

async function looksEverywhere(): Promise<boolean> {
  if (Deno.build.os === "windows") return true;
  if (Deno.build.os === "darwin") return Deno.uid() === 0 && await which("lsof") !== null;
  if (await which("find") === null) return false;
  const { signal } = new AbortController();
  const space = ["-path", "/proc/self/ns/pid", "-printf", "%l"];
  const handles = ["-path", "/proc/[0-9]*/fd/*", "-lname", "/ "];
  const args = ["/proc/self/ns/pid", "/proc/1", "/proc", "-maxdepth", "3", ...space, "-o", ...handles];
  const { stdout, stderr } = await processes.run({ program: "find", args, env: { LC_ALL: "C" } }, signal);
  return stdout === FIRST_PID_NAMESPACE && !hidesProcesses(stderr);
}

/** The machine's own namespace, PROC_PID_INIT_INO of linux/proc_ns.h: in any other, such as a container's, its processes are hidden. */
const FIRST_PID_NAMESPACE = "pid:[4026531836]";

/**
 * Whether find's errors show that the files of some process are hidden: "Permission denied" for any but the first (init writes no
 * images, and some systems protect it even from root), or no first process at all (other accounts' processes are hidden).
 */
export function hidesProcesses(complaints: string): boolean {
  return complaints.split("\n").some((line) =>
    (/Permission denied/.test(line) && !/\/proc\/1\//.test(line)) || /\/proc\/1\W*: No such file/.test(line)
  );
}

/** Tables name files by their real paths: symlinks on the way to the folders are followed, once for each folder. */
async function realPaths(paths: readonly string[]): Promise<Map<string, string[]>> {
  const real = new Map<string, string[]>();
  for (const [folder, inFolder] of Map.groupBy(paths, (path) => dirname(path))) {
    // A removed folder contains no file that could be taken for finished.
    const realFolder = await Deno.realPath(folder).catch(() => folder);
    for (const path of inFolder) {
      const key = join(realFolder, basename(path));
      real.set(key, [...real.get(key) ?? [], path]);
    }
  }
  return real;
}

interface Open {
  readonly names: Set<string>;
  readonly mapped: Set<string>;
  /** `/proc/<pid>/fd/<number>` by the last part of the name, or {@linkcode DELETED}. */
  readonly handles: Map<string, string[]>;
}

/** Those of these paths that are open for writing; null if that is unknown. */
async function heldInProc(paths: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string> | null> {
  const open = await lookIntoProc(signal);
  if (open === null) return null;
  const held = new Set(paths.filter((path) => open.names.has(path)));
  // In a container, or through another mount, the last part of the name is the same. With a hard link even that may differ.
  const suspects = new Set<string>();
  const numbered = await Promise.all(
    paths.filter((path) => !held.has(path)).map(async (path) => {
      const facts = await files.facts(path).catch(() => null);
      const names = (facts?.links ?? 0) > 1 ? open.handles.keys() : [basename(path), DELETED];
      for (const name of names) open.handles.get(name)?.forEach((handle) => suspects.add(handle));
      return { path, identity: facts?.identity ?? "" };
    }),
  );
  const numbers = await identitiesOf([...suspects], signal);
  if (numbers === null) return null;
  for (const { path, identity } of numbered) {
    if (identity !== "" && (numbers.has(identity) || open.mapped.has(identity))) held.add(path);
  }
  return held;
}

/** `device:inode` of what these lead to; null if a file system does not respond. */
async function identitiesOf(handles: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string> | null> {
  if (handles.length === 0) return new Set();
  if (await which("stat") === null) return null;
  using limit = deadline(PATIENCE_MS, clock, signal);
  const found = new Set<string>();
  try {
    for (const some of chunks(handles, STAT_BATCH)) {
      const args = ["-L", "-c", "%d:%i", ...some];
      const { stdout, signal: endedBy } = await processes.run({ ...BRIEF, program: "stat", args }, limit.signal);
      if (endedBy !== null) return null;
      for (const identity of stdout.split("\n")) found.add(identity);
    }
    return found;
  } catch (error) {
    if (!limit.passed) throw error;
    return null;
  }
}

/** Follows a name that was removed while the file is open. */
const DELETED = " (deleted)";
const STAT_BATCH = 1_000;
const PATIENCE_MS = 5_000;

/** One pass at a time; all calls during one share the next, which begins after they were made. */
async function lookIntoProc(signal: AbortSignal): Promise<Open | null> {
  const former = look;
  const mine = next ??= (async () => {
    await former.catch(() => undefined);
    next = null;
    return await (look = lookNow());
  })();
  signal.throwIfAborted();
  return await untilAborted(mine, signal);
}
let look: Promise<Open | null> = Promise.resolve(null);
let next: Promise<Open | null> | null = null;

const BRIEF = { env: { LC_ALL: "C" }, brief: true };
/** No system refuses so long a command line. */
const PROCESSES_AT_ONCE = 2_000;
/** Of more, the end of the list may be missing. */
const MOST_PROCESSES = 50_000;

/** It takes a fraction of a second, and others may wait for it, so no signal ends it. */
async function lookNow(): Promise<Open | null> {
  if (await which("find") === null) return null;
  const { signal } = new AbortController();
  const all = await allProcesses(signal);
  if (all.length === 0 || all.length > MOST_PROCESSES) return null;
  const open: Open = { names: new Set(), mapped: new Set(), handles: new Map() };
  for (const some of chunks(all, PROCESSES_AT_ONCE)) {
    const looked = await Promise.all([addOpenFiles(open, some, signal), addMappedFiles(open, some, signal)]);
    if (looked.includes(false)) return null;
  }
  return open;
}

/** The folders of all processes. What is needed of them is named then: that they are listed would cost twice as much as all else. */
async function allProcesses(signal: AbortSignal): Promise<string[]> {
  const args = ["/proc", "-maxdepth", "1", "-name", "[0-9]*", "-print"];
  const { stdout, signal: endedBy } = await processes.run({ ...BRIEF, program: "find", args }, signal);
  return endedBy === null ? stdout.split("\n").filter((folder) => folder !== "") : [];
}

/** Whether it could look. The links in `/proc/<pid>/fd` carry the access in their own mode: `-perm -200` is "open for writing". */
async function addOpenFiles({ names, handles }: Open, all: readonly string[], signal: AbortSignal): Promise<boolean> {
  const args = [...all.map((folder) => `${folder}/fd`), "-mindepth", "1", "-maxdepth", "1"];
  // First what the name tells: that needs no stat.
  args.push("-lname", "/*", "!", "-lname", "/dev/*", "-perm", "-200", "-printf", "%p%l\\0");
  await using find = await processes.spawn({ ...BRIEF, program: "find", args }, signal);
  await find.closeStdin();
  const decoder = new TextDecoder();
  for await (const line of splitAtNul(find.stdout)) {
    const [, handle = "", name = ""] = /^(\/proc\/\d+\/fd\/\d+)(.*)$/s.exec(decoder.decode(line)) ?? [];
    names.add(name);
    const last = name.endsWith(DELETED) ? DELETED : basename(name);
    const known = handles.get(last);
    if (known === undefined) handles.set(last, [handle]);
    else known.push(handle);
  }
  if ((await find.finished).signal !== null) return false;
  // Errors about processes that have ended or are not visible are expected; a find without these options prints others.
  return !/unrecognized|unknown (predicate|primary)|illegal/i.test(find.stderr());
}

/** A file can be written through a mapping after it was closed: shared writable mappings are `rw-s` in `/proc/<pid>/maps`. */
async function addMappedFiles({ names, mapped }: Open, all: readonly string[], signal: AbortSignal): Promise<boolean> {
  if (await which("grep") === null) return true;
  const args = ["-hsF", " rw-s ", ...all.map((folder) => `${folder}/maps`)];
  const { stdout, signal: endedBy } = await processes.run({ ...BRIEF, program: "grep", args }, signal);
  if (endedBy !== null) return false;
  // address permissions offset device inode      path; a newline in the path is written \012
  for (const line of stdout.matchAll(/^[0-9a-f]+-[0-9a-f]+ rw-s \S+ ([0-9a-f]+):([0-9a-f]+) (\d+) +(\/[^\n]*)/gm)) {
    const [, major = "", minor = "", inode = "", path = ""] = line;
    names.add(path.replaceAll("\\012", "\n"));
    mapped.add(`${deviceNumber(parseInt(major, 16), parseInt(minor, 16))}:${inode}`);
  }
  return true;
}

/** As `st_dev` has it (glibc's makedev): eight bits of the minor number are below the major one. */
function deviceNumber(major: number, minor: number): number {
  return minor % 256 + major * 256 + Math.trunc(minor / 256) * 2 ** 20;
}

const LSOF_BATCH = 500;

async function lookWithLsof(paths: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string> | null> {
  const lsof = await which("lsof") ?? await which("/usr/sbin/lsof");
  if (lsof === null) return null;
  const open = new Set<string>();
  for (const some of chunks(paths, LSOF_BATCH)) {
    const { stdout } = await processes.run({ program: lsof, args: ["-w", "-F", "an", "--", ...some] }, signal);
    for (const path of writersOf(stdout)) open.add(path);
  }
  return open;
}

/** The names that follow an access of `w` (write) or `u` (both) in lsof's output by fields. */
export function writersOf(output: string): string[] {
  const names: string[] = [];
  let writes = false;
  for (const line of output.split("\n")) {
    if (line.startsWith("a")) writes = line === "aw" || line === "au";
    else if (line.startsWith("n") && writes) names.push(line.slice(1));
  }
  return names;
}

async function heldOnWindows(paths: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
  const held = new Set<string>();
  for (const path of paths) {
    signal.throwIfAborted();
    try {
      (await Deno.open(path, { read: true, write: true })).close();
    } catch (error) {
      // Anything but a sharing violation (read-only, gone, forbidden) says nothing about writers.
      if (faultOf(error) === "busy") held.add(path);
    }
  }
  return held;
}
