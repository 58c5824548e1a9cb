/**
 * The base path of a destination as a remote shell sees it. Every script begins in it, so a base path that goes away is
 * noticed by each of them.
 *
 * @module
 */
import { CAUSES, failure } from "../../domain/causes.ts";
import type { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { MethodContext, Mount } from "../method.ts";
import { remoteBase } from "../ssh/ssh.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import type { SshConnection } from "../ssh/ssh_connection.ts";
import type { Answer, RunInBase } from "./remote_shell.ts";
import { unsafeStaging } from "../staging.ts";
import { flushScript } from "./shell_flush.ts";
import { shellQuote } from "./shell_quote.ts";
import { checkOwner, checkPlace, OWNED, UNSAFE } from "./shell_staging.ts";
import type { ShellTools } from "./shell_tools.ts";

/** What all calls of a session share. */
export interface ShellBase {
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

/** Asks nothing yet. */
export function shellBase(
  connection: SshConnection,
  tools: ShellTools,
  { stagingRoot, system }: Pick<MethodContext, "stagingRoot" | "system">,
): ShellBase {
  const { destination } = connection;
  const where = `"${printable(destination.basePath)}" at ${destination.name}`;
  const folder = remoteBase(destination);
  return {
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
}

/** Exit status of a script that did not get into the base path. */
const NO_BASE = 91;
/** Exit status of a script whose own work failed; what it printed says why. */
export const FAILED = 92;
/** Printed where the base path was made. */
const MADE = "image-transfer: made";

export function runInBase(base: ShellBase): RunInBase {
  return (what, script, signal) => run(base, what, `${enter(base)}${script}`, signal);
}

function enter({ folder, stagingRoot, staging }: ShellBase): string {
  return `cd ${shellQuote(folder)} 2>&1 || exit ${NO_BASE}\n${checkPlace(stagingRoot, staging.owned)}`;
}

async function run(base: ShellBase, what: string, script: string, signal: AbortSignal): Promise<string> {
  const answer = await base.connection.run(script, signal);
  if (answer.status === NO_BASE) throw noBase(base, answer);
  if (answer.status === UNSAFE) {
    const why = answer.output.trim().split("\n").at(-1);
    throw unsafeStaging(base.where, base.stagingRoot, why === "owner" || why === "mode" ? why : "link");
  }
  if (answer.status !== 0) throw failed(what, answer);
  return answer.output;
}

function noBase({ where }: ShellBase, { output }: Answer): Failure {
  if (/not a directory/i.test(output)) {
    return failure(CAUSES.base_not_a_folder, `Cannot use ${where}`);
  }
  if (/permission denied/i.test(output)) return failed(`enter the folder ${where}`, { status: FAILED, output });
  // dash only says "can't cd to …": anything else is a missing folder.
  return failure(CAUSES.base_missing, `Cannot find the folder ${where}`);
}

function failed(what: string, { status, output }: Answer): Failure {
  const last = printable(output.trim().split("\n").at(-1) ?? "").slice(0, 300);
  return failure(meaningOf(output) ?? CAUSES.said, `Cannot ${what}`, { said: last || `status ${status}` });
}

/** As {@linkcode runInBase}, for what needs a staging folder that was compared with one that is made now. */
export async function runInStaging(base: ShellBase, what: string, script: string, signal: AbortSignal): Promise<string> {
  const check = base.staging.checked ? "" : checkOwner(base.stagingRoot);
  const output = await run(base, what, `${enter(base)}${check}${script}`, signal);
  noteOwner(base, output);
  return output;
}

function noteOwner(base: ShellBase, output: string): void {
  if (output.split("\n").includes(OWNED)) base.staging = { checked: true, owned: true };
}

/** What `Session.attach` does. */
export async function attach(base: ShellBase, create: boolean, signal: AbortSignal, probe?: string): Promise<Mount> {
  const { tools, stagingRoot, where, connection: { destination: { directoryMode } } } = base;
  const folder = shellQuote(base.folder);
  const mode = directoryMode === null ? "" : ` && chmod ${directoryMode.toString(8)} ${folder} 2>&1`;
  const make = `[ -d ${folder} ] || { mkdir -p ${folder} 2>&1${mode} && made=1 && echo '${MADE}'; } || exit ${FAILED}\n`;
  // A power cut must not take the folder itself away with all that is delivered into it. Folders above that may not be read are not ours.
  const above = base.folder.split("/").map((_, depth) => Array.from({ length: depth + 1 }, () => "..").join("/"));
  const keep = `[ -z "$made" ] || (\n${flushScript(tools.flush, above)}) >/dev/null 2>&1\n`;
  // `cd` may be refused where the folder is there: dash does not say why, ls does.
  const look = `[ -e ${folder} ] && [ ! -d ${folder} ] && { echo "Not a directory"; exit ${NO_BASE}; }\n`;
  const leave = probe === undefined
    ? ""
    : `(umask 077; mkdir ${stagingRoot}) 2>/dev/null\n${checkPlace(stagingRoot, false)}${checkOwner(stagingRoot)}` +
      `(umask 077; mkdir ${shellQuote(`${stagingRoot}/${probe}`)}) 2>/dev/null\n`;
  const born = probe === undefined ? "" : bornScript(tools);
  const script = `made=\n${look}${create ? make : ""}${enter(base)}${create ? keep : ""}${leave}${born}${ASK_FOR_SPACE}`;
  const output = await run(base, `create the folder ${where}`, script, signal);
  noteOwner(base, output);
  const found = mountOf(output);
  base.device = found.device;
  const time = BORN.exec(output)?.[1];
  // A file server may make up such a time.
  const mount = time === undefined || isShare(found.device) ? found : { ...found, born: time };
  return output.split("\n").includes(MADE) ? { ...mount, made: true } : mount;
}

/** Prints when the base folder was made, where the file system knows it. */
function bornScript({ statRadix }: ShellTools): string {
  return `printf 'image-transfer: born %s\\n' "$(stat ${statRadix === 8 ? "-f %B" : "-c %W"} . 2>/dev/null)"\n`;
}
const BORN = /^image-transfer: born ([1-9]\d*)$/m;

/** Prints the input of {@linkcode mountOf}; prints nothing if the remote computer has no `df`. */
export const ASK_FOR_SPACE = "df -Pk . 2>/dev/null || :";
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
  const share = source && /^(\/\/|[^/]+:)/.test(source) ? `${source} on ` : "";
  return { freeBytes: Math.max(0, Number(free)) * 1024, device: `${share}${mount}`, onSystemDisk: mount === "/" };
}

/** Whether {@linkcode mountOf} told a network share. */
function isShare(device: string | null): boolean {
  return device?.includes(" on ") === true;
}
