/**
 * Gives staged files their final names: by a move or copy inside the store, which readers see at once and whole.
 *
 * @module
 */
import { type Failure, failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Publication, PublishOutcome, Session, Stat } from "../method.ts";
import { cannotWrite, folderDenied, resolveConflict } from "../naming.ts";
import { TURN } from "../turn.ts";
import { inTurn, untilUnclaimed } from "./rclone_claims.ts";
import { type Fields, RcloneError } from "./rclone_daemon.ts";
import type { Naming as SessionNaming } from "./rclone_at_name.ts";
import { checkBase } from "./rclone_files.ts";
import { checked, failureOf, type Remote } from "./rclone_remote.ts";

/** A store copies at most 5 GiB in one request, and only a look at the file tells rclone that it is larger. */
export const LARGE_BYTES = 4 * 2 ** 30;

/** What giving names needs of the session. */
interface Naming extends Omit<SessionNaming, "named" | "bulk" | "onlyNew"> {
  readonly signal: AbortSignal;
}

/** What `Session.publish` does. What was put at its name has it. */
export function rclonePublish({ remote, files, sent, named }: SessionNaming): Session["publish"] {
  return async (items, signal) => {
    const staged = items.filter((item) => !named.has(item.staged));
    const outcomes = staged.length === 0 ? [] : await inTurn(remote, async () => {
      await untilUnclaimed(remote, staged.map(({ target }) => target));
      return await publish(staged, { remote, files, sent, signal });
    });
    return items.map((item) => named.delete(item.staged) ? { published: true } : outcomes[staged.indexOf(item)]!);
  };
}

async function publish(items: readonly Publication[], naming: Naming): Promise<PublishOutcome[]> {
  const { remote, files, sent, signal } = naming;
  signal.throwIfAborted();
  if (items.length === 0) return [];
  await checkBase(remote, signal);
  const outcomes: PublishOutcome[] = [];
  const usable: number[] = [];
  for (const [index, item] of items.entries()) {
    try {
      checked(remote, item.target);
      usable.push(index);
    } catch (error) {
      outcomes[index] = { published: false, failure: failureRecord(error) };
    }
  }
  const stats = await files.survey(usable.map((index) => items[index]!.target), signal);
  const seen = new Set<string>();
  const free: number[] = [];
  const taken: number[] = [];
  usable.forEach((index, place) => {
    const key = nameKey(items[index]!.target);
    (stats[place] === null && !seen.has(key) ? free : taken).push(index);
    seen.add(key);
  });
  const results = await remote.callAll(free.map((index) => move(naming, items[index]!.staged, items[index]!.target)), signal)
    .catch((error) => {
      throw failureOf(error, `publish files below ${remote.where}`, signal);
    });
  for (const [place, index] of free.entries()) {
    const result = results[place]!;
    outcomes[index] = result instanceof RcloneError
      ? { published: false, failure: failureRecord(await explained(naming, items[index]!, result)) }
      : { published: true };
  }
  for (const index of taken) outcomes[index] = await publishOne(naming, items[index]!);
  items.forEach(({ staged }, index) => outcomes[index]?.published && sent.delete(staged));
  return outcomes;
}

async function publishOne(naming: Naming, item: Publication): Promise<PublishOutcome> {
  const { remote, files, signal } = naming;
  try {
    const [there = null] = await files.survey([item.target], signal);
    if (there === null) {
      await call(naming, item, move(naming, item.staged, item.target));
      return { published: true };
    }
    return { published: true, ...await overTaken(naming, item, there) };
  } catch (error) {
    return { published: false, failure: failureRecord(failureOf(error, `publish files below ${remote.where}`, signal)) };
  }
}

async function overTaken(naming: Naming, item: Publication, there: Stat): Promise<{ former?: string }> {
  const { remote, files, signal } = naming;
  return await resolveConflict(item, there.kind, remote.where, {
    async isSame() {
      const [staged] = await files.survey([item.staged], signal);
      if (staged?.bytes !== there.bytes) return false;
      const [ours, theirs] = await files.digest([item.staged, item.target], signal);
      return ours != null && ours.sha256 === theirs?.sha256;
    },
    async keepAs(former) {
      const [taken] = await files.survey([former], signal);
      if (taken != null) return false;
      // With a copy the name is never free; without one, it is for the moment between two moves.
      const keep = remote.copies ? "operations/copyfile" : "operations/movefile";
      await call(naming, item, { ...move(naming, item.target, former), _path: keep });
      return true;
    },
    replace: () => replace(naming, item),
  });
}

/** Most stores replace at once; one that refuses to has the former file removed first. */
async function replace(naming: Naming, item: Publication): Promise<void> {
  const { remote, signal } = naming;
  const [result] = await remote.callAll([move(naming, item.staged, item.target)], signal);
  if (!(result instanceof RcloneError)) return;
  if (!/exist|overwrit|precondition|conflict/i.test(result.message)) throw await explained(naming, item, result);
  await call(naming, item, { ...move(naming, item.staged, item.target), _config: { IgnoreTimes: true } });
}

function move({ remote, sent }: Naming, from: string, to: string): Fields & { readonly _path: string } {
  return moved(remote, from, to, (sent.get(from)?.bytes ?? Infinity) < LARGE_BYTES);
}

/** The call that gives a file another name, whatever has that. */
export function moved(remote: Remote, from: string, to: string, isSmall: boolean): Fields & { readonly _path: string } {
  const fs = remote.fs("", isSmall ? "quick" : undefined);
  return {
    _path: "operations/movefile",
    srcFs: fs,
    srcRemote: from,
    dstFs: fs,
    dstRemote: to,
    // What is there is known, and the store copies as a whole.
    _config: { NoCheckDest: true, IgnoreChecksum: true, IgnoreSize: true },
  };
}

async function call(naming: Naming, item: Publication, asked: Fields & { readonly _path: string }): Promise<void> {
  const [result] = await naming.remote.callAll([asked], naming.signal);
  if (result instanceof RcloneError) throw await explained(naming, item, result);
}

/** Why a file could not be given its name. */
async function explained({ remote, files, signal }: Naming, item: Publication, said: RcloneError): Promise<Failure> {
  const folders = ancestors(item.target);
  const stats = await files.survey(folders, signal);
  const blocked = folders.find((_, index) => stats[index]?.kind === "file");
  if (blocked !== undefined) {
    const hint = "Move the file that is in the way, or change the layout.";
    return cannotWrite(item, remote.where, "exists", `"${printable(blocked)}" is not a folder`, hint);
  }
  const failure = failureOf(said, `write "${printable(item.target)}" below ${remote.where}`, signal);
  const deepest = folders[stats.findLastIndex((stat) => stat !== null)];
  if (failure.code !== "permission_denied" || deepest === undefined || !await allowsNames(remote, signal)) return failure;
  return folderDenied(item, remote.where, deepest);
}

/** Whether the base path allows what a folder in it denies. An object store has no folders to ask for. */
async function allowsNames(remote: Remote, signal: AbortSignal): Promise<boolean> {
  if (remote.isObjectStore) return false;
  const turn = { fs: remote.fs(), remote: TURN };
  const [made] = await remote.callAll([{ _path: "operations/mkdir", ...turn }], signal);
  if (made instanceof RcloneError) return false;
  await remote.callAll([{ _path: "operations/rmdir", ...turn }], signal);
  return true;
}
