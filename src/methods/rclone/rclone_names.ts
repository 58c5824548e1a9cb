/**
 * Names at a remote: given by a move or copy inside the store, which readers see at once and whole. What was put at its name has it already.
 */
import { folderOf, pathIn } from "../../domain/names/file_name.ts";
import type { Session } from "../method.ts";
import type { Act, Answer, Names } from "../names.ts";
import { namesSession } from "../naming.ts";
import { inTurn, type Naming, untilUnclaimed } from "./rclone_at_name.ts";
import { type Fields, RcloneError } from "./rclone_daemon.ts";
import { isNotFound, rcloneFailure } from "./rclone_failures.ts";
import { checkBase, inStaging, list } from "./rclone_files.ts";
import { checked, failureOf, type Remote } from "./rclone_remote.ts";

/** A store copies at most 5 GiB in one request, and only a look at the file tells rclone that it is larger. */
const LARGE_BYTES = 4 * 2 ** 30;

type Call = Fields & { readonly _path: string };

/** All of a session that names and removes. */
export function rcloneNaming(
  naming: Naming,
): Pick<Session, "publish" | "remove" | "emptyTrash" | "leftovers" | "sweep"> {
  const { remote, sent, named } = naming;
  const { publish, sweep, ...others } = namesSession(() => rcloneNames(naming));
  return {
    ...others,
    async publish(items, signal) {
      const staged = items.filter((item) => !named.has(item.staged));
      const outcomes = staged.length === 0 ? [] : await inTurn(remote, async () => {
        await untilUnclaimed(remote, staged.map(({ target }) => target));
        return await publish(staged, signal);
      });
      staged.forEach(({ staged }, index) => outcomes[index]!.published && sent.delete(staged));
      return items.map((item) => named.delete(item.staged) ? { published: true } : outcomes[staged.indexOf(item)]!);
    },
    async sweep(attempts, signal) {
      await sweep(attempts, signal);
      for (const staged of [...sent.keys(), ...named.keys()]) {
        if (attempts !== null && !attempts.includes(staged.split("/")[1] ?? "")) continue;
        sent.delete(staged);
        named.delete(staged);
      }
    },
  };
}

function rcloneNames({ remote, files, sent }: Naming): Names {
  const { where, context: { system, stagingRoot }, destination: { timeoutMs } } = remote;
  const sizes = new Map<string, number>();
  /** Gives a file another name, whatever has that. */
  const moved = (from: string, to: string): Call => {
    const isSmall = (sent.get(from)?.bytes ?? sizes.get(from) ?? Infinity) < LARGE_BYTES;
    const fs = remote.fs("", isSmall ? "quick" : undefined);
    // What is there is known, and the store copies as a whole.
    const config = { NoCheckDest: true, IgnoreChecksum: true, IgnoreSize: true };
    return { _path: "operations/movefile", srcFs: fs, srcRemote: from, dstFs: fs, dstRemote: to, _config: config };
  };
  const callOf = (act: Act): Call | null => {
    switch (act.do) {
      case "give":
      case "rename":
      case "replace":
        return moved(act.from, act.to);
      case "remove":
        return { _path: "operations/deletefile", fs: remote.fs(), remote: act.path };
      case "rmdir":
        return { _path: "operations/rmdir", fs: remote.itself(), remote: act.path };
      case "mkdir":
        return remote.isObjectStore ? null : { _path: "operations/mkdir", fs: remote.fs(), remote: act.path };
      default:
        return null;
    }
  };
  const callAll = (calls: readonly Call[], signal: AbortSignal) => remote.callAll(calls, `change names below ${where}`, signal);

  return {
    where,
    system,
    stagingRoot,
    timeoutMs,
    place: where,
    known: new Set(),
    makesFolders: true,
    check: (path) => checked(remote, path),
    mayReplace: () => Promise.resolve(true),
    async act(phases, signal) {
      const answers = new Map<Act, Answer>();
      for (const acts of phases) {
        signal.throwIfAborted();
        const looks = acts.filter((act) => act.do === "free" || act.do === "stat" || act.do === "folder");
        const stats = looks.length === 0 ? [] : await files.survey(looks.map(({ path }) => path), signal);
        for (const [index, act] of looks.entries()) {
          const stat = stats[index] ?? null;
          if (stat !== null) sizes.set(act.path, stat.bytes);
          const done = act.do === "free" ? stat === null : act.do === "folder" ? stat?.kind === "folder" : true;
          answers.set(act, { done, stat });
        }
        const calls = acts.flatMap((act) => {
          const call = callOf(act);
          return call === null ? [] : [{ act, call }];
        });
        const results = await callAll(calls.map(({ call }) => call), signal);
        for (const [index, { act, call }] of calls.entries()) {
          let result = results[index]!;
          // Most stores replace at once; one that refuses to has the former file removed first.
          if (act.do === "replace" && result instanceof RcloneError && TAKEN.test(result.message)) {
            [result] = await callAll([{ ...call, _config: { IgnoreTimes: true } }], signal) as [Fields | RcloneError];
          }
          answers.set(act, result instanceof RcloneError ? { done: false, refusal: result } : { done: true });
        }
        for (const act of acts.filter((each) => each.do === "link")) answers.set(act, await copied(act, signal));
        for (const act of acts) if (!answers.has(act)) answers.set(act, { done: act.do === "mode" });
      }
      return answers;
    },
    async list(folders, signal) {
      const lists = folders.map((folder) => folder === stagingRoot ? inStaging(remote, signal) : list(remote, folder, signal));
      return (await Promise.all(lists)).map((entries) =>
        (entries ?? []).map(({ Name, IsDir }) => ({ name: Name, isFolder: IsDir }))
      );
    },
    digest: files.digest,
    checkBase: (signal) => checkBase(remote, signal),
    // What is removed is never behind a symlink.
    checkStaging: () => Promise.resolve(true),
    async strangers(_paths, _what, signal) {
      await checkBase(remote, signal);
      return new Map();
    },
    ...(remote.hasSymlinks ? { links: (paths, signal) => symlinks(remote, paths, signal) } : {}),
    lock: () => Promise.resolve(null),
    removeTrees: (folders, signal) => purge(remote, folders, signal),
    failure: (what: string, refusal: RcloneError | undefined) =>
      rcloneFailure(refusal?.message ?? "the store does not tell why", what),
  };

  /** With a copy the name is never free; without one, it is for the moment between two moves. */
  async function copied({ from, to }: { readonly from: string; readonly to: string }, signal: AbortSignal): Promise<Answer> {
    const [taken] = remote.copies ? await files.survey([to], signal) : [];
    if (!remote.copies || taken) return { done: false };
    const [result] = await callAll([{ ...moved(from, to), _path: "operations/copyfile" }], signal);
    return result instanceof RcloneError ? { done: false, refusal: result } : { done: true };
  }
}

/** How stores say that they do not replace. */
const TAKEN = /exist|overwrit|precondition|conflict/i;

async function purge(remote: Remote, folders: readonly string[], signal: AbortSignal): Promise<void> {
  const what = `remove folders below ${remote.where}`;
  const calls = folders.map((folder) => ({ _path: "operations/purge", fs: remote.itself(), remote: folder }));
  for (const result of await remote.callAll(calls, what, signal)) {
    // A symlink that somebody has put there stays, and so does its folder.
    const isLeft = result instanceof RcloneError && remote.hasSymlinks && /not empty|SSH_FX_FAILURE|rmdir/i.test(result.message);
    if (result instanceof RcloneError && !isNotFound(result.message) && !isLeft) throw failureOf(result, what, signal);
  }
}

/** Those that are gone when symlinks are left out. */
async function symlinks(remote: Remote, paths: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
  const opt = { noModTime: true, noMimeType: true, filesOnly: true };
  const folders = [...new Set(paths.map(folderOf))];
  const calls = folders.map((folder) => ({ _path: "operations/list", fs: remote.itself(), remote: folder, opt }));
  const files = new Set<string>();
  const what = `list files below ${remote.where}`;
  for (const [index, result] of (await remote.callAll(calls, what, signal)).entries()) {
    if (result instanceof RcloneError) throw failureOf(result, what, signal);
    const entries = (result["list"] ?? []) as readonly { readonly Name: string }[];
    for (const { Name } of entries) files.add(pathIn(folders[index]!, Name));
  }
  return new Set(paths.filter((path) => !files.has(path)));
}
