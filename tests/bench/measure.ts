/**
 * Common to the scenarios: running programs by hand, times, medians, trees of files.
 *
 * @module
 */
import { join } from "@std/path";
import { finalNames } from "../support/observer.ts";

/** Seconds that `work` takes. */
export async function seconds(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
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
    if (i % 500 === 0) await Deno.mkdir(join(folder, night(i)), { recursive: true });
    new DataView(content.buffer).setUint32(0, i);
    await Deno.writeFile(join(folder, night(i), `img${String(i).padStart(6, "0")}.dat`), content);
  }
}

function night(i: number): string {
  return String(20260101 + Math.floor(i / 500));
}

/** Resolves when `count` final names are visible below the folder. */
export async function visible(folder: string, count: number, pauseMs = 10): Promise<void> {
  for (;;) {
    let seen = 0;
    for await (const _ of finalNames(folder)) seen++;
    if (seen >= count) return;
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
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

export const MB = 1e6;
export const times = (value: number) => `${value.toFixed(2)} ×`;
export const secs = (value: number) => `${value.toFixed(value < 1 ? 3 : 2)} s`;
