/**
 * Which delivered files are no longer at the source. What cannot be looked at is not missing.
 *
 * @module
 */
import type { Job } from "../../config/settings.ts";
import type { MirrorLedger } from "../../ledger/mirror_ledger.ts";
import { faultOf } from "../../system/fault.ts";
import type { System } from "../../system/system.ts";

/** What was found. */
export interface MissingFiles {
  /** Paths of delivered files that are not there. */
  readonly missing: readonly string[];
  /** So many delivered files are looked for in all. */
  readonly known: number;
  /** The identity of the watched folder. */
  readonly root: string;
}

type LookingSystem = Pick<System, "names" | "facts" | "followedFacts" | "separator" | "sleep">;

/** Paths are read so many at a time: the ledger blocks everything else meanwhile. */
const AT_ONCE = 2_000;

/** Looks for every delivered file of the mirrors among `destinations`; null where the watched folder is not there. */
export async function findMissing(
  { name, watchPath }: Pick<Job, "name" | "watchPath">,
  destinations: readonly string[],
  ledger: Pick<MirrorLedger, "keptPaths">,
  system: LookingSystem,
  signal: AbortSignal,
): Promise<MissingFiles | null> {
  const before = await system.followedFacts(watchPath);
  if (before?.kind !== "folder") return null;
  const folders = folderNames(system);
  const root = watchPath.endsWith(system.separator) ? watchPath : watchPath + system.separator;
  const missing: string[] = [];
  let known = 0;
  for (let after = "";;) {
    const page = ledger.keptPaths(name, destinations, after, AT_ONCE);
    const last = page.at(-1);
    if (last === undefined) break;
    for (const { path, absolutePath } of page) {
      signal.throwIfAborted();
      // Of another folder that the job watched before: nothing is known about it.
      if (absolutePath !== root + path.replaceAll("/", system.separator)) continue;
      known += 1;
      if (await isMissing(absolutePath, folders, system)) missing.push(path);
    }
    after = last.path;
    await system.sleep(0, signal);
  }
  // Its disk may have gone while it was looked at.
  const now = await system.followedFacts(watchPath);
  return now?.kind === "folder" && now.identity === before.identity ? { missing, known, root: now.identity } : null;
}

async function isMissing(absolutePath: string, folders: ReturnType<typeof folderNames>, system: LookingSystem): Promise<boolean> {
  const cut = absolutePath.lastIndexOf(system.separator);
  const names = await folders(absolutePath.slice(0, cut));
  if (names === "unreadable" || names.has(absolutePath.slice(cut + 1))) return false;
  // Some file systems take several spellings for one name.
  return await system.facts(absolutePath).then((facts) => facts === null, () => false);
}

/** The names in folders; those of the last folders are kept. */
function folderNames(system: Pick<System, "names">) {
  const kept = new Map<string, ReadonlySet<string> | "unreadable">();
  return async (folder: string): Promise<ReadonlySet<string> | "unreadable"> => {
    const known = kept.get(folder);
    if (known !== undefined) return known;
    const names = await system.names(folder).then((all) => new Set(all), (error) => {
      const fault = faultOf(error);
      return fault === "not_found" || fault === "not_a_folder" ? new Set<string>() : "unreadable" as const;
    });
    if (kept.size >= MOST_FOLDERS) kept.delete(kept.keys().next().value!);
    kept.set(folder, names);
    return names;
  };
}

const MOST_FOLDERS = 16;
