/**
 * The destination's files through a remote shell: everything of a Session but `put`, one round for a whole batch.
 *
 * @module
 */
import { CAUSES, failure } from "../../domain/causes.ts";
import type { MethodContext, Stat, Upload } from "../method.ts";
import { isAttemptName } from "../staging.ts";
import type { RemoteFiles } from "../ssh/remote_files.ts";
import type { SshConnection } from "../ssh/ssh_connection.ts";
import { ASK_FOR_SPACE, attach, FAILED, mountOf, runInBase, runInStaging, type ShellBase, shellBase } from "./shell_base.ts";
import type { RunInBase } from "./remote_shell.ts";
import { shellDigest } from "./shell_digest.ts";
import { shellFlush } from "./shell_flush.ts";
import { shellPublish } from "./shell_publish.ts";
import { shellWords } from "./shell_quote.ts";
import { eachAttempt, enterStaging } from "./shell_staging.ts";
import { shellEmptyTrash, shellRemove } from "./shell_remove.ts";
import { lookFirstScript, shellModifiedAt, shellSurvey, stats } from "./shell_survey.ts";
import type { ShellTools } from "./shell_tools.ts";

/** What a shell alone can do, besides. */
export interface ShellFiles extends RemoteFiles {
  readonly inBase: RunInBase;
}

/** Remembers the device found by `attach`: `prepare` refuses another one with `device_missing`. */
export function shellFiles(connection: SshConnection, tools: ShellTools, context: MethodContext): ShellFiles {
  const { stagingRoot, system } = context;
  const base = shellBase(connection, tools, context);
  const { folder, where } = base;
  const { followLinks: follow, transport: { host, port } } = connection.destination;
  const inBase = runInBase(base);
  const survey = shellSurvey(inBase, tools);
  return {
    inBase,
    attach: (create, signal, probe) => attach(base, create, signal, probe),
    survey: (paths, signal, staging) =>
      staging === undefined ? survey(paths, signal) : surveyAndPrepare(base, paths, staging, signal),
    digest: shellDigest(inBase, tools),
    modifiedAt: shellModifiedAt(inBase),
    publish: shellPublish(inBase, tools, { where, follow, system, place: `${host}\n${port}\n${folder}` }),
    flush: shellFlush(inBase, tools, where, follow),
    remove: shellRemove(inBase, tools, where, follow),
    emptyTrash: shellEmptyTrash(inBase, where, follow),
    leftovers: (signal) => leftovers(base, signal),
    sweep: (attempts, signal) => sweep(base, attempts, signal),
    prepare: (uploads, signal) => prepare(base, uploads, signal),
    freeBytes: async (signal) => mountOf(await inBase(`check ${where}`, ASK_FOR_SPACE, signal)).freeBytes,
    tryToWrite: async (signal) => {
      const probe = `${stagingRoot}/probe`;
      await inBase("write at the destination", `{ mkdir -p ${stagingRoot} && : > ${probe} && rm -f ${probe}; } 2>&1`, signal);
    },
    path: (relative) => `${folder}/${relative}`,
  };
}

/**
 * Looks, and makes the staging folder in the same round. Where that does not succeed, {@linkcode prepare} tells why when the folder is
 * needed: what is there already needs none.
 */
async function surveyAndPrepare(
  base: ShellBase,
  paths: readonly string[],
  staging: string,
  signal: AbortSignal,
): Promise<(Stat | null)[]> {
  const { tools, prepared, device } = base;
  // The disk is asked for while the folder is made.
  const make = `umask 077\nmkdir -p ${shellWords([staging])} >/dev/null 2>&1 && made=1\nwait`;
  const script = `made=\n${lookFirstScript(paths, tools)}echo ${LOOKED}\n{ ${ASK_FOR_SPACE}; } &\n${make}\necho ${DONE}\n${
    '[ -z "$made" ] || echo ' + MADE
  }\n`;
  const output = await runInBase(base)("check files at the destination", script, signal);
  // What is looked at may have any name.
  const looked = output.lastIndexOf(LOOKED);
  const spaced = output.indexOf(DONE, looked);
  const mount = mountOf(output.slice(looked + LOOKED.length, spaced));
  if (output.includes(MADE, spaced) && (device === null || mount.device === device)) prepared.set(staging, base.now());
  return stats(output.slice(0, looked), paths, tools);
}

async function prepare(
  base: ShellBase,
  uploads: readonly Pick<Upload, "staged" | "leftover">[],
  signal: AbortSignal,
): Promise<void> {
  const { device, where, prepared } = base;
  const folders = [...new Set(uploads.map(({ staged }) => staged.slice(0, staged.lastIndexOf("/"))))];
  const moves = uploads.filter(({ leftover, staged }) => leftover !== undefined && leftover !== staged);
  const isFresh = (folder: string) => base.now() - (prepared.get(folder) ?? -Infinity) < FRESH_MS;
  const isReady = moves.length === 0 && folders.every(isFresh);
  for (const folder of folders) prepared.delete(folder);
  if (isReady) return;
  const script = [
    device === null ? "" : `${ASK_FOR_SPACE}\necho ${DONE}\n`,
    `(umask 077; mkdir -p ${shellWords(folders)} 2>&1) || exit ${FAILED}\n`,
    moves.length === 0 ? "" : TAKE_OVER,
    ...moves.map(({ leftover, staged }) => `m ${shellWords([leftover ?? "", staged])}\n`),
  ].join("");
  const output = await runInBase(base)(`create the temporary folder below ${where}`, script, signal);
  if (device !== null && mountOf(output.slice(0, output.indexOf(DONE))).device !== device) {
    throw failure(CAUSES.unmounted, `Cannot find the disk of ${where}`);
  }
}

/** Behind what was looked at, behind the free space, where more follows, and where the folder was made. */
const LOOKED = "== looked ==";
const DONE = "== space ==";
const MADE = "== made ==";
/** So long it is believed that a staging folder is there, on the right disk. */
const FRESH_MS = 3000;

/** Moves the larger of a part and of the hidden one that a killed rsync left beside it, which only its owner may read. */
const TAKE_OVER = `nl='
'
m() {
  best=$(ls -1S "$1" "\${1%/*}/.\${1##*/}".?????? 2>/dev/null)
  best=\${best%%"$nl"*}
  [ -n "$best" ] || return 0
  mv -f "$best" "$2" 2>&1 || exit ${FAILED}
  chmod =rw "$2" 2>/dev/null || :
}
`;

async function leftovers(base: ShellBase, signal: AbortSignal): Promise<string[]> {
  const { stagingRoot, where } = base;
  const list = eachAttempt(`[ ! -d "$n" ] || [ -L "$n" ] || printf '%s\\n' "${ATTEMPT}$n"`);
  const what = `look for leftovers of earlier runs at ${where}`;
  const output = await runInStaging(base, what, `${enterStaging(stagingRoot)}${list}:`, signal);
  return output.split("\n").filter((line) => line.startsWith(ATTEMPT)).map((line) => line.slice(ATTEMPT.length));
}

const ATTEMPT = "attempt ";

async function sweep(base: ShellBase, attempts: readonly string[] | null, signal: AbortSignal): Promise<void> {
  const { stagingRoot, where } = base;
  const names = attempts?.filter(isAttemptName).map((attempt) => `./${attempt}`);
  if (names?.length === 0) return;
  // Twice: a process that is just ending may still make a file in between.
  const twice = (remove: string) => `${remove} 2>/dev/null || ${remove} 2>&1 || exit ${FAILED}`;
  const remove = names === undefined
    ? `rm -f ./*.flush\n${eachAttempt(twice('rm -rf "./$n"'))}cd "$base" && rmdir ${stagingRoot} 2>/dev/null\n`
    : `${twice(`rm -rf ${shellWords(names)}`)}\n`;
  await runInStaging(base, `remove temporary files below ${where}`, `${enterStaging(stagingRoot)}${remove}:`, signal);
}
