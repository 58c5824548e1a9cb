/** Common to the scenarios: running programs by hand, times, medians, trees of files. */
import { join } from "@std/path";
import { fitsFile } from "../support/fits_maker.ts";

/** What some work took, seconds. */
export interface Cost {
  readonly wall: number;
  /** Processor time of all processes below this one, servers included, itself excluded; NaN where it cannot be known. */
  readonly cpu: number;
}

/** Does it and tells what it took. */
export async function cost(work: () => Promise<void>): Promise<Cost> {
  const [cpu, start] = [cpuBelow(), performance.now()];
  await work();
  return { wall: (performance.now() - start) / 1000, cpu: cpuBelow() - cpu };
}

/** Seconds that `work` takes. */
export async function seconds(work: () => Promise<void>): Promise<number> {
  return (await cost(work)).wall;
}

/** Processor seconds that the processes below this one have used, those that have ended included. Linux. */
function cpuBelow(): number {
  if (Deno.build.os !== "linux") return NaN;
  const processes = new Map<number, { parent: number; own: number; ended: number }>();
  for (const { name } of Deno.readDirSync("/proc")) {
    const stat = /^\d+$/.test(name) ? readOrNull(`/proc/${name}/stat`) : null;
    if (stat === null) continue;
    const fields = stat.replace(/^.*\) /s, "").split(" ").map(Number);
    processes.set(Number(name), { parent: fields[1]!, own: fields[11]! + fields[12]!, ended: fields[13]! + fields[14]! });
  }
  const isBelow = (pid: number): boolean => {
    const parent = processes.get(pid)?.parent;
    return parent !== undefined && (parent === Deno.pid || isBelow(parent));
  };
  let ticks = processes.get(Deno.pid)?.ended ?? 0;
  for (const [pid, { own, ended }] of processes) if (isBelow(pid)) ticks += own + ended;
  return ticks / 100;
}

function readOrNull(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}

export async function byHand(program: string, args: readonly string[], cwd?: string): Promise<void> {
  const { success, stderr } = await new Deno.Command(program, {
    args: [...args],
    ...(cwd ? { cwd } : {}),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Writes `count` FITS files of about `bytes` each, of pixels that do not compress, in folders of 500. */
export async function fitsTree(folder: string, count: number, bytes: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    if (i % PER_FOLDER === 0) await Deno.mkdir(join(folder, night(i)), { recursive: true });
    await Deno.writeFile(join(folder, night(i), `img${String(i).padStart(7, "0")}.fits`), fitsFile(bytes, i + 1));
  }
}

function night(i: number): string {
  return `part${String(Math.floor(i / PER_FOLDER)).padStart(4, "0")}`;
}

/**
 * Resolves when every file below `source` is visible below `there`. Folders that are complete are not listed again: the look
 * must not cost the time that it measures.
 *
 * @throws {TooSlow} after `limitSeconds`.
 */
export async function visible(source: string, there: string, limitSeconds = 600): Promise<void> {
  const begin = performance.now();
  for (const [folder, names] of await filesByFolder(source)) {
    for (const missing = new Set(names); missing.size > 0;) {
      for (const name of await namesIn(join(there, folder))) missing.delete(name);
      if (performance.now() - begin > limitSeconds * 1000) throw new TooSlow(`${missing.size} files of ${folder} are missing`);
      if (missing.size > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    }
  }
}

async function filesByFolder(root: string, folder = "."): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(join(root, folder))) {
    if (!isDirectory) names.push(name);
    else for (const [below, its] of await filesByFolder(root, join(folder, name))) found.set(below, its);
  }
  return names.length > 0 ? found.set(folder, names) : found;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

const PER_FOLDER = 500;
const LOOK_AGAIN_MS = 5;

/** Not all files were visible in time. */
export class TooSlow extends Error {}

/**
 * A folder dropped as a user drops it, but for the time that copying takes: copied beside the watched folder, on the same disk,
 * and moved into it. From the move to the last file verified and visible.
 *
 * @throws {TooSlow} after `limitSeconds`.
 */
export async function drop(source: string, watched: string, there: string, limitSeconds = 600): Promise<Cost> {
  const copy = `${watched}-next`;
  await byHand("cp", ["-r", source, copy]);
  await settleDisks();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  return await cost(async () => {
    await Deno.rename(copy, join(watched, "night"));
    await visible(source, join(there, "night"), limitSeconds);
  });
}

/** Has a daemon deliver some files, so that its engine has compiled what it needs: a daemon runs for months. */
export async function warmUp(watched: string, there: string, count: number): Promise<void> {
  const former = `${watched}-former`;
  await fitsTree(former, count, 10_000);
  await Deno.rename(former, join(watched, "former"));
  await visible(join(watched, "former"), join(there, "former"));
}

/** Writes everything to the disks, so that one contestant does not pay for another's pages. */
export async function settleDisks(): Promise<void> {
  await byHand("sync", []);
}

/** Resident memory and processor seconds of a process and its children, from /proc. */
export async function processUse(pid: number): Promise<{ rssBytes: number; peakBytes: number; cpuSeconds: number }> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`);
  const kilobytes = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const fields = (await Deno.readTextFile(`/proc/${pid}/stat`)).replace(/^.*\) /, "").split(" ").map(Number);
  const ticks = fields[11]! + fields[12]! + fields[13]! + fields[14]!;
  return { rssBytes: kilobytes("VmRSS") * 1024, peakBytes: kilobytes("VmHWM") * 1024, cpuSeconds: ticks / 100 };
}

/**
 * Medians of the ratios in each round, of wall and of processor time: what else the machine does weighs on both alike.
 */
export function ratios(a: readonly Cost[], b: readonly Cost[]): readonly [wall: number, cpu: number] {
  return [median(a.map(({ wall }, round) => wall / b[round]!.wall)), median(a.map(({ cpu }, round) => cpu / b[round]!.cpu))];
}

export const MB = 1e6;
export const times = (value: number) => `${value.toFixed(2)} ×`;
export const secs = (value: number) => `${value.toFixed(value < 1 ? 3 : 2)} s`;
