/** What is at a destination on a disk of this computer: found, hashed, flushed. */
import { mapLimit } from "../../async/map_limit.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import { ancestors } from "../../domain/names/file_name.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { faultOf } from "../../system/fault.ts";
import type { Files, PathFacts } from "../../system/system.ts";
import type { Stat } from "../method.ts";
import { checkMount, destinationFailure, type LocalBase, localFailure, pathOf, strangers } from "./local_base.ts";

/** Flushes of several files share one journal commit. */
export const FLUSHES_AT_ONCE = 8;
/** Short looks: many at once are cheaper than many one by one. */
export const LOOKS_AT_ONCE = 128;
/** More large files at once only make the disk seek. */
export const LARGE_AT_ONCE = 4;
/** Files of less than this are small, bytes. */
export const SMALL_BYTES = 1024 * 1024;

/** What `Session.survey` does. */
export function survey(base: LocalBase, paths: readonly string[]): Promise<(Stat | null)[]> {
  return mapLimit(paths, LOOKS_AT_ONCE, async (path) => statOf(await factsOf(pathOf(base, path), base.system, "followed")));
}

export function statOf(facts: PathFacts | null): Stat | null {
  if (facts === null) return null;
  const kind = facts.kind === "symlink" ? "other" : facts.kind;
  return { bytes: facts.size, kind, ...(facts.identity === "" ? {} : { identity: facts.identity }) };
}

/** What is at a path, or what it leads to; a symlink that leads nowhere as itself; null where there is, or can be, nothing. */
export async function factsOf(
  path: string,
  system: Pick<Files, "facts" | "followedFacts">,
  what: "itself" | "followed",
): Promise<PathFacts | null> {
  try {
    const facts = await system.facts(path);
    return facts?.kind === "symlink" && what === "followed" ? await system.followedFacts(path) ?? facts : facts;
  } catch (error) {
    if (NOTHING.has(faultOf(error))) return null;
    throw localFailure(error, `access "${printable(path)}"`);
  }
}

/** What `Session.modifiedAt` does. */
export async function modifiedAt(base: LocalBase, relative: string): Promise<number | null> {
  return (await factsOf(pathOf(base, relative), base.system, "followed"))?.mtimeMs ?? null;
}

const NOTHING: ReadonlySet<string> = new Set(["not_found", "not_a_folder", "name_too_long", "bad_name"]);

/** What `Session.digest` does. */
export async function digest(base: LocalBase, paths: readonly string[], signal: AbortSignal): Promise<(Digest | null)[]> {
  const digests = await base.bulk.hash(paths.map((path) => pathOf(base, path)), signal);
  const others = [...paths.keys()].filter((index) => digests[index] === null);
  const stats = await survey(base, others.map((index) => paths[index]!));
  const found = new Map(others.map((index, at) => [index, stats[at]]));
  const files = others.filter((index) => found.get(index)?.kind === "file");
  const isSmall = (index: number) => found.get(index)!.bytes < SMALL_BYTES;
  const hash = async (index: number) => {
    digests[index] = await digestOf(base, paths[index]!, signal);
  };
  await mapLimit(files.filter(isSmall), LOOKS_AT_ONCE, hash);
  await mapLimit(files.filter((index) => !isSmall(index)), LARGE_AT_ONCE, hash);
  for (const [index, path] of paths.entries()) if (digests[index] === null) await checkFlushed(base, path);
  return digests;
}

/** Throws where the file is gone because it could not be flushed. */
async function checkFlushed(base: LocalBase, relative: string): Promise<void> {
  const path = pathOf(base, relative);
  const error = await base.flushing.get(path) ?? null;
  if (error === null) return;
  base.flushing.delete(path);
  throw await destinationFailure(base, error, `flush "${printable(relative)}" to ${base.where}`);
}

async function digestOf(base: LocalBase, relative: string, signal: AbortSignal): Promise<Digest | null> {
  try {
    return await base.system.hash(pathOf(base, relative), signal);
  } catch (error) {
    signal.throwIfAborted();
    if (faultOf(error) === "not_found") return null;
    const what = `read "${printable(relative)}" back from ${base.where}`;
    const told = localFailure(error, what);
    if (!OF_ONE_FILE.has(faultOf(error))) throw told;
    await checkMount(base).catch((lost) => {
      throw localFailure(lost, what);
    });
    // The disk is there: this is the file's own trouble, and must not hold all others.
    throw failure(CAUSES.not_read_back, told.message, { cause: error });
  }
}

/** What keeps one file from being read while others can be. */
const OF_ONE_FILE: ReadonlySet<string> = new Set(["permission", "busy", "io"]);

/** What `Session.flush` does. */
export async function flush(base: LocalBase, paths: readonly string[]): Promise<void> {
  for (const strange of (await strangers(base, paths, "accept")).values()) throw strange;
  const places = new Set(paths.flatMap((relative) => [relative, ...ancestors(relative)]).map((each) => pathOf(base, each)));
  try {
    await mapLimit([base.folder, ...places], FLUSHES_AT_ONCE, (place) => base.system.sync(place));
  } catch (error) {
    throw await destinationFailure(base, error, `flush files of ${base.where} to the disk`);
  }
}
