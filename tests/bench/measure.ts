/**
 * Common to the scenarios: running programs by hand, times, medians, trees of files.
 *
 * @module
 */
import { join } from "@std/path";

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

/** Writes `count` files of `bytes` random bytes that do not compress, in folders of 500. */
export async function randomFiles(folder: string, count: number, bytes: number): Promise<void> {
  const content = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65536) crypto.getRandomValues(content.subarray(at, Math.min(at + 65536, bytes)));
  for (let i = 0; i < count; i++) {
    if (i % PER_FOLDER === 0) await Deno.mkdir(join(folder, night(i)), { recursive: true });
    new DataView(content.buffer).setUint32(0, i);
    await Deno.writeFile(join(folder, night(i), `img${String(i).padStart(6, "0")}.dat`), content);
  }
}

function night(i: number): string {
  return String(20260101 + Math.floor(i / PER_FOLDER));
}

/**
 * Resolves when `count` files of {@linkcode randomFiles} are visible below the folder. Folders that are complete are not
 * listed again: the look must not cost the time that it measures.
 */
export async function visible(folder: string, count: number): Promise<void> {
  for (let first = 0; first < count; first += PER_FOLDER) {
    const wanted = Math.min(PER_FOLDER, count - first);
    while (await filesIn(join(folder, night(first))) < wanted) await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
  }
}

async function filesIn(folder: string): Promise<number> {
  try {
    // rsync and lsyncd write under hidden names first.
    return (await Array.fromAsync(Deno.readDir(folder))).filter(({ name }) => !name.startsWith(".")).length;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return 0;
    throw error;
  }
}

const PER_FOLDER = 500;
const LOOK_AGAIN_MS = 10;

/** Has a daemon that watches `watched` deliver 1,000 small files to `there`. */
export async function warmUp(watched: string, there: string): Promise<void> {
  const folder = "warm-up";
  await randomFiles(join(watched, folder), 1000, 1000);
  await visible(join(there, folder), 1000);
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
