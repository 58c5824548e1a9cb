/**
 * A final name that could not be had at once by SFTP: finds out why, and does what the conflict policy says.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { printable } from "../../domain/names/printable.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import type { Publication } from "../method.ts";
import { cannotWrite, resolveConflict } from "../naming.ts";
import type { Reply } from "./sftp_channel.ts";
import { checkBase, list, pathOf, type SftpBase } from "./sftp_base.ts";
import { type Listed, sftpCommand } from "./sftp_command.ts";
import { digest } from "./sftp_read_back.ts";

/** `errors` is what the server said of the rename; folders on the way may have been removed since they were made. */
export async function giveTakenName(
  base: SftpBase,
  item: Publication,
  errors: string,
  remakeFolders: () => Promise<void>,
  signal: AbortSignal,
): Promise<{ former?: string }> {
  const [staged, target] = [pathOf(base, item.staged), pathOf(base, item.target)];
  const there = await list(base, target, signal);
  const ours = await list(base, staged, signal);
  if (ours.kind === "nothing") {
    throw cannotWrite(item, base.where, "mismatch", "the file that was sent is no longer there", "It is sent again.");
  }
  if (there.kind === "nothing") {
    await remakeFolders();
    const said = await renameTo(base, staged, target, signal);
    return said === "" ? {} : await explain(base, item, said ?? errors, signal);
  }
  return await resolveConflict(item, there.kind, base.where, {
    isSame: () => isSame(base, item, ours, there, signal),
    keepAs: (former) => keepAs(base, item, pathOf(base, former), signal),
    replace: () => replace(base, item, signal),
  });
}

async function isSame(base: SftpBase, item: Publication, ours: Listed, there: Listed, signal: AbortSignal): Promise<boolean> {
  if (ours.kind !== "file" || there.kind !== "file" || ours.bytes !== there.bytes) return false;
  const [a, b] = await digest(base, [item.staged, item.target], signal);
  return Boolean(a && b && a.sha256 === b.sha256);
}

/** The plain name stays where the server makes links. */
async function keepAs(base: SftpBase, item: Publication, former: string, signal: AbortSignal): Promise<boolean> {
  const target = pathOf(base, item.target);
  const [linked] = await change(base, [sftpCommand("ln", target, former)], signal);
  if (linked?.errors === "") return true;
  if ((await list(base, former, signal)).kind !== "nothing") return false;
  const said = await renameTo(base, target, former, signal);
  if (said === "") return true;
  const reason = `the former version cannot be kept (${printable(said ?? "")})`;
  throw cannotWrite(item, base.where, "permission_denied", reason, "Check the permissions there.");
}

async function replace(base: SftpBase, item: Publication, signal: AbortSignal): Promise<void> {
  const [staged, target] = [pathOf(base, item.staged), pathOf(base, item.target)];
  const [renamed] = await change(base, [sftpCommand("rename", staged, target)], signal);
  if (renamed?.errors === "") {
    // Two names of one file: POSIX renames nothing then.
    await change(base, [sftpCommand("rm", staged)], signal);
    return;
  }
  // A server whose rename never replaces: the former file is moved away for a moment.
  const former = `${staged}.former`;
  const [, done] = await change(
    base,
    [sftpCommand("rename -l", target, former), sftpCommand("rename -l", staged, target)],
    signal,
  );
  if (done?.errors !== "") {
    await renameTo(base, former, target, signal);
    await explain(base, item, renamed?.errors ?? "", signal);
  }
  await change(base, [sftpCommand("rm", former)], signal);
}

/** What the server said of it: nothing where it worked. */
async function renameTo(base: SftpBase, from: string, to: string, signal: AbortSignal): Promise<string | undefined> {
  return (await change(base, [sftpCommand("rename -l", from, to)], signal))[0]?.errors;
}

async function explain(base: SftpBase, item: Publication, errors: string, signal: AbortSignal): Promise<never> {
  const hint = "Move away the file that is in the way.";
  for (const folder of ancestors(item.target)) {
    const { kind } = await list(base, pathOf(base, folder), signal);
    if (kind === "nothing") break;
    if (kind !== "folder") throw cannotWrite(item, base.where, "exists", `"${printable(folder)}" is not a folder`, hint);
  }
  await checkBase(base, signal);
  const meaning = meaningOf(errors);
  const told = printable(errors.split("\n").at(-1) ?? "").slice(0, 200);
  throw cannotWrite(
    item,
    base.where,
    /bad message/i.test(errors) ? "name_refused" : meaning?.code ?? "permission_denied",
    `${meaning?.reason ?? "the server refuses it"} (${told})`,
    // SFTP servers say "Failure" for a read-only disk.
    meaning?.hint ?? "Check the permissions of the remote account, and that the disk there can be written.",
  );
}

/** Runs commands that change something. Without their answers the server may still carry them out: that is the attempt's trouble. */
async function change({ channels }: SftpBase, commands: readonly string[], signal: AbortSignal): Promise<Reply[]> {
  try {
    return await channels.run(commands, signal);
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
