/**
 * Names by SFTP alone: the protocol's own rename never replaces (where it does, what has the name is asked for first),
 * posix-rename@openssh.com replaces at once where the server has it. Not as safe as through a shell: where the server has neither, the plain
 * name is away for a moment; where its plain rename replaces, another program could take the name between question and rename.
 *
 * @module
 */
import type { Session } from "../method.ts";
import { Failure } from "../../domain/failure.ts";
import type { Act, Answer, Names } from "../names.ts";
import { linkRefused } from "../staging.ts";
import {
  checkBase,
  checkStaging,
  pathOf,
  PRIVATE_FOLDER,
  refused,
  said,
  type SftpBase,
  strangersLinks,
  tryToWrite,
} from "./sftp_base.ts";
import type { Refusal } from "./sftp_calls.ts";
import { makeAndRemove, makeEmptyFile } from "./sftp_flush.ts";
import { kindOf, STATUS } from "./sftp_protocol.ts";

/** For all calls of a session. */
export function sftpNames(base: SftpBase, digest: Session["digest"]): Names {
  const { calls, context: { system, stagingRoot }, destination: { transport: { host, user, port }, timeoutMs }, where } = base;
  let replaces: boolean | null = null;
  return {
    where,
    system,
    stagingRoot,
    timeoutMs,
    place: `${host}\n${user}\n${port}`,
    known: new Set(),
    overwrites: true,
    check: (path) => pathOf(base, path),
    async mayReplace(staged) {
      replaces ??= await renameReplaces(base, staged);
      return replaces ?? true;
    },
    async act(phases, signal) {
      const answers = new Map<Act, Answer>();
      for (const acts of phases) {
        signal.throwIfAborted();
        await Promise.all(acts.map(async (act) => answers.set(act, await doOne(base, act))));
      }
      return answers;
    },
    list: (folders) =>
      Promise.all(folders.map(async (folder) => {
        const { value } = await calls.list(pathOf(base, folder));
        return (value ?? []).map(({ name, attributes }) => ({ name, isFolder: kindOf(attributes) === "folder" }));
      })),
    digest,
    checkBase: () => checkBase(base),
    checkStaging: () => checkStaging(base),
    async strangers(paths, what) {
      // What is removed is made durable by a small file in our folder.
      const preparing = what === "remove" ? calls.mkdir(pathOf(base, stagingRoot), PRIVATE_FOLDER) : null;
      const [links] = await Promise.all([strangersLinks(base, paths), checkBase(base), preparing]);
      if (preparing !== null) await checkStaging(base);
      return new Map([...links].map(([path, link]) => [path, linkRefused(path, link, where, what)]));
    },
    // Folders cannot be flushed: a small flushed file makes journalling file systems write the renames before it.
    flush: () => makeAndRemove(base, `${stagingRoot}/named-${system.randomHex(4)}.flush`),
    failure(what: string, refusal: Refusal | string) {
      if (typeof refusal === "string") return refused(what, { code: STATUS.FAILURE, message: refusal });
      const failure = refused(what, refusal);
      if (refusal.code !== STATUS.BAD_MESSAGE) return failure;
      return new Failure("name_refused", `Cannot ${what}: the server refuses the name (${said(refusal)})`, {
        hint: failure.hint,
      });
    },
    tryToWrite: () => tryToWrite(base),
    isLost: () => calls.lost !== null,
  };
}

async function doOne(base: SftpBase, act: Act): Promise<Answer> {
  const { calls } = base;
  const path = pathOf(base, "path" in act ? act.path : act.to);
  const answer = async (order: Promise<Refusal | null>): Promise<Answer> => {
    const refusal = await order;
    return refusal === null ? { done: true } : { done: false, refusal };
  };
  switch (act.do) {
    case "free":
      return { done: (await calls.lstat(path)).refusal?.code === STATUS.NO_SUCH_FILE };
    case "folder": {
      const { value } = await calls.lstat(path);
      return { done: value !== null && kindOf(value) === "folder" };
    }
    case "stat": {
      const [followed, itself] = await Promise.all([act.follow ? calls.stat(path) : null, calls.lstat(path)]);
      const { value, refusal } = followed?.value ? followed : itself;
      if (value) return { done: true, stat: { kind: kindOf(value), bytes: value.bytes ?? 0 } };
      // A name that cannot be there is not there.
      const isMissing = refusal.code === STATUS.NO_SUCH_FILE || refusal.code === STATUS.BAD_MESSAGE;
      return isMissing ? { done: true, stat: null } : { done: false, refusal };
    }
    case "mkdir":
      return await answer(calls.mkdir(path));
    case "rmdir":
      return await answer(calls.rmdir(path));
    case "remove":
      return await answer(calls.remove(path));
    case "mode":
      return await answer(calls.setMode(path, act.mode));
    case "link":
      return await answer(calls.link(pathOf(base, act.from), path));
    case "replace":
      return await answer(calls.rename(pathOf(base, act.from), path));
    case "give":
    case "rename":
      return await answer(calls.plainRename(pathOf(base, act.from), path));
  }
}

/**
 * Whether the server's plain rename replaces what has the name. The protocol forbids it (draft-ietf-secsh-filexfer-02, 6.5), and OpenSSH
 * refuses; servers written in Go rename as POSIX does. Tried with two small files of ours; null where that cannot be tried. `staged` is a name
 * of ours whose folder is there.
 */
async function renameReplaces(base: SftpBase, staged: string): Promise<boolean | null> {
  const { calls } = base;
  const [free, taken] = [pathOf(base, `${staged}.free`), pathOf(base, `${staged}.taken`)];
  const made = await Promise.all([makeEmptyFile(base, free), makeEmptyFile(base, taken)]);
  if (made.some(({ notMade }) => notMade !== null)) return null;
  const refusal = await calls.plainRename(free, taken);
  await Promise.all([calls.remove(free), calls.remove(taken)]);
  return refusal === null;
}
