/**
 * The programs of the system that image-transfer starts, and what for: the permission list of the compiled program is made of them, and
 * `run` gives back what its configuration does not need.
 */
import { METHOD_NAMES } from "../config/schema/schema_methods.ts";
import type { Settings } from "../config/settings.ts";
import { HOOK_PROGRAM } from "../domain/hook.ts";
import { programsOf } from "../methods/programs.ts";
import type { Platform } from "../system/system.ts";

const POSIX_EDITORS = ["editor", "nano", "vi", "vim", "nvim", "emacs", "micro", "ed"];

/** For `config edit`, in this order. */
export const EDITORS: Readonly<Record<Platform, readonly string[]>> = {
  linux: POSIX_EDITORS,
  darwin: POSIX_EDITORS,
  windows: ["notepad"],
};

interface Uses {
  /** The daemon, whatever is configured. */
  readonly daemon: readonly string[];
  /** `system_log`. */
  readonly log: readonly string[];
  /** Commands other than `run`, besides the editors. */
  readonly commands: readonly string[];
}

const USES: Readonly<Record<Platform, Uses>> = {
  linux: {
    // find, stat: names that are not UTF-8 and open files; readlink: whether a folder is exported by NFS.
    // grep: mapped files (Deno does not let a program read /proc).
    // sysctl: how many folders the system watches, for the checks that the page offers; users have no /sbin on their PATH.
    daemon: ["find", "stat", "readlink", "grep", "sysctl", "/usr/sbin/sysctl", "/sbin/sysctl"],
    log: ["logger"],
    // getent: an account's home; runuser, as sudo on macOS: what root looks at as the account that a service will run as.
    commands: ["systemctl", "journalctl", "loginctl", "getent", "runuser", "xdg-open"],
  },
  darwin: { daemon: ["find", "lsof"], log: ["logger"], commands: ["launchctl", "id", "sudo", "open"] },
  windows: { daemon: [], log: ["eventcreate"], commands: ["schtasks", "explorer"] },
};

/** The fingerprint that `doctor --enroll` shows. */
const KEYGEN = "ssh-keygen";

/** Programs that may be started, found on the PATH when the program starts; one that is missing is no error. */
export function allPrograms(platform: Platform): string[] {
  const { daemon, log, commands } = USES[platform];
  return [...programsOf(METHOD_NAMES), KEYGEN, HOOK_PROGRAM, ...daemon, ...log, ...commands, ...EDITORS[platform]];
}

/** What a daemon with these settings may start. */
export function neededPrograms({ jobs, pocketbase }: Settings, logs: boolean, platform: Platform): string[] {
  // A server that may set jobs may choose any method, for a computer where nobody is there to restart anything.
  const methods = pocketbase?.maySet.includes("jobs")
    ? METHOD_NAMES
    : jobs.flatMap(({ destinations }) => destinations.map(({ transport }) => transport.method));
  const callsPrograms = jobs.some(({ hooks }) => hooks.some(({ receiver }) => receiver.kind === "command"));
  const { daemon, log } = USES[platform];
  return [...programsOf(methods), ...(callsPrograms ? [HOOK_PROGRAM] : []), ...daemon, ...(logs ? log : [])];
}
