/**
 * A final name that could not be had at once by SFTP: finds out why, and does what the conflict policy says.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Publication, Stat } from "../method.ts";
import { cannotWrite, ofThisFile, resolveConflict } from "../naming.ts";
import { checkBase, isFolder, look, meaningOfRefusal, pathOf, refused, said, type SftpBase, tryToWrite } from "./sftp_base.ts";
import { TURN } from "../turn.ts";
import type { Refusal } from "./sftp_calls.ts";
import { STATUS } from "./sftp_protocol.ts";
import { digest } from "./sftp_read_back.ts";

/** Folders on the way may have been removed since they were made. */
export async function giveTakenName(
  base: SftpBase,
  item: Publication,
  remakeFolders: () => Promise<void>,
  signal: AbortSignal,
): Promise<{ former?: string }> {
  const [staged, target] = [pathOf(base, item.staged), pathOf(base, item.target)];
  const [there, ours] = await Promise.all([look(base, target), look(base, staged)]);
  if (ours === null) {
    throw cannotWrite(item, base.where, "mismatch", "the file that was sent is no longer there", "It is sent again.");
  }
  if (there === null) {
    await remakeFolders();
    const again = await orDoubtful(base.calls.plainRename(staged, target));
    return again === null ? {} : await explain(base, item, again);
  }
  return await resolveConflict(item, there.kind, base.where, {
    isSame: () => isSame(base, item, ours, there, signal),
    keepAs: (former) => keepAs(base, item, pathOf(base, former)),
    replace: () => replace(base, item),
  });
}

async function isSame(base: SftpBase, item: Publication, ours: Stat, there: Stat, signal: AbortSignal): Promise<boolean> {
  if (ours.kind !== "file" || there.kind !== "file" || ours.bytes !== there.bytes) return false;
  const [a, b] = await digest(base, [item.staged, item.target], signal);
  return Boolean(a && b && a.sha256 === b.sha256);
}

/** The plain name stays where the server makes links. */
async function keepAs(base: SftpBase, item: Publication, former: string): Promise<boolean> {
  const { calls } = base;
  const target = pathOf(base, item.target);
  if (await orDoubtful(calls.link(target, former)) === null) return true;
  if (await look(base, former) !== null) return false;
  const refusal = await orDoubtful(calls.plainRename(target, former));
  if (refusal === null) return true;
  const reason = `the former version cannot be kept (${said(refusal)})`;
  throw cannotWrite(item, base.where, "permission_denied", reason, "Check the permissions there.");
}

async function replace(base: SftpBase, item: Publication): Promise<void> {
  const { calls } = base;
  const [staged, target] = [pathOf(base, item.staged), pathOf(base, item.target)];
  const refusal = await orDoubtful(calls.rename(staged, target));
  if (refusal === null) {
    // Two names of one file: POSIX renames nothing then.
    await orDoubtful(calls.remove(staged));
    return;
  }
  // A server whose rename never replaces: the former file is moved away for a moment.
  const former = `${staged}.former`;
  await orDoubtful(calls.plainRename(target, former));
  if (await orDoubtful(calls.plainRename(staged, target)) !== null) {
    await orDoubtful(calls.plainRename(former, target));
    await explain(base, item, refusal);
  }
  await orDoubtful(calls.remove(former));
}

async function explain(base: SftpBase, item: Publication, refusal: Refusal): Promise<never> {
  const hint = "Move away the file that is in the way.";
  for (const folder of ancestors(item.target)) {
    const stat = await look(base, pathOf(base, folder));
    if (stat === null) break;
    if (stat.kind !== "folder") throw cannotWrite(item, base.where, "exists", `"${printable(folder)}" is not a folder`, hint);
  }
  await checkBase(base);
  const meaning = meaningOfRefusal(refusal);
  const code = refusal.code === STATUS.BAD_MESSAGE ? "name_refused" : meaning?.code ?? "permission_denied";
  // Others go on where only this name, or its folder, is refused.
  if (code === "permission_denied") await tryToGiveNames(base);
  throw ofThisFile(cannotWrite(
    item,
    base.where,
    code,
    `${meaning?.reason ?? "the server refuses it"} (${said(refusal)})`,
    // SFTP servers say "Failure" for a read-only disk.
    meaning?.hint ?? "Check the permissions of the remote account, and that the disk there can be written.",
  ));
}

/** @throws {Failure} where no name can be given below the base path. The folder of the turn is ours, or shows that one can be made. */
async function tryToGiveNames(base: SftpBase): Promise<void> {
  const turn = pathOf(base, TURN);
  const refusal = await base.calls.mkdir(turn);
  if (refusal === null) await base.calls.rmdir(turn);
  else if (!await isFolder(base, turn)) throw refused(`write below ${base.where}`, refusal);
  await tryToWrite(base);
}

/** Something that changes names. Without its answer the server may still do it: that is the attempt's trouble. */
export async function orDoubtful<T>(change: Promise<T>): Promise<T> {
  try {
    return await change;
  } catch (error) {
    if (error instanceof Failure) doubtful.add(error);
    throw error;
  }
}

const doubtful = new WeakSet<Failure>();

/** True for failures that leave open whether something was done. */
export function isDoubtful(failure: Failure): boolean {
  return doubtful.has(failure);
}
