/**
 * The destination's files through a remote shell: everything of a Session but `put`, one round for a whole batch.
 * Every script begins in the base path, so a base path that goes away is noticed by each of them.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { MethodContext, Mount } from "../method.ts";
import type { RemoteFiles } from "../ssh/remote_files.ts";
import { meaningOf } from "../local/os_failures.ts";
import { flushScript } from "./publish_sh.ts";
import type { Answer } from "./remote_shell.ts";
import { shellDigest } from "./shell_digest.ts";
import { shellFlush } from "./shell_flush.ts";
import { shellPublish } from "./shell_publish.ts";
import { shellQuote, shellWords } from "./shell_quote.ts";
import { shellSurvey } from "./shell_survey.ts";
import type { ShellTools } from "./shell_tools.ts";
import type { RunInBase } from "./run_in_base.ts";
import { remoteBase } from "../ssh/ssh.ts";
import type { SshConnection } from "../ssh/ssh_connection.ts";

/** What a shell alone can do, besides. */
export interface ShellFiles extends RemoteFiles {
  readonly inBase: RunInBase;
}

/** Exit status of a script that did not get into the base path. */
const NO_BASE = 91;
/** Exit status of a script whose own work failed; what it printed says why. */
const FAILED = 92;
/** Printed where the base path was made. */
const MADE = "image-transfer: made";

/** Remembers the device found by `attach`: `prepare` refuses another one with `device_missing`. */
export function shellFiles(connection: SshConnection, tools: ShellTools, context: MethodContext): ShellFiles {
  const { destination } = connection;
  const { stagingRoot } = context;
  const base = remoteBase(destination);
  const where = `"${printable(destination.basePath)}" at ${destination.name}`;
  /** The mount point that was found at attach: a base path that is suddenly on another one is a mount that went away. */
  let device: string | null = null;

  async function inBase(what: string, script: string, signal: AbortSignal): Promise<string> {
    const answer = await connection.run(`cd ${shellQuote(base)} 2>&1 || exit ${NO_BASE}\n${script}`, signal);
    if (answer.status === NO_BASE) throw noBase(answer);
    if (answer.status !== 0) throw failed(what, answer);
    return answer.output;
  }

  function noBase({ output }: Answer): Failure {
    if (/not a directory/i.test(output)) {
      return new Failure("not_a_folder", `Cannot use ${where}: it is not a folder`, { hint: "Correct remote_base_path." });
    }
    if (/permission denied/i.test(output)) return failed(`enter the folder ${where}`, { status: FAILED, output });
    // dash only says "can't cd to …": anything else is a missing folder.
    return new Failure("device_missing", `Cannot find the folder ${where}`, {
      hint: "Mount the disk or network drive there, or correct remote_base_path.",
    });
  }

  function failed(what: string, { status, output }: Answer): Failure {
    const last = printable(output.trim().split("\n").at(-1) ?? "").slice(0, 300);
    const meaning = meaningOf(output);
    if (meaning) return new Failure(meaning.code, `Cannot ${what}: ${meaning.reason} (${last})`, { hint: meaning.hint });
    return new Failure("interrupted", `Cannot ${what}: ${last || `status ${status}`}`, { hint: "It is retried automatically." });
  }

  async function attach(create: boolean, signal: AbortSignal, probe?: string) {
    const { directoryMode } = destination;
    const mode = directoryMode === null ? "" : ` && chmod ${directoryMode.toString(8)} ${shellQuote(base)} 2>&1`;
    const make = `[ -d ${shellQuote(base)} ] || { mkdir -p ${
      shellQuote(base)
    } 2>&1${mode} && made=1 && echo '${MADE}'; } || exit ${FAILED}\n`;
    // A power cut must not take the folder itself away with all that is delivered into it. Folders above that may not be read are not ours.
    const above = base.split("/").map((_, depth) => Array.from({ length: depth + 1 }, () => "..").join("/"));
    const keep = `[ -z "$made" ] || (\n${flushScript(tools.flush, above)}) >/dev/null 2>&1\n`;
    // `cd` may be refused where the folder is there: dash does not say why, ls does.
    const look = `[ -e ${shellQuote(base)} ] && [ ! -d ${shellQuote(base)} ] && { echo "Not a directory"; exit ${NO_BASE}; }\n`;
    const leave = probe === undefined ? "" : `(umask 077; mkdir -p ${shellQuote(`${stagingRoot}/${probe}`)}) 2>/dev/null\n`;
    const enter = `cd ${shellQuote(base)} 2>&1 || exit ${NO_BASE}\n`;
    const script = `made=\n${look}${create ? make : ""}${enter}${create ? keep : ""}${leave}${ASK_FOR_SPACE}`;
    const answer = await connection.run(script, signal);
    if (answer.status === NO_BASE) throw noBase(answer);
    if (answer.status !== 0) throw failed(`create the folder ${where}`, answer);
    const mount = mountOf(answer.output);
    device = mount.device;
    return answer.output.split("\n").includes(MADE) ? { ...mount, made: true } : mount;
  }

  async function prepare(uploads: Parameters<ShellFiles["prepare"]>[0], signal: AbortSignal): Promise<void> {
    const folders = [...new Set(uploads.map(({ staged }) => staged.slice(0, staged.lastIndexOf("/"))))];
    const moves = uploads.filter(({ leftover, staged }) => leftover !== undefined && leftover !== staged);
    const script = [
      device === null ? "" : `${ASK_FOR_SPACE}\necho ${DONE}\n`,
      `(umask 077; mkdir -p ${shellWords(folders)} 2>&1) || exit ${FAILED}\n`,
      moves.length === 0 ? "" : TAKE_OVER,
      ...moves.map(({ leftover, staged }) => `m ${shellWords([leftover ?? "", staged])}\n`),
    ].join("");
    const output = await inBase(`create the temporary folder below ${where}`, script, signal);
    if (device !== null && mountOf(output.slice(0, output.indexOf(DONE))).device !== device) {
      throw new Failure("device_missing", `Cannot find the disk of ${where}: it is no longer mounted`, {
        hint: "Mount the disk or network drive there again.",
      });
    }
  }

  return {
    inBase,
    freeBytes: async (signal) => mountOf(await inBase(`check ${where}`, ASK_FOR_SPACE, signal)).freeBytes,
    tryToWrite: async (signal) => {
      const probe = `${stagingRoot}/probe`;
      await inBase("write at the destination", `{ mkdir -p ${stagingRoot} && : > ${probe} && rm -f ${probe}; } 2>&1`, signal);
    },
    path: (relative) => `${base}/${relative}`,
    attach,
    prepare,
    survey: shellSurvey(inBase, tools),
    digest: shellDigest(inBase, tools),
    publish: shellPublish(inBase, tools, where, `${destination.transport.host}\n${destination.transport.port}\n${base}`),
    flush: shellFlush(inBase, tools, where),
    leftovers: async (signal) => {
      const script =
        `[ -d ${stagingRoot} ] || exit 0\nfor d in ${stagingRoot}/*; do [ -d "$d" ] && printf '%s\\n' "\${d##*/}"; done\n:`;
      const output = await inBase(`look for leftovers of earlier runs at ${where}`, script, signal);
      return output.split("\n").filter((name) => name !== "");
    },
    sweep: async (attempts, signal) => {
      const names = attempts === null ? [stagingRoot] : attempts.map((attempt) => `${stagingRoot}/${attempt}`);
      if (names.length === 0) return;
      // Twice: a process that is just ending may still make a file in between.
      const remove = `rm -rf ${shellWords(names)}`;
      const root = attempts === null ? "" : `rmdir ${stagingRoot} 2>/dev/null\n`;
      await inBase(
        `remove temporary files below ${where}`,
        `${remove} 2>/dev/null || ${remove} 2>&1 || exit ${FAILED}\n${root}:`,
        signal,
      );
    },
  };
}

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

/** Prints what {@linkcode mountOf} reads, nothing where there is no df. */
export const ASK_FOR_SPACE = "df -Pk . 2>/dev/null || :";
/** Behind it, where more follows. */
const DONE = "== space ==";

/**
 * Reads the last line of `df -Pk`. The mount point stands for the device: it survives a reboot, which device numbers do not, and
 * it changes when a disk that should be there is not mounted.
 */
export function mountOf(output: string): Mount {
  const line = output.trim().split("\n").at(-1) ?? "";
  const found = /^(.*?)\s+\d+\s+\d+\s+(-?\d+)\s+(?:\d+%|-)\s+(.+)$/.exec(line);
  if (!found) return { freeBytes: null, device: null };
  const [, source, free, mount] = found;
  // The server of a network share is part of its identity; a disk's device file may change its name.
  const share = source && /^(\/\/|[^/]+:)/.test(source) ? `${source} on ` : "";
  return { freeBytes: Math.max(0, Number(free)) * 1024, device: `${share}${mount}`, onSystemDisk: mount === "/" };
}
