/**
 * The labs that stand beside the repository: real surroundings that this machine does not have by itself. Where there
 * are none, their tests are left out.
 */
import { fromFileUrl, join } from "@std/path";

/** What became of a command inside a lab. */
export interface Answer {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const ROOT = fromFileUrl(new URL("../..", import.meta.url));
const LABS = join(ROOT, "..", "shared", "labs");

/** The path of a lab's script; null where it is not there, or we are not root. */
export function lab(script: string): string | null {
  return Deno.build.os === "linux" && Deno.uid() === 0 && exists(join(LABS, script)) ? join(LABS, script) : null;
}

/** The program that the build made: `IMAGE_TRANSFER_BINARY`, or `image-transfer` in the repository. */
export const BINARY = Deno.env.get("IMAGE_TRANSFER_BINARY") ?? join(ROOT, "image-transfer");

/** Runs a program to its end, for two minutes at most: nothing in a lab may hang for ever. */
export async function command(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(), 120_000);
  try {
    const started = new Deno.Command(program, { args: [...args], env, stdin: "null", signal: limit.signal });
    const { code, stdout, stderr } = await started.output();
    return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
  } finally {
    clearTimeout(timer);
  }
}

/** Waits until no other test run on this machine uses the lab, and keeps it until disposed of. */
export async function holdLab(name: string): Promise<Disposable> {
  const file = await Deno.open(`/var/tmp/it-${name}.lock`, { write: true, create: true });
  await file.lock(true);
  return { [Symbol.dispose]: () => file.close() };
}

/** Waits until something holds; throws with `tell()` when it does not in time. */
export async function until(
  what: string,
  done: () => Promise<boolean>,
  tell: () => Promise<string>,
  seconds = 40,
): Promise<void> {
  const deadline = Date.now() + seconds * 1000;
  while (!await done()) {
    if (Date.now() > deadline) throw new Error(`${what}: not in ${seconds} s\n${await tell()}`);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
