/**
 * Flushing by SFTP, and what it means where the server refuses it. Linux tells of an error of the disk only once (fsync(2)), so what may not have
 * reached the disk goes, or is not believed. But a file system that cannot flush refuses it for every file, and is no reason to send nothing.
 */
import { mapLimit } from "../../async/map_limit.ts";
import { perOwner } from "../../async/mutex.ts";
import { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { MethodContext } from "../method.ts";
import { checkStaging, meaningOfRefusal, pathOf, PRIVATE_FOLDER, refused, said, type SftpBase, strangers } from "./sftp_base.ts";
import type { Handle, Refusal, SftpCalls } from "./sftp_calls.ts";
import { STATUS } from "./sftp_protocol.ts";

/** With whom something is flushed. */
interface Flushing {
  readonly calls: SftpCalls;
  readonly destination: SshDestination;
  readonly context: Pick<MethodContext, "system">;
}

/** Where a flush has worked since the program began: a disk that fails later refuses each of them, as one does that never could. */
const working = perOwner(() => new Set<string>());

/** Files that are flushed at once because they were found. */
const AT_ONCE = 64;

/** Flushes an open file; gives the refusal if the server does not flush it. The file may be closed meanwhile. */
export async function flushOpen({ calls, destination, context }: Flushing, file: Handle): Promise<Refusal | null> {
  const refusal = await calls.flush(file);
  if (refusal === null) working(context.system).add(placeOf(destination));
  return refusal;
}

/** Makes an empty file and flushes it if the server can; gives the refusals of both steps. */
export async function makeEmptyFile(
  flushing: Flushing,
  path: string,
): Promise<{ readonly notMade: Refusal | null; readonly notFlushed: Refusal | null }> {
  const { calls } = flushing;
  const { value: file, refusal } = await calls.create(path, 0o644);
  if (file === null) return { notMade: refusal, notFlushed: null };
  const [notFlushed] = await Promise.all([flushOpen(flushing, file), calls.close(file)]);
  return { notMade: null, notFlushed };
}

/** Makes a flushed file of ours, and removes it. @throws {Failure} where that is refused although flushing has worked there. */
export async function makeAndRemove(base: SftpBase, relative: string): Promise<void> {
  const { notMade, notFlushed } = await makeEmptyFile(base, pathOf(base, relative));
  await base.calls.remove(pathOf(base, relative));
  const refusal = notMade ?? notFlushed;
  if (refusal !== null && hasWorked(base)) throw unflushed(`the new names below ${base.where}`, refusal);
}

/** Finds out whether the server flushes, where that is not known: what it refuses later is an error of the disk then. */
export async function tryFlush(base: SftpBase, relative: string): Promise<void> {
  if (base.calls.flushes && !hasWorked(base)) await makeAndRemove(base, relative);
}

/** Removes a file if the refusal of its flush means that its bytes may not have reached the disk; tells whether it did. */
export async function removeUnflushed(flushing: Flushing, path: string, refusal: Refusal | null): Promise<boolean> {
  if (refusal === null || refusal.code === STATUS.UNSUPPORTED) return false;
  if (!hasWorked(flushing)) {
    if (refusal.code !== STATUS.FAILURE) return false;
    const probe = `${path}.flush`;
    const { notFlushed } = await makeEmptyFile(flushing, probe);
    await flushing.calls.remove(probe);
    if (notFlushed !== null && !hasWorked(flushing)) return false;
  }
  await flushing.calls.remove(path);
  return true;
}

/** What `Session.flush` does: files that were found are opened for reading only. The small file comes after all that was done. */
export async function flush(base: SftpBase, paths: readonly string[]): Promise<void> {
  const { calls, context: { stagingRoot, system } } = base;
  await calls.mkdir(pathOf(base, stagingRoot), PRIVATE_FOLDER);
  await checkStaging(base);
  for (const strange of (await strangers(base, paths, "accept")).values()) throw strange;
  const probe = `${stagingRoot}/found-${system.randomHex(4)}.flush`;
  let readable: Promise<boolean> | null = null;
  await mapLimit(calls.flushes ? paths : [], AT_ONCE, async (relative) => {
    const refusal = await flushClosed(base, relative);
    if (refusal === null || refusal.code === STATUS.UNSUPPORTED) return;
    if (await (readable ??= flushesForReaders(base, probe))) throw unflushed(`"${printable(relative)}"`, refusal);
  });
  await makeAndRemove(base, `${stagingRoot}/adopted.flush`);
}

/** Some servers (on Windows) flush only what is open for writing; true also where nothing is flushed any more. */
async function flushesForReaders(base: SftpBase, probe: string): Promise<boolean> {
  const path = pathOf(base, probe);
  const { notMade, notFlushed } = await makeEmptyFile(base, path);
  const refusal = notMade ?? notFlushed;
  const is = refusal === null ? await flushClosed(base, probe) === null : hasWorked(base);
  await base.calls.remove(path);
  return is;
}

async function flushClosed(base: SftpBase, relative: string): Promise<Refusal | null> {
  const { value: file, refusal } = await base.calls.open(pathOf(base, relative));
  if (file === null) throw refused(`flush "${printable(relative)}"`, refusal);
  const [notFlushed] = await Promise.all([flushOpen(base, file), base.calls.close(file)]);
  return notFlushed;
}

/** The server's refusal to flush, as a failure. */
export function unflushed(what: string, refusal: Refusal): Failure {
  const meaning = meaningOfRefusal(refusal);
  return new Failure(meaning?.code ?? "interrupted", `Cannot flush ${what} to the disk there (${said(refusal)})`, {
    hint: meaning?.hint ?? "It is tried again. If it happens again, check the disk of the server and its free space.",
  });
}

function hasWorked({ calls, destination, context }: Flushing): boolean {
  return calls.flushes && working(context.system).has(placeOf(destination));
}

function placeOf({ transport: { host, user, port }, basePath }: SshDestination): string {
  return [host, user, port, basePath].join("\n");
}
