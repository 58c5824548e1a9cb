/**
 * Removes sources where another account may exchange a folder on the way to them at any moment. What is removed is first moved into
 * a folder of ours, in which nobody else can exchange anything, and looked at there. If it is another file, it is put back.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { dirname, join } from "@std/path";
import type { Job } from "../config/settings.ts";
import { printable } from "../domain/names/printable.ts";
import { sameFingerprint, type SourceFile } from "../domain/source_file.ts";
import type { Emit } from "../domain/transfer_event.ts";
import { isOnlyOurs, type Way, wayTo } from "../system/way_to.ts";
import { crashPoint } from "./crash_point.ts";
import type { OutboxSystem } from "./destination_context.ts";

/** The removals of one job. */
export interface GuardedRemoval {
  /**
   * To be called before the last look at a source: gives what removes it afterwards, which gives false where the file was not the
   * source, or may not be. Null where it cannot be removed safely now.
   */
  prepare(source: SourceFile, signal: AbortSignal): Promise<(() => Promise<boolean>) | null>;
  /** Puts back what was moved by a process that ended before it could remove it. Never throws. */
  restore(): Promise<void>;
}

interface Guard {
  readonly job: Job;
  readonly system: OutboxSystem;
  readonly emit: Emit;
  /** Of the folder of ours. */
  readonly name: string;
  /** What was said already. */
  readonly told: Set<string>;
}

/** Moves nothing yet. */
export function guardedRemoval(job: Job, { system, emit }: Pick<Guard, "system" | "emit">): GuardedRemoval {
  const name = `.image-transfer-removing-${
    createHash("sha256").update(`${job.name}\0${job.watchPath}`).digest("hex").slice(0, 16)
  }`;
  const guard: Guard = { job, system, emit, name, told: new Set() };
  return {
    async prepare(source, signal) {
      const folder = dirname(source.absolutePath);
      const way = await steadyWay(guard, folder, signal);
      if (way === null) return null;
      if (way.exchangeable.length === 0) return () => system.remove(source.absolutePath).then(() => true);
      const place = await placeFor(guard, source);
      if (place === null) {
        tellUnsafe(guard, way);
        return null;
      }
      return async () =>
        (await wayTo(folder, job.watchPath, system)).state === way.state && await moveAndRemove(guard, place, source);
    },
    async restore() {
      try {
        for (const base of basesOf(job.watchPath)) await restoreFrom(guard, base);
      } catch (error) {
        emit({ type: "notice", level: "warning", message: `Cannot look for sources that were being removed: ${error}` });
      }
    },
  };
}

/** Null where folders are being exchanged. */
async function steadyWay({ job, system }: Guard, folder: string, signal: AbortSignal): Promise<Way | null> {
  const way = await wayTo(folder, job.watchPath, system);
  if (way.is === "steady") return way;
  if (way.is === "fresh") await system.sleep(FRESH_MS, signal);
  const later = await wayTo(folder, job.watchPath, system);
  return later.is === "steady" ? later : null;
}

/** The watched folder, and those it lies in: a file can be moved only within its file system. */
function basesOf(watchPath: string): string[] {
  return dirname(watchPath) === watchPath ? [watchPath] : [watchPath, ...basesOf(dirname(watchPath))];
}

/** A folder of ours; null where there can be none. */
async function placeFor({ job, system, name }: Guard, { absolutePath }: SourceFile): Promise<string | null> {
  const device = (await system.facts(absolutePath))?.device ?? "";
  for (const base of basesOf(job.watchPath)) {
    if (device === "" || (await system.followedFacts(base))?.device !== device || !await isOnlyOurs(base, system)) continue;
    const place = join(base, name);
    // Not allowed to, or read-only.
    const isMade = await system.makeInside(place, 0o700).then(() => true, () => false);
    const isUsable = isMade && await isOurs(place, system);
    if (isMade) await tidy(system, place, place);
    if (isUsable) return place;
  }
  return null;
}

async function isOurs(place: string, system: OutboxSystem): Promise<boolean> {
  const facts = await system.facts(place);
  return facts?.kind === "folder" && (facts.uid ?? system.uid) === system.uid && (facts.mode & 0o022) === 0;
}

async function moveAndRemove(guard: Guard, place: string, source: SourceFile): Promise<boolean> {
  const { system } = guard;
  const moved = join(place, source.path);
  // What could not be put back.
  if (await system.facts(moved) !== null) return false;
  await system.makeFolder(dirname(moved), 0o700);
  try {
    await system.rename(source.absolutePath, moved);
    crashPoint("after_source_moved", system);
    const facts = await system.facts(moved);
    const isSource = facts?.kind === "file" && sameFingerprint(facts, source);
    if (isSource) await system.remove(moved);
    else await putBack(guard, moved, source.absolutePath, TRIES);
    return isSource;
  } finally {
    await tidy(system, place, dirname(moved));
  }
}

/**
 * Never replaces anything. What was taken from behind a link goes back there: its name is free there alone, so it is tried until the
 * link is there again.
 */
async function putBack({ system, emit }: Guard, moved: string, path: string, tries: number): Promise<void> {
  for (let tried = 0; tried < tries; tried++) {
    if (tried > 0) await system.sleep(AGAIN_MS);
    const isLinked = await system.link(moved, path).then(() => true, () => false);
    if (isLinked) return await system.remove(moved);
    // Without hard links, or for a folder.
    if (await system.facts(path).catch(() => undefined) === null && await isThere(dirname(path), system)) {
      return await system.rename(moved, path);
    }
  }
  const message =
    `Cannot put "${printable(path)}" back: another file has its name. It was moved to "${printable(moved)}" because ` +
    "another account exchanged a folder while delete_source removed files; move it where it belongs";
  emit({ type: "notice", level: "error", message });
}

async function isThere(folder: string, system: OutboxSystem): Promise<boolean> {
  return (await system.followedFacts(folder))?.kind === "folder";
}

/** Removes the folders that are empty now, from the innermost up to the one of ours. */
async function tidy(system: OutboxSystem, place: string, innermost: string): Promise<void> {
  for (let folder = innermost; folder.length >= place.length; folder = dirname(folder)) {
    const isRemoved = await system.remove(folder).then(() => true, () => false);
    if (!isRemoved) return;
  }
}

async function restoreFrom(guard: Guard, base: string): Promise<void> {
  const { job, system } = guard;
  const place = join(base, guard.name);
  if (await system.facts(place) === null || !await isOurs(place, system) || !await isOnlyOurs(base, system)) return;
  if (!await isThere(job.watchPath, system)) return;
  const restoreAll = async (folder: string): Promise<void> => {
    for (const { name, facts } of (await system.list(folder)).entries) {
      const moved = join(folder, name);
      if (facts.kind === "folder") await restoreAll(moved);
      else {
        const path = join(job.watchPath, moved.slice(place.length + 1));
        await system.makeFolder(dirname(path));
        await putBack(guard, moved, path, 1);
      }
    }
    await tidy(system, place, folder);
  };
  await restoreAll(place);
}

function tellUnsafe({ job, emit, told }: Guard, { exchangeable: [folder = ""] }: Way): void {
  if (told.has(folder)) return;
  told.add(folder);
  const message =
    `Job ${job.name} keeps its delivered sources: other accounts may rename what is in "${printable(folder)}", and no folder ` +
    "on that disk is protected from them. Run `chmod go-w` on it, or set its sticky bit (chmod +t)";
  emit({ type: "notice", level: "warning", message });
}

/** Until a change would show. */
const FRESH_MS = 1_100;
const TRIES = 500;
const AGAIN_MS = 5;
