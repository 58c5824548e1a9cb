/**
 * Checks a dirty folder: looks at the names that events told of, lists the folder after them, and descends into folders that were
 * just made, as what was put into them before the watch was there gave no event.
 */
import { folderOf, lastPart, pathIn } from "../../domain/names/file_name.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { chunks } from "../../domain/chunks.ts";
import { Failure } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import type { FileFacts } from "../../domain/source_file.ts";
import { faultOf } from "../../system/fault.ts";
import type { PathFacts, System } from "../../system/system.ts";
import { absolute, type IntakeContext } from "../intake_context.ts";
import { isMarker, markersOf } from "../patterns.ts";
import { isAll, noteFiles, statFiles } from "../settle/note_files.ts";
import { settleFiles } from "../settle/settle_files.ts";
import type { FolderWork, Touch } from "./events.ts";

/** Does what is due in one folder; should that fail, all that is in it is due again some seconds later. */
export async function checkFolder(context: IntakeContext, work: FolderWork, signal: AbortSignal): Promise<void> {
  const { folder, names, whole, deep } = work;
  try {
    if (!await isRealFolder(context, folder)) {
      return names.forEach((touches, name) => vanished(context, pathIn(folder, name), touches));
    }
    for (const some of chunks([...names], FILES_AT_ONCE)) await checkNames(context, folder, new Map(some), signal);
    if (whole) await listFolder(context, folder, deep, signal);
  } catch (error) {
    context.dirty.list(folder, context.system.monotonic(), AGAIN_MS, true);
    if (signal.aborted || error instanceof Failure || faultOf(error) === "other") throw error;
    // The scans say so of the watched folder itself.
    if (folder !== "") context.unreadable.note(folder, reasonOf(error));
  }
}

/** No part of the path is a symlink: nothing outside the watched folder is ever looked at. */
async function isRealFolder(context: IntakeContext, folder: string): Promise<boolean> {
  for (let part = folder; part !== ""; part = folderOf(part)) {
    const facts = await context.system.facts(absolute(context, part));
    if (facts?.kind !== "folder") return false;
  }
  return true;
}

async function checkNames(
  context: IntakeContext,
  folder: string,
  names: FolderWork["names"],
  signal: AbortSignal,
): Promise<void> {
  const touchesOf = (path: string) => names.get(lastPart(path)) ?? NO_TOUCHES;
  const isNew = (path: string) => touchesOf(path).has("create") || touchesOf(path).has("rename");
  const touch = context.candidates.lastTouch();
  const { files, folders, marked } = await findNames(context, folder, names, signal);
  const { open, known, aside } = noteFiles(context, files, { touch, news: (path) => isNew(path) ? "created" : "changed" });
  if (aside.length > 0) context.aside.heard();
  // Heard of after its bytes may have been read. Only Linux tells of closes, the others of writes alone.
  context.rereads.ask(known.filter((path) => touchesOf(path).has("close") || touchesOf(path).has("write")));
  const all = marked.length > 0 ? [...open, ...await statFiles(context, marked, signal, { retry: true })] : open;
  if (all.length > 0) await settleFiles(context, all, signal);
  for (const path of folders.filter(isNew)) {
    await listFolder(context, path, true, signal);
    context.dirty.list(path, context.system.monotonic(), context.job.debounceMs, true);
  }
}

/** What there is by these names: files and folders that are wanted, and the files that a marker among them speaks for. */
async function findNames(context: IntakeContext, folder: string, names: FolderWork["names"], signal: AbortSignal) {
  const { job, patterns, unreadable } = context;
  const files: FileFacts[] = [];
  const folders: string[] = [];
  const marked: string[] = [];
  await mapLimit([...names], STATS_AT_ONCE, async ([name, touches]) => {
    const path = pathIn(folder, name);
    const facts = await factsOf(context, path);
    if (facts === null) vanished(context, path, touches);
    if (facts?.kind === "folder" && patterns.enters(path)) folders.push(path);
    if (facts?.kind === "file") unreadable.noteReserved([{ path }]);
    if (facts?.kind === "file" && patterns.wants(path)) files.push({ path, ...facts });
    if (facts?.kind !== "file" || job.completeness !== "marker" || !isMarker(name, job.marker)) return;
    // One by one: a marker may speak for a whole folder, and a call cannot take a hundred thousand arguments.
    for (const waiting of markedBy(context, path)) marked.push(waiting);
  }, signal);
  return { files, folders, marked };
}

/** Null where there is nothing; undefined, and listed as unreadable, where it cannot be looked at. */
async function factsOf(context: IntakeContext, path: string): Promise<PathFacts | null | undefined> {
  try {
    return await context.system.facts(absolute(context, path));
  } catch (error) {
    context.unreadable.note(path, reasonOf(error));
    return undefined;
  }
}

function markedBy({ job, candidates }: IntakeContext, marker: string): string[] {
  const inFolder = candidates.waiting().filter(({ path }) => folderOf(path) === folderOf(marker));
  return inFolder.map(({ path }) => path).filter((path) => markersOf(lastPart(path), job.marker).includes(lastPart(marker)));
}

function vanished({ job, patterns, candidates, emit }: IntakeContext, path: string, touches: ReadonlySet<Touch>): void {
  candidates.forget(path);
  const told = (["remove", "rename"] as const).some((event) => touches.has(event) && job.watchEvents.includes(event));
  if (told && patterns.wants(path)) emit({ type: "removed", job: job.name, path, ...isAll(job) });
}

/**
 * Lists a folder, and with `deep` those below. Some files are settled at once, so that they can be sent meanwhile; the others together,
 * whatever folders they are in, as each look for their writers goes over all processes.
 */
async function listFolder(context: IntakeContext, top: string, deep: boolean, signal: AbortSignal): Promise<void> {
  const { system, patterns, candidates, unreadable, dirty } = context;
  const folders = [top];
  let found: FileFacts[] = [];
  let touch = candidates.lastTouch();
  let atOnce = FILES_AT_ONCE;
  const settleFound = async () => {
    const { open, aside } = noteFiles(context, found, { touch });
    if (aside.length > 0) context.aside.heard();
    found = [];
    if (open.length > 0) await settleFiles(context, open, signal);
  };
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    const begun = system.monotonic();
    if (found.length === 0) touch = candidates.lastTouch();
    const listing = await listOrNull(context, folder);
    if (listing === null) continue;
    for (const { name, facts } of listing.entries) {
      const path = pathIn(folder, name);
      if (facts.kind === "folder" && deep && patterns.enters(path)) folders.push(path);
      if (facts.kind === "file") unreadable.noteReserved([{ path }]);
      if (facts.kind !== "file" || !patterns.wants(path)) continue;
      found.push({ path, ...facts });
      if (found.length < atOnce) continue;
      await settleFound();
      atOnce = MOST_AT_ONCE;
    }
    for (const { name, reason } of listing.unreadable) unreadable.note(pathIn(folder, name), reason);
    dirty.listed(folder, system.monotonic(), system.monotonic() - begun);
  }
  await settleFound();
}

async function listOrNull(context: IntakeContext, folder: string): Promise<Awaited<ReturnType<System["list"]>> | null> {
  const { system, unreadable, dirty } = context;
  try {
    return await system.list(absolute(context, folder));
  } catch (error) {
    // Gone again, or not ours to read: the scans say so, also of the watched folder itself.
    if (folder === "" && faultOf(error) !== "not_found") dirty.list(folder, system.monotonic(), AGAIN_MS, true);
    if (folder === "" || await system.facts(absolute(context, folder)).catch(() => null) === null) return null;
    unreadable.note(folder, reasonOf(error));
    return null;
  }
}

const NO_TOUCHES: ReadonlySet<Touch> = new Set();
const AGAIN_MS = 5_000;
const FILES_AT_ONCE = 500;
const MOST_AT_ONCE = 2_000;
const STATS_AT_ONCE = 128;
