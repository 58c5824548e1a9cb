/** The destination's files through a remote shell: everything of a Session but `put`, one round for a whole batch. */
import { folderOf } from "../../domain/names/file_name.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import type { DestinationFiles, MethodContext, Mount, Upload } from "../method.ts";
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

/** Remembers the device found by `attach`: `prepare` refuses another one with `device_missing`. */
export function shellFiles(connection: SshConnection, tools: ShellTools, { stagingRoot, system }: MethodContext): ShellFiles {
  const { destination } = connection;
  const { followLinks: follow, directoryMode, transport: { host, port } } = destination;
  const where = `"${printable(destination.basePath)}" at ${destination.name}`;
  /** The base path as programs there take it. */
  const folder = remoteBase(destination);
  /** The mount point that `attach` found: a base path that is suddenly on another one is a mount that went away. */
  let device: string | null = null;
  /** Our staging folder was compared with a folder that was made there, and that was the account's own. */
  let isOwned = false;
  /** Staging folders that were made on that device, each with the time of the monotonic clock. */
  const prepared = new Map<string, number>();

  /** Every script begins in the base path, so one that goes away is noticed by each of them. */
  const enter = () => `cd ${shellQuote(folder)} 2>&1 || exit ${NO_BASE}\n${checkPlace(stagingRoot, isOwned)}`;

  async function run(what: string, script: string, signal: AbortSignal): Promise<string> {
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

  const inBase: RunInBase = (what, script, signal) => run(what, `${enter()}${script}`, signal);

  /** For what tells in its answer that the staging folder is the account's own. */
  async function runAndNote(what: string, script: string, signal: AbortSignal): Promise<string> {
    const output = await run(what, script, signal);
    isOwned ||= output.split("\n").includes(OWNED);
    return output;
  }

  /** For what needs a staging folder that was compared with one that is made now. */
  function inStaging(what: string, script: string, signal: AbortSignal): Promise<string> {
    const check = isOwned ? "" : checkOwner(stagingRoot);
    return runAndNote(what, `${enter()}${check}${enterStaging(stagingRoot)}${script}:`, signal);
  }

  const survey = shellSurvey(inBase, tools);
  return {
    inBase,
    async attach(create, signal, probe) {
      const quoted = shellQuote(folder);
      const mode = directoryMode === null ? "" : ` && chmod ${directoryMode.toString(8)} ${quoted} 2>&1`;
      const make = `[ -d ${quoted} ] || { mkdir -p ${quoted} 2>&1${mode} && made=1 && echo '${BASE_MADE}'; } || exit ${FAILED}\n`;
      // A power cut must not take the folder itself away with all that is delivered into it. Folders above that may not be read are not ours.
      const above = folder.split("/").map((_, depth) => Array.from({ length: depth + 1 }, () => "..").join("/"));
      const keep = `[ -z "$made" ] || (\n${flushScript(tools.flush, above)}) >/dev/null 2>&1\n`;
      // `cd` may be refused where the folder is there: dash does not say why, ls does.
      const look = `[ -e ${quoted} ] && [ ! -d ${quoted} ] && { echo "Not a directory"; exit ${NO_BASE}; }\n`;
      const leave = probe === undefined
        ? ""
        : `(umask 077; mkdir ${stagingRoot}) 2>/dev/null\n${checkPlace(stagingRoot, false)}${checkOwner(stagingRoot)}` +
          `(umask 077; mkdir ${shellQuote(`${stagingRoot}/${probe}`)}) 2>/dev/null\n` +
          `printf 'image-transfer: born %s\\n' "$(stat ${tools.statRadix === 8 ? "-f %B" : "-c %W"} . 2>/dev/null)"\n`;
      const script = `made=\n${look}${create ? make : ""}${enter()}${create ? keep : ""}${leave}${ASK_FOR_SPACE}`;
      const output = await runAndNote(`create the folder ${where}`, script, signal);
      const found = mountOf(output);
      device = found.device;
      const born = /^image-transfer: born ([1-9]\d*)$/m.exec(output)?.[1];
      // A file server may make up such a time.
      const isShare = device?.includes(SHARE) === true;
      return {
        ...found,
        ...(born === undefined || isShare ? {} : { born }),
        ...(output.split("\n").includes(BASE_MADE) ? { made: true } : {}),
      };
    },
    async survey(paths, signal, staging) {
      if (staging === undefined) return await survey(paths, signal);
      // Also makes the staging folder, while the disk is asked for. Where that does not succeed, `prepare` tells why when the folder is
      // needed: what is there already needs none.
      const make = `umask 077\nmkdir -p ${shellWords([staging])} >/dev/null 2>&1 && made=1\nwait`;
      const script = `made=\n${lookFirstScript(paths, tools)}echo ${LOOKED}\n{ ${ASK_FOR_SPACE}; } &\n${make}\necho ${DONE}\n${
        '[ -z "$made" ] || echo ' + MADE
      }\n`;
      const output = await inBase("check files at the destination", script, signal);
      // What is looked at may have any name.
      const looked = output.lastIndexOf(LOOKED);
      const spaced = output.indexOf(DONE, looked);
      const mount = mountOf(output.slice(looked + LOOKED.length, spaced));
      if (output.includes(MADE, spaced) && (device === null || mount.device === device)) {
        prepared.set(staging, system.monotonic());
      }
      return stats(output.slice(0, looked), paths, tools);
    },
    digest: shellDigest(inBase, tools),
    modifiedAt: shellModifiedAt(inBase),
    publish: shellPublish(inBase, tools, { where, follow, system, place: `${host}\n${port}\n${folder}` }),
    flush: shellFlush(inBase, tools, where, follow),
    remove: shellRemove(inBase, tools, where, follow),
    emptyTrash: shellEmptyTrash(inBase, where, follow),
    async leftovers(signal) {
      const list = eachAttempt(`[ ! -d "$n" ] || [ -L "$n" ] || printf '%s\\n' "${ATTEMPT}$n"`);
      const output = await inStaging(`look for leftovers of earlier runs at ${where}`, list, signal);
      return output.split("\n").filter((line) => line.startsWith(ATTEMPT)).map((line) => line.slice(ATTEMPT.length));
    },
    async sweep(attempts, signal) {
      const names = attempts?.filter(isAttemptName).map((attempt) => `./${attempt}`);
      if (names?.length === 0) return;
      // Twice: a process that is just ending may still make a file in between.
      const twice = (remove: string) => `${remove} 2>/dev/null || ${remove} 2>&1 || exit ${FAILED}`;
      const remove = names === undefined
        ? `rm -f ./*.flush\n${eachAttempt(twice('rm -rf "./$n"'))}cd "$base" && rmdir ${stagingRoot} 2>/dev/null\n`
        : `${twice(`rm -rf ${shellWords(names)}`)}\n`;
      await inStaging(`remove temporary files below ${where}`, remove, signal);
    },
    async prepare(uploads, signal) {
      const folders = [...new Set(uploads.map(({ staged }) => folderOf(staged)))];
      const moves = uploads.filter(({ leftover, staged }) => leftover !== undefined && leftover !== staged);
      const isFresh = (folder: string) => system.monotonic() - (prepared.get(folder) ?? -Infinity) < FRESH_MS;
      const isReady = moves.length === 0 && folders.every(isFresh);
      for (const folder of folders) prepared.delete(folder);
      if (isReady) return;
      const script = [
        device === null ? "" : `${ASK_FOR_SPACE}\necho ${DONE}\n`,
        `(umask 077; mkdir -p ${shellWords(folders)} 2>&1) || exit ${FAILED}\n`,
        moves.length === 0 ? "" : TAKE_OVER,
        ...moves.map(({ leftover, staged }) => `m ${shellWords([leftover ?? "", staged])}\n`),
      ].join("");
      const output = await inBase(`create the temporary folder below ${where}`, script, signal);
      if (device !== null && mountOf(output.slice(0, output.indexOf(DONE))).device !== device) {
        throw failure(CAUSES.unmounted, `Cannot find the disk of ${where}`);
      }
    },
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
const BASE_MADE = "image-transfer: made";
const ATTEMPT = "attempt ";
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
