/**
 * The system calls that names and flushes are made of, as strace saw them, and a judge of their order: bytes are on the disk before
 * they get their final name, and the name is before anybody is told. A power cut shows a missing flush only sometimes; this always does.
 */
import { dirname, isAbsolute, join } from "@std/path";
import { which } from "./needs.ts";

const CALLS = "fsync,fdatasync,syncfs,sync_file_range,rename,renameat,renameat2,link,linkat,mkdir,mkdirat";

/** Arguments of strace. Every flush takes a little longer than it needs, so that one that is not awaited comes too late for sure. */
export function straceArgs(file: string): string[] {
  const slow = ["fsync", "fdatasync", "syncfs"].flatMap((call) => ["-e", `inject=${call}:delay_enter=50000`]);
  return ["-f", "-qq", "-y", "-s", "4096", "-e", "signal=none", "-e", `trace=${CALLS}`, ...slow, "-o", file];
}

/** Traces this very process, with all its threads, until disposed of. */
export async function traceThisProcess(file: string): Promise<AsyncDisposable> {
  const args = straceArgs(file).filter((arg) => arg !== "-qq");
  const child = new Deno.Command(which("strace") ?? "strace", {
    args: [...args, "-p", String(Deno.pid)],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const told = child.stderr.getReader();
  // "Process 1 attached with 9 threads" once it sees everything.
  if ((await told.read()).done) throw new Error("strace cannot trace this process");
  return {
    async [Symbol.asyncDispose]() {
      child.kill("SIGINT");
      while (!(await told.read()).done);
      await child.status;
    },
  };
}

interface Call {
  readonly name: string;
  /** Absolute paths; of two the second is the new name. */
  readonly paths: readonly string[];
  /** The lines at which it began and ended. */
  readonly began: number;
  readonly ended: number;
}

/** The calls that succeeded and have ended. Relative paths are below `base`, where all our remote scripts work. */
function callsOf(trace: string, base: string): Call[] {
  const begun = new Map<string, { text: string; line: number }>();
  return trace.split("\n").flatMap((text, line): Call[] => {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(text) ?? [];
    if (rest.endsWith("<unfinished ...>")) {
      begun.set(thread, { text: rest.replace(" <unfinished ...>", ""), line });
      return [];
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest);
    const start = resumed ? begun.get(thread) : { text: rest, line };
    const [, name, args = "", result] = /^(\w+)\((.*)\) += (-?\d+)/.exec(start?.text + (resumed?.[1] ?? "").replace(/^,/, "")) ??
      [];
    if (!start || name === undefined || result !== "0") return [];
    return [{ name, paths: pathsOf(args, base), began: start.line, ended: line }];
  });
}

/** `3</folder>, "a"` is a name in that folder, `"a"` one below the base, `3</folder/a>` the file that is open. */
function pathsOf(args: string, base: string): string[] {
  const paths: string[] = [];
  let folder: string | null = null;
  for (const [, opened, name] of args.matchAll(/(?:\d+|AT_FDCWD)<([^>]*)>|"([^"]*)"/g)) {
    if (name === undefined) {
      if (folder !== null) paths.push(folder);
      folder = opened!;
      continue;
    }
    paths.push(isAbsolute(name) ? join(name) : join(folder ?? base, name));
    folder = null;
  }
  return folder === null ? paths : [...paths, folder];
}

/** What is checked. */
interface Expectation {
  readonly base: string;
  /** Names are below the base path, but not below this folder of it. */
  readonly stagingRoot: string;
  /** With SFTP alone a folder cannot be flushed: any later flush of a file carries the names with it. */
  readonly foldersByLaterFile?: boolean;
}

/** What a power cut at the wrong moment would lose, in words; and how many names were given. */
export function durabilityFaults(trace: string, { base, stagingRoot, foldersByLaterFile = false }: Expectation) {
  const calls = callsOf(trace, base);
  const staging = join(base, stagingRoot);
  const isStaged = (path: string) => path.startsWith(`${staging}/`);
  const isFinal = (path: string) => path.startsWith(`${base}/`) && !isStaged(path) && path !== staging;
  const flushes = calls.filter(({ name }) => /^f(data)?sync$/.test(name));
  const whole = calls.filter(({ name }) => name === "syncfs");
  const asked = calls.filter(({ name }) => name === "sync_file_range");
  /**
   * A flush of this path that began behind one line and ended before another; or one of the whole file system, which says nothing of a file, and
   * then a question about this path.
   */
  const flushed = (path: string, behind: number, before: number): boolean =>
    flushes.some(({ paths, began, ended }) => began > behind && ended < before && paths.includes(path)) ||
    asked.some(({ paths, began, ended }) =>
      ended < before && paths.includes(path) && whole.some((it) => it.began > behind && it.ended < began)
    );
  const laterFile = (behind: number) => flushes.some(({ paths, began }) => began > behind && paths.some(isStaged));
  const faults: string[] = [];
  const names = calls.filter(({ name, paths: [from = "", to = ""] }) =>
    /^(link|rename)/.test(name) && isStaged(from) && isFinal(to)
  );
  for (const { paths: [from = "", to = ""], began, ended } of names) {
    const written = calls.findLast(({ paths, began: at }) => at < began && paths[1] === from)?.ended ?? -1;
    if (!flushed(from, written, began)) faults.push(`${to} was named before its bytes were flushed`);
    const safe = foldersByLaterFile ? laterFile(ended) : flushed(dirname(to), ended, Infinity);
    if (!safe) faults.push(`the folder of ${to} was not flushed after it was named`);
  }
  for (const { paths: [folder = ""], ended } of calls.filter(({ name }) => name.startsWith("mkdir"))) {
    const safe = foldersByLaterFile ? laterFile(ended) : flushed(dirname(folder), ended, Infinity);
    if (isFinal(folder) && !safe) faults.push(`the folder that holds ${folder} was not flushed after that was made`);
  }
  return { faults, names: names.length, wasFlushed: (path: string) => flushed(join(base, path), -1, Infinity) };
}
