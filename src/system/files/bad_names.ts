/**
 * Finds files and folders whose names are not UTF-8. Deno 2.9 lists them with U+FFFD, and the walk reports them itself;
 * before, they are left out of every listing, and `find` is asked (100,000 files: under 0.1 s of its time).
 *
 * @module
 */
import { NOT_UTF8 } from "./unusable_names.ts";
import { BEFORE_DENO_2_9 } from "../host/deno_version.ts";
import { processes } from "../processes/processes.ts";
import type { WalkBatch, WalkOptions } from "../system.ts";
import { which } from "../processes/which.ts";

/** True where the runtime's listings leave such names out. */
const LEFT_OUT = Deno.build.os !== "windows" && BEFORE_DENO_2_9;

/** What lies under `root` with a name that is not UTF-8, as the walk reports it. Empty where the walk sees it itself. */
export async function findBadNames(root: string, options: WalkOptions, signal: AbortSignal): Promise<WalkBatch["unreadable"]> {
  if (!LEFT_OUT || await which("find") === null) return [];
  const args = [
    // With the slash, a root that is a symlink is entered.
    root.endsWith("/") ? root : `${root}/`,
    "-mindepth",
    "1",
    ...(options.recursive ? [] : ["-maxdepth", "1"]),
    ...(options.skipHidden ? ["-name", ".*", "-prune", "-o"] : []),
    // In the C locale every byte is a character: names with any other than printable ASCII.
    ...["(", "-type", "f", "-o", "-type", "d", ")", "-name", "*[! -~]*", "-print0"],
  ];
  await using child = await processes.spawn({ program: "find", args, env: { LC_ALL: "C" } }, signal);
  await child.closeStdin();
  const found: { path: string; reason: string }[] = [];
  for await (const name of splitAtNul(child.stdout)) {
    if (isUtf8(name)) continue;
    found.push({ path: lossy.decode(name).slice(args[0]?.length), reason: NOT_UTF8 });
  }
  signal.throwIfAborted();
  return found;
}

const strict = new TextDecoder("utf-8", { fatal: true });
const lossy = new TextDecoder();

function isUtf8(bytes: Uint8Array): boolean {
  try {
    strict.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** The pieces between NULs of a stream of bytes. */
export async function* splitAtNul(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let rest = new Uint8Array();
  for await (const piece of stream) {
    const bytes = new Uint8Array(rest.length + piece.length);
    bytes.set(rest);
    bytes.set(piece, rest.length);
    let start = 0;
    for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, start)) {
      yield bytes.subarray(start, end);
      start = end + 1;
    }
    rest = bytes.slice(start);
  }
}
