/**
 * The base path of a destination on a disk of this computer: native paths below it, and the watch that its disk is still
 * the one that was found.
 */
import { dirname, join } from "@std/path";
import { mapLimit } from "../../async/map_limit.ts";
import { type Cause, CAUSES, failure } from "../../domain/causes.ts";
import { Failure } from "../../domain/failure.ts";
import { type Destination, isOnThisComputer, type Job } from "../../config/settings.ts";
import { ancestors } from "../../domain/names/file_name.ts";
import { printable } from "../../domain/names/printable.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { faultOf } from "../../system/fault.ts";
import type { BulkFiles, Fault, PathFacts, System } from "../../system/system.ts";
import type { MethodContext, Mount } from "../method.ts";
import { checkPath } from "../naming.ts";
import { type BehindLink, linkRefused, type Owned, strangersOnTheWay, unsafeBeside, unsafeStaging } from "../staging.ts";

/** What all calls of a session share. */
export interface LocalBase {
  readonly destination: Destination;
  readonly system: System;
  readonly stagingRoot: string;
  /** The base path, absolute and native. */
  readonly folder: string;
  /** Base path and destination, for messages. */
  readonly where: string;
  /** The file system that {@linkcode attach} found: a base path that is suddenly on another one is a mount that went away. */
  device: string | null;
  /** The staging folder that was checked, and the account that folders made there belong to. */
  staging: { readonly identity: string; readonly uid: number | null } | null;
  /** Folders below the base path that were seen to be there, and whose own names are on the disk. */
  readonly flushed: Set<string>;
  /** Staged files that are being flushed, or whose flush failed; it resolves to the error, or null. */
  readonly flushing: Map<string, Promise<unknown>>;
  readonly bulk: BulkFiles;
}

/** Looks at nothing yet. */
export function localBase(
  destination: Destination,
  { system, stagingRoot }: Pick<MethodContext, "system" | "stagingRoot">,
): LocalBase {
  const folder = nativeBase(destination.basePath, system);
  const where = `"${printable(folder)}" (destination ${destination.name})`;
  return {
    destination,
    system,
    stagingRoot,
    folder,
    where,
    device: null,
    staging: null,
    flushed: new Set(),
    flushing: new Map(),
    bulk: system.bulkFiles(),
  };
}

/** What `Session.attach` does. */
export async function attach(base: LocalBase, create: boolean, probe?: string): Promise<Mount> {
  const { system, folder, where } = base;
  base.device = null;
  const made = create && await baseFacts(base) === null;
  if (made) await makeBase(base);
  await checkMount(base);
  try {
    const space = await system.space(folder);
    const facts = await system.followedFacts(folder);
    base.device = facts?.device ?? null;
    if (probe !== undefined) await leaveProbe(base, probe);
    // Disks that follow each other at one port have one device number. Those of network shares and the like have the major number 0
    // (`makedev(3)`): such a server may make up times.
    const isTold = probe !== undefined && facts !== null && system.platform === "linux" &&
      facts.bornMs !== 0 && (Number(facts.device) & 0xfff00) !== 0;
    const mount = { ...space, ...(isTold ? { born: String(facts.bornMs / 1000) } : {}), ...(made ? { made } : {}) };
    // Asked at the first contact only; this is looked at every few seconds.
    if (!create || system.platform === "windows") return mount;
    return { ...mount, onSystemDisk: base.device === (await system.followedFacts("/"))?.device };
  } catch (error) {
    throw await destinationFailure(base, error, `access the folder ${where}`);
  }
}

async function makeBase({ system, folder, where, destination }: LocalBase): Promise<void> {
  try {
    await system.makeFolder(folder);
    if (destination.directoryMode !== null) await system.setMode(folder, destination.directoryMode);
    // So that its own name survives a power cut.
    for (let parent = dirname(folder), child = folder; parent !== child; child = parent, parent = dirname(parent)) {
      await system.sync(parent);
    }
  } catch (error) {
    throw localFailure(error, `create the folder ${where}`);
  }
}

/** Where nothing can be written no probe is needed: no file will be written there either. */
async function leaveProbe(base: LocalBase, probe: string): Promise<void> {
  try {
    await makeBelow(base, pathOf(base, base.stagingRoot), 0o700);
    await checkStaging(base);
    await makeBelow(base, pathOf(base, `${base.stagingRoot}/${probe}`), 0o700);
  } catch (error) {
    if (error instanceof Failure || !UNWRITABLE.has(faultOf(error))) throw error;
  }
}

/**
 * Whether our staging folder is there. Called before anything in it is listed, removed or written, see `staging.ts`.
 *
 * @throws {Failure} `staging_unsafe`
 */
export async function checkStaging(base: LocalBase): Promise<boolean> {
  const { system, stagingRoot, where } = base;
  const root = pathOf(base, stagingRoot);
  const facts = await system.facts(root);
  if (facts === null) return false;
  if (facts.kind !== "folder") throw unsafeStaging(where, stagingRoot, "link");
  if (base.staging !== null && base.staging.identity === facts.identity && facts.identity !== "") return true;
  const probe = join(root, `check-${system.randomHex(4)}`);
  let made: Owned | null = null;
  try {
    await system.makeInside(probe, 0o700);
    made = await system.facts(probe);
  } catch (error) {
    if (!UNWRITABLE.has(faultOf(error))) throw error;
  } finally {
    await system.remove(probe).catch(() => undefined);
  }
  // Where none can be made, nothing will be written there either.
  if (made === null) return true;
  const unsafe = unsafeBeside(facts, made);
  if (unsafe !== null) throw unsafeStaging(where, stagingRoot, unsafe);
  base.staging = { identity: facts.identity, uid: made.uid ?? null };
  return true;
}

const UNWRITABLE: ReadonlySet<string> = new Set(["permission", "read_only", "no_space"]);

/** The native absolute path of a path relative to the base path. @throws {Failure} `name_refused` */
export function pathOf({ folder, where, system }: LocalBase, relative: string): string {
  checkPath(relative, where, system.platform === "windows");
  return join(folder, relative);
}

/** @throws {Failure} when the base path is missing, no folder, or on another device than when we attached. */
export async function checkMount(base: LocalBase): Promise<void> {
  const { where, device } = base;
  const facts = await baseFacts(base);
  if (facts === null || (device !== null && facts.device !== device)) {
    throw failure(CAUSES.base_missing, `Cannot find the folder ${where}${facts ? " on the disk it was on" : ""}`);
  }
  if (facts.kind !== "folder") {
    throw failure(CAUSES.base_not_a_folder, `Cannot use ${where}`);
  }
}

/** Null where nothing is. @throws {Failure} where it cannot be looked at, as below a folder that this account may not enter. */
async function baseFacts({ folder, where, system }: LocalBase): Promise<PathFacts | null> {
  try {
    return await system.followedFacts(folder);
  } catch (error) {
    throw localFailure(error, `access the folder ${where}`);
  }
}

/**
 * Makes one folder below the base path, if it is not there; tells whether it did. Never the base path itself, and nothing in an empty mount point
 * whose disk went away just then.
 *
 * @throws {Failure} as {@linkcode checkMount}; else what the system says.
 */
export async function makeBelow(base: LocalBase, folder: string, mode?: number): Promise<boolean> {
  if (!await base.system.makeInside(folder, mode)) return false;
  try {
    await checkMount(base);
  } catch (lost) {
    // It may have been made in the disk's stead: an empty folder hidden under the disk when it is back.
    await base.system.remove(folder).catch(() => undefined);
    throw lost;
  }
  return true;
}

/** Makes the folders of these staging names. @throws {Failure} as {@linkcode checkMount}; else what the system says. */
export async function makeStaging(base: LocalBase, staged: readonly string[]): Promise<void> {
  await checkMount(base);
  for (const folder of new Set(staged.flatMap((name) => ancestors(name)))) {
    try {
      await makeBelow(base, pathOf(base, folder), 0o700);
      if (folder === base.stagingRoot) await checkStaging(base);
    } catch (error) {
      throw await destinationFailure(base, error, `create the temporary folder "${printable(folder)}"`);
    }
  }
}

/** Why nothing is done with some of these paths: links on the way lead out of what is ours, see `staging.ts`. */
export async function strangers(
  base: LocalBase,
  paths: readonly string[],
  act: BehindLink,
): Promise<ReadonlyMap<string, Failure>> {
  const { destination: { followLinks, noLinks = false }, system, folder, where } = base;
  if ((followLinks && !noLinks) || system.platform === "windows") return new Map();
  const trusted = new Set([0, system.uid, base.staging?.uid, (await system.followedFacts(folder))?.uid]);
  const strange = new Set<string>();
  await mapLimit([...new Set(paths.flatMap((path) => ancestors(path)))], LOOKS_AT_ONCE, async (each) => {
    const facts = await system.facts(join(folder, each)).catch(() => null);
    if (facts?.kind !== "symlink") return;
    if (noLinks || (facts.uid != null && !trusted.has(facts.uid))) strange.add(each);
  });
  if (strange.size === 0) return new Map();
  return strangersOnTheWay(paths, (each) => strange.has(each), (path, link) => {
    if (!noLinks) return linkRefused(path, link, where, act);
    const message = `Cannot ${act} "${printable(path)}" below ${where}: "${printable(link)}" is a link`;
    return new Failure("link_refused", `${message}, and jobs of a PocketBase server follow none`, {
      hint: "Put a folder in its place and run: image-transfer retry. Or write the job into this computer's own file.",
    });
  });
}

const LOOKS_AT_ONCE = 32;

/** An error at the destination as a Failure, after a look whether the base path is still there. */
export async function destinationFailure(base: LocalBase, error: unknown, what: string): Promise<Failure> {
  if (!(error instanceof Failure) && faultOf(error) === "not_found") {
    try {
      await checkMount(base);
    } catch (lost) {
      return localFailure(lost, what);
    }
  }
  return localFailure(error, what);
}

/** A Failure for an error at the destination's side. `what` reads `Cannot <what>: reason`. */
export function localFailure(error: unknown, what: string): Failure {
  if (error instanceof Failure) return error;
  const said = error instanceof Error ? printable(reasonOf(error)) : "";
  return failure(MEANING[faultOf(error)], `Cannot ${what}`, { said, cause: error });
}

const MEANING: Readonly<Record<Fault, Cause>> = {
  not_found: CAUSES.not_there,
  changed: CAUSES.place_taken,
  exists: CAUSES.name_taken,
  permission: CAUSES.permission_denied,
  no_space: CAUSES.full,
  read_only: CAUSES.read_only,
  busy: CAUSES.in_use_there,
  not_a_folder: CAUSES.file_blocks_folder,
  is_a_folder: CAUSES.folder_has_name,
  name_too_long: CAUSES.name_too_long,
  bad_name: CAUSES.name_refused,
  too_many_open_files: CAUSES.too_many_files,
  cross_device: CAUSES.other_file_system,
  unsupported: CAUSES.unsupported,
  io: CAUSES.disk_error,
  aborted: CAUSES.aborted,
  other: CAUSES.system_error,
};

/** The base path in this system's notation; relative ones start at home, as on a remote host. */
function nativeBase(basePath: string, system: Pick<System, "home" | "platform">): string {
  const absolute = basePath.startsWith("/") || (system.platform === "windows" && /^([A-Za-z]:)?[\\/]/.test(basePath));
  return absolute ? join(basePath) : join(system.home, basePath.replace(/^~(?=\/|$)/, "."));
}

/** The folders of this computer that jobs watch or deliver to, absolute: each may be a disk, or a network drive, of its own. */
export function localFolders(jobs: readonly Job[], system: Pick<System, "home" | "platform">): string[] {
  return jobs.flatMap(({ watchPath, destinations }) => [
    watchPath,
    ...destinations.filter(isOnThisComputer).map(({ basePath }) => nativeBase(basePath, system)),
  ]);
}
