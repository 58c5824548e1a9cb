/**
 * The destination's files where its disk is mounted on this computer: everything of a Session but `put`.
 * Final names are given by `link`, which never replaces, or by an atomic `rename`; folders are flushed last.
 *
 * @module
 */
import { join } from "@std/path";
import { Failure, failureRecord } from "../../domain/failure.ts";
import type { Destination } from "../../domain/job.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { faultOf } from "../../system/fault.ts";
import type { Files, PathFacts, System } from "../../system/system.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { createLocalNames } from "./local_names.ts";
import { localFailure } from "./local_failures.ts";
import type { MethodContext, Publication, PublishOutcome, Session } from "../method.ts";
import { refusedByWindows } from "../windows_names.ts";

/** The calls of a Session that send nothing, and what `put` needs. */
export interface LocalFiles extends Pick<Session, "attach" | "survey" | "digest" | "publish" | "flush" | "leftovers" | "sweep"> {
  /** The native absolute path of a path relative to the base path. @throws {Failure} `name_refused` */
  path(relative: string): string;
  /** @throws {Failure} when the base path is missing, no folder, or on another device than when we attached. */
  checkMount(): Promise<void>;
  /**
   * Makes one folder below the base path, if it is not there. Never the base path itself, and nothing in an empty mount point
   * whose disk went away just then.
   *
   * @throws {Failure} as {@linkcode LocalSide.checkMount}; else what the system says.
   */
  makeBelow(folder: string, mode?: number): Promise<void>;
  /** This error as a Failure, after a look whether the base path is still there. */
  blame(error: unknown, what: string): Promise<Failure>;
}

/** Files of a folder are worked on side by side: flushes of several files share one journal commit. */
const AT_ONCE = 8;
/** Short looks: many at once are cheaper than many one by one. */
const LOOKS_AT_ONCE = 128;
const LARGE_AT_ONCE = 4;
/** Files of less than this are small, bytes. */
export const SMALL_BYTES = 1024 * 1024;

/**
 * Remembers the device found by `attach`: from then on another one is `device_missing`. The folders it has flushed are remembered
 * too.
 */
export function localFiles(destination: Destination, context: Pick<MethodContext, "system" | "stagingRoot">): LocalFiles {
  const { system, stagingRoot } = context;
  const base = nativeBase(destination.basePath, system);
  const names = createLocalNames(base, system, makeBelow);
  const where = `"${printable(base)}" (destination ${destination.name})`;
  /** The file system that was found at attach: a base path that is suddenly on another one is a mount that went away. */
  let device: string | null = null;

  function path(relative: string): string {
    const parts = relative.split("/");
    if (parts.some((part) => part === "" || part === "." || part === ".." || part.includes("\0"))) {
      throw new Failure("name_refused", `Cannot use "${printable(relative)}" as a path below ${where}`);
    }
    const refused = system.platform === "windows" ? parts.find(refusedByWindows) : undefined;
    if (refused !== undefined) {
      throw new Failure(
        "name_refused",
        `Cannot write "${printable(relative)}": Windows does not allow the name "${printable(refused)}"`,
        {
          hint: "Rename the file, or change the layout.",
        },
      );
    }
    return join(base, ...parts);
  }

  async function checkMount(): Promise<void> {
    const facts = await system.followedFacts(base);
    if (facts === null || (device !== null && facts.device !== device)) {
      throw new Failure("device_missing", `Cannot find the folder ${where}${facts ? " on the disk it was on" : ""}`, {
        hint: "Mount the disk or network drive, or correct remote_base_path.",
      });
    }
    if (facts.kind !== "folder") {
      throw new Failure("not_a_folder", `Cannot use ${where}: it is not a folder`, { hint: "Correct remote_base_path." });
    }
  }

  async function makeBelow(folder: string, mode?: number): Promise<void> {
    if (!await system.makeInside(folder, mode)) return;
    try {
      await checkMount();
    } catch (lost) {
      // It may have been made in the disk's stead: an empty folder hidden under the disk when it is back.
      await system.remove(folder).catch(() => undefined);
      throw lost;
    }
  }

  /** Where nothing can be written no probe is needed: no file will be written there either. */
  async function leaveProbe(probe: string): Promise<void> {
    try {
      await makeBelow(path(stagingRoot), 0o700);
      await makeBelow(path(`${stagingRoot}/${probe}`), 0o700);
    } catch (error) {
      if (error instanceof Failure || !UNWRITABLE.has(faultOf(error))) throw error;
    }
  }

  async function blame(error: unknown, what: string): Promise<Failure> {
    if (error instanceof Failure) return error;
    if (faultOf(error) === "not_found") {
      try {
        await checkMount();
      } catch (lost) {
        return localFailure(lost, what);
      }
    }
    return localFailure(error, what);
  }

  async function publishOne(item: Publication, changed: Set<string>, signal: AbortSignal): Promise<PublishOutcome> {
    try {
      return { published: true, ...await names.give(path(item.staged), item, path, changed, signal) };
    } catch (error) {
      signal.throwIfAborted();
      const failure = await blame(error, `write "${printable(item.target)}" to ${where}`);
      return { published: false, failure: failureRecord(failure) };
    }
  }

  async function digestOf({ relative, file }: { relative: string; file: string }, signal: AbortSignal): Promise<Digest | null> {
    try {
      return await system.hash(file, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (faultOf(error) === "not_found") return null;
      const what = `read "${printable(relative)}" back from ${where}`;
      if (!OF_ONE_FILE.has(faultOf(error))) throw localFailure(error, what);
      try {
        await checkMount();
      } catch (lost) {
        throw localFailure(lost, what);
      }
      // The disk is there: this is the file's own trouble, and must not hold all others.
      throw new Failure("mismatch", localFailure(error, what).message, {
        hint:
          "Give the account that runs image-transfer permission to read it, or move it away; if its permissions are right, check the disk.",
        cause: error,
      });
    }
  }

  return {
    path,
    checkMount,
    makeBelow,
    blame,
    attach: async (create, _signal, probe) => {
      device = null;
      const made = create && await system.followedFacts(base) === null;
      if (made) {
        try {
          await system.makeFolder(base);
          if (destination.directoryMode !== null) await system.setMode(base, destination.directoryMode);
          await names.flushUpwards(base);
        } catch (error) {
          throw localFailure(error, `create the folder ${where}`);
        }
      }
      await checkMount();
      try {
        const space = await system.space(base);
        device = (await system.followedFacts(base))?.device ?? null;
        if (probe !== undefined) await leaveProbe(probe);
        const mount = made ? { ...space, made } : space;
        // Asked at the first contact only; this is looked at every few seconds.
        if (!create || system.platform === "windows") return mount;
        return { ...mount, onSystemDisk: device === (await system.followedFacts("/"))?.device };
      } catch (error) {
        throw await blame(error, `access the folder ${where}`);
      }
    },
    survey: (paths) =>
      mapLimit(paths, LOOKS_AT_ONCE, async (relative) => {
        const facts = await stat(path(relative), system);
        if (facts === null) return null;
        const kind = facts.kind === "symlink" ? "other" : facts.kind;
        return { bytes: facts.size, kind, ...(facts.identity === "" ? {} : { identity: facts.identity }) };
      }),
    digest: async (paths, signal) => {
      const files = paths.map((relative) => ({ relative, file: path(relative) }));
      const found = await mapLimit(files, LOOKS_AT_ONCE, ({ file }) => stat(file, system));
      const digests: (Digest | null)[] = paths.map(() => null);
      const numbers = [...paths.keys()].filter((index) => found[index]?.kind === "file");
      const isSmall = (index: number) => (found[index]?.size ?? 0) < SMALL_BYTES;
      const hash = async (index: number) => {
        digests[index] = await digestOf(files[index]!, signal);
      };
      await mapLimit(numbers.filter(isSmall), LOOKS_AT_ONCE, hash);
      await mapLimit(numbers.filter((index) => !isSmall(index)), LARGE_AT_ONCE, hash);
      return digests;
    },
    publish: async (items, signal) => {
      await checkMount();
      const changed = new Set<string>();
      const outcomes: PublishOutcome[] = [];
      await mapLimit(byTarget(items), AT_ONCE, async (indices) => {
        for (const index of indices) {
          signal.throwIfAborted();
          outcomes[index] = await publishOne(items[index]!, changed, signal);
        }
      });
      try {
        // Folders last and once each: a rename is on the disk when its folder is.
        await mapLimit([...changed], AT_ONCE, (folder) => system.sync(folder));
        names.remember(changed);
      } catch (error) {
        names.forget();
        throw await blame(error, `flush folders of ${where} to the disk`);
      }
      return outcomes;
    },
    flush: async (paths) => {
      const places = new Set<string>();
      for (const relative of paths) {
        places.add(path(relative));
        for (const folder of ancestors(relative)) places.add(path(folder));
      }
      try {
        await mapLimit([base, ...places], AT_ONCE, (place) => system.sync(place));
      } catch (error) {
        throw await blame(error, `flush files of ${where} to the disk`);
      }
    },
    leftovers: async () => {
      if (await system.followedFacts(path(stagingRoot)) === null) return [];
      const { entries } = await system.list(path(stagingRoot));
      return entries.filter(({ facts }) => facts.kind === "folder").map(({ name }) => name);
    },
    sweep: async (attempts) => {
      const folders = attempts === null ? [stagingRoot] : attempts.map((attempt) => `${stagingRoot}/${attempt}`);
      for (const folder of folders) {
        try {
          await system.removeTree(path(folder));
        } catch (error) {
          throw localFailure(error, `remove the temporary folder "${printable(folder)}" from ${where}`);
        }
      }
    },
  };
}

/** The folders on the way to a relative path, the highest first. */
export function ancestors(relative: string): string[] {
  const parts = relative.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** The numbers of the items, those for one name together: the later of two is the newer. */
function byTarget(items: readonly Publication[]): number[][] {
  const groups = new Map<string, number[]>();
  items.forEach(({ target }, index) => groups.set(nameKey(target), [...groups.get(nameKey(target)) ?? [], index]));
  return [...groups.values()];
}

/** What a path leads to; a symlink that leads nowhere as itself; null where there is, or can be, nothing. */
async function stat(path: string, system: Pick<Files, "facts" | "followedFacts">): Promise<PathFacts | null> {
  try {
    return await system.followedFacts(path) ?? await system.facts(path);
  } catch (error) {
    if (NOTHING.has(faultOf(error))) return null;
    throw localFailure(error, `access "${printable(path)}"`);
  }
}
const NOTHING: ReadonlySet<string> = new Set(["not_found", "not_a_folder", "name_too_long", "bad_name"]);

const UNWRITABLE: ReadonlySet<string> = new Set(["permission", "read_only", "no_space"]);

/** What keeps one file from being read while others can be. */
const OF_ONE_FILE: ReadonlySet<string> = new Set(["permission", "busy", "io"]);

/** The base path in this system's notation; relative ones start at home, as on a remote host. */
export function nativeBase(basePath: string, system: Pick<System, "home" | "platform">): string {
  const absolute = basePath.startsWith("/") || (system.platform === "windows" && /^([A-Za-z]:)?[\\/]/.test(basePath));
  return absolute ? join(basePath) : join(system.home, basePath.replace(/^~(?=\/|$)/, "."));
}
