/**
 * What keeps a watcher waiting that opens it: a named pipe that nobody writes to, a device, or a link to one.
 *
 * @module
 */
import { deadline } from "../../async/deadline.ts";
import { clock } from "../host/clock.ts";
import { splitAtNul } from "../processes/processes.ts";
import { processes } from "../processes/processes.ts";
import { which } from "../processes/which.ts";

/** Absolute path, and what it is in words. */
export interface Blocker {
  readonly path: string;
  readonly kind: "a named pipe" | "a device";
}

/** The first one in a folder; null where there is none, or nobody can tell; "silent" where its disk does not respond. */
export async function findBlocker(root: string, recursive: boolean): Promise<Blocker | "silent" | null> {
  if (await which("find") === null) return null;
  using limit = deadline(PATIENCE_MS, clock);
  // GNU's -xtype follows links; a find without it does without links.
  for (const type of ["-xtype", "-type"]) {
    const path = await firstOf(root, ["-maxdepth", recursive ? "99" : "1", ...typesOf(type), "-print0"], limit.signal);
    if (limit.signal.aborted) return "silent";
    if (path === undefined) continue;
    return path === null ? null : { path, kind: (await Deno.stat(path)).isFifo ? "a named pipe" : "a device" };
  }
  return null;
}

function typesOf(type: string): string[] {
  return ["(", ...["p", "b", "c"].flatMap((letter, index) => index === 0 ? [type, letter] : ["-o", type, letter]), ")"];
}

/** Undefined where this `find` does not know the arguments. */
async function firstOf(root: string, args: readonly string[], signal: AbortSignal): Promise<string | null | undefined> {
  try {
    await using find = await processes.spawn(
      { program: "find", args: [root.endsWith("/") ? root : `${root}/`, ...args] },
      signal,
    );
    await find.closeStdin();
    for await (const path of splitAtNul(find.stdout)) return new TextDecoder().decode(path);
    await find.finished;
    return /unrecognized|unknown (predicate|primary)|illegal/i.test(find.stderr()) ? undefined : null;
  } catch (error) {
    if (signal.aborted) return null;
    throw error;
  }
}

/** Lets go whoever waits for a pipe to be opened at its other end. On Linux, opening it for both never waits. */
export async function release({ path, kind }: Blocker): Promise<void> {
  if (kind !== "a named pipe" || Deno.build.os !== "linux") return;
  // It may be gone, or not ours to open: then the waiting thread is left behind.
  await Deno.open(path, { read: true, write: true }).then((file) => file.close(), () => "left behind");
}

const PATIENCE_MS = 20_000;
