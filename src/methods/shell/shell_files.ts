/** The destination's files through a remote shell: everything of a Session but `put`, one round for a whole batch. */
import { CAUSES, failure } from "../../domain/causes.ts";
import type { DestinationFiles, MethodContext, Mount, Stat, Upload } from "../method.ts";
import { isAttemptName, unsafeStaging } from "../staging.ts";
import type { SshConnection } from "../ssh/ssh_connection.ts";
import { FAILED, type RunInBase } from "./remote_shell.ts";
import { lookFirstScript, shellDigest, shellModifiedAt, shellSurvey, stats } from "./shell_survey.ts";
import { flushScript, shellFlush } from "./shell_flush.ts";
import { shellEmptyTrash, shellPublish, shellRemove } from "./shell_names.ts";
import { shellQuote, shellWords } from "./shell_quote.ts";
import { checkOwner, checkPlace, eachAttempt, enterStaging, OWNED, UNSAFE } from "./shell_staging.ts";
import type { ShellTools } from "./shell_tools.ts";
import { printable } from "../../domain/names/printable.ts";
import { remoteBase } from "../ssh/ssh.ts";
import { meaningOf } from "../ssh/error_texts.ts";

/** All of a Session that sends nothing, and what sending needs of the destination: through a shell there, or by SFTP alone. */
export interface RemoteFiles extends DestinationFiles {
  /** Makes the folders of these staged names, and moves leftovers to their new names. */
  prepare(uploads: readonly Pick<Upload, "staged" | "leftover">[], signal: AbortSignal): Promise<void>;
  /** Free bytes now; null where the server cannot tell. @throws {Failure} `device_missing` */
  freeBytes(signal: AbortSignal): Promise<number | null>;
  /** Writes something below the base path. @throws {Failure} what keeps us from it. */
  tryToWrite(signal: AbortSignal): Promise<void>;
  /** The path that SFTP takes for one that is relative to the base path. @throws {Failure} `name_refused` */
  path(relative: string): string;
}

export interface ShellFiles extends RemoteFiles {
  readonly inBase: RunInBase;
}

interface ShellBase {
  readonly connection: SshConnection;
  readonly tools: ShellTools;
  readonly stagingRoot: string;
  /** The base path as programs there take it. */
  readonly folder: string;
  /** Base path and destination, for messages. */
  readonly where: string;
  /** The mount point that {@linkcode attach} found: a base path that is suddenly on another one is a mount that went away. */
  device: string | null;
  /** What was seen of our staging folder: compared with a folder that was made there, and whether that is the account's own. */
  staging: { readonly checked: boolean; readonly owned: boolean };
  /** Staging folders that were made on that device, each with the time of the monotonic clock. */
  readonly prepared: Map<string, number>;
  readonly now: () => number;
}

/** Remembers the device found by `attach`: `prepare` refuses another one with `device_missing`. */
export function shellFiles(connection: SshConnection, tools: ShellTools, { stagingRoot, system }: MethodContext): ShellFiles {
  const { destination } = connection;
  const { followLinks: follow, transport: { host, port } } = destination;
  const where = `"${printable(destination.basePath)}" at ${destination.name}`;
  const folder = remoteBase(destination);
  const base: ShellBase = {
    connection,
    tools,
    stagingRoot,
    folder,
    where,
    device: null,
    staging: { checked: false, owned: false },
    prepared: new Map(),
    now: system.monotonic,
  };
  const inBase: RunInBase = (what, script, signal) => run(base, what, `${enter(base)}${script}`, signal);
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

/** Exit status of a script that did not get into the base path. */
const NO_BASE = 91;

function enter({ folder, stagingRoot, staging }: ShellBase): string {
  return `cd ${shellQuote(folder)} 2>&1 || exit ${NO_BASE}\n${checkPlace(stagingRoot, staging.owned)}`;
}

/** Every script begins in the base path, so one that goes away is noticed by each of them. */
async function run(
  { connection, stagingRoot, where }: ShellBase,
  what: string,
  script: string,
  signal: AbortSignal,
): Promise<string> {
  const { status, output } = await connection.run(script, signal);
  if (status === 0) return output;
  const last = printable(output.trim().split("\n").at(-1) ?? "").slice(0, 300);
  if (status === UNSAFE) throw unsafeStaging(where, stagingRoot, last === "owner" || last === "mode" ? last : "link");
  const said = last || `status ${status}`;
  if (status !== NO_BASE) throw failure(meaningOf(output) ?? CAUSES.said, `Cannot ${what}`, { said });
  if (/not a directory/i.test(output)) throw failure(CAUSES.base_not_a_folder, `Cannot use ${where}`);
  if (/permission denied/i.test(output)) throw failure(CAUSES.permission_denied, `Cannot enter the folder ${where}`, { said });
  // dash only says "can't cd to …": anything else is a missing folder.
  throw failure(CAUSES.base_missing, `Cannot find the folder ${where}`);
}

/** For what needs a staging folder that was compared with one that is made now. */
async function runInStaging(base: ShellBase, what: string, script: string, signal: AbortSignal): Promise<string> {
  const check = base.staging.checked ? "" : checkOwner(base.stagingRoot);
  const output = await run(base, what, `${enter(base)}${check}${script}`, signal);
  noteOwner(base, output);
  return output;
}

function noteOwner(base: ShellBase, output: string): void {
  if (output.split("\n").includes(OWNED)) base.staging = { checked: true, owned: true };
}

async function attach(base: ShellBase, create: boolean, signal: AbortSignal, probe?: string): Promise<Mount> {
  const { tools, stagingRoot, where, connection: { destination: { directoryMode } } } = base;
  const folder = shellQuote(base.folder);
  const mode = directoryMode === null ? "" : ` && chmod ${directoryMode.toString(8)} ${folder} 2>&1`;
  const make = `[ -d ${folder} ] || { mkdir -p ${folder} 2>&1${mode} && made=1 && echo '${BASE_MADE}'; } || exit ${FAILED}\n`;
  // A power cut must not take the folder itself away with all that is delivered into it. Folders above that may not be read are not ours.
  const above = base.folder.split("/").map((_, depth) => Array.from({ length: depth + 1 }, () => "..").join("/"));
  const keep = `[ -z "$made" ] || (\n${flushScript(tools.flush, above)}) >/dev/null 2>&1\n`;
  // `cd` may be refused where the folder is there: dash does not say why, ls does.
  const look = `[ -e ${folder} ] && [ ! -d ${folder} ] && { echo "Not a directory"; exit ${NO_BASE}; }\n`;
  const leave = probe === undefined
    ? ""
    : `(umask 077; mkdir ${stagingRoot}) 2>/dev/null\n${checkPlace(stagingRoot, false)}${checkOwner(stagingRoot)}` +
      `(umask 077; mkdir ${shellQuote(`${stagingRoot}/${probe}`)}) 2>/dev/null\n` +
      `printf 'image-transfer: born %s\\n' "$(stat ${tools.statRadix === 8 ? "-f %B" : "-c %W"} . 2>/dev/null)"\n`;
  const script = `made=\n${look}${create ? make : ""}${enter(base)}${create ? keep : ""}${leave}${ASK_FOR_SPACE}`;
  const output = await run(base, `create the folder ${where}`, script, signal);
  noteOwner(base, output);
  const found = mountOf(output);
  base.device = found.device;
  const born = /^image-transfer: born ([1-9]\d*)$/m.exec(output)?.[1];
  // A file server may make up such a time.
  const isShare = found.device?.includes(SHARE) === true;
  const mount = born === undefined || isShare ? found : { ...found, born };
  return output.split("\n").includes(BASE_MADE) ? { ...mount, made: true } : mount;
}

const BASE_MADE = "image-transfer: made";
/** Prints the input of {@linkcode mountOf}; prints nothing if the remote computer has no `df`. */
const ASK_FOR_SPACE = "df -Pk . 2>/dev/null || :";
/** Between the server of a network share and its mount point. */
const SHARE = " on ";

/**
 * Reads the last line of `df -Pk`. The mount point stands for the device: it survives a reboot, which device numbers do not, and
 * it changes when a disk that should be there is not mounted.
 */
export function mountOf(output: string): Mount {
  const line = output.trim().split("\n").at(-1) ?? "";
  const found = /^(.*?)\s+\d+\s+\d+\s+(-?\d+)\s+(?:\d+%|-)\s+(.+)$/s.exec(line);
  if (!found) return { freeBytes: null, device: null };
  const [, source, free, mount] = found;
  // The server of a network share is part of its identity; a disk's device file may change its name.
  const share = source && /^(\/\/|[^/]+:)/.test(source) ? `${source}${SHARE}` : "";
  return { freeBytes: Math.max(0, Number(free)) * 1024, device: `${share}${mount}`, onSystemDisk: mount === "/" };
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
  const output = await run(base, "check files at the destination", `${enter(base)}${script}`, signal);
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
  const output = await run(base, `create the temporary folder below ${where}`, `${enter(base)}${script}`, signal);
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
