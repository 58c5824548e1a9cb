/**
 * What the compiled program may do, per target: the one table of permission lists.
 *
 * @module
 */
import { HOOK_PROGRAM } from "../../src/domain/hook.ts";
import { METHODS } from "../../src/methods/methods.ts";

/** The targets of `deno compile`. */
export const TARGETS = [
  "x86_64-unknown-linux-gnu",
  "aarch64-unknown-linux-gnu",
  "x86_64-pc-windows-msvc",
  "x86_64-apple-darwin",
  "aarch64-apple-darwin",
] as const;
export type Target = typeof TARGETS[number];

/** The target of the machine that builds. */
export function thisTarget(): Target {
  const target = TARGETS.find((target) => target === Deno.build.target);
  if (target === undefined) throw new Error(`Cannot build for "${Deno.build.target}": deno compile has no such target`);
  return target;
}

/** For `config edit`. */
const EDITORS = ["editor", "nano", "vi", "vim", "nvim", "emacs", "micro", "ed"];

const METHOD_PROGRAMS = (await Promise.all(Object.values(METHODS).map((load) => load()))).flatMap(({ programs }) => programs);

/** Programs of the system that may be started, found on the PATH when the program starts; one that is missing is no error. */
export const PROGRAMS: Readonly<Record<"everywhere" | "linux" | "darwin" | "windows", readonly string[]>> = {
  // ssh-keygen: the fingerprint that `doctor --enroll` shows.
  everywhere: [...new Set(METHOD_PROGRAMS), "ssh-keygen", HOOK_PROGRAM],
  // find, stat: names that are not UTF-8 and open files; readlink: whether a folder is exported by NFS.
  // getent, id: an account's home; runuser, sudo: what root looks at as the account that a service will run as.
  // grep: mapped files, and whether the processor has AES instructions (Deno does not let a program read /proc).
  // sysctl: how many folders the system watches; users have no /sbin on their PATH.
  linux: [
    "find",
    "stat",
    "readlink",
    "systemctl",
    "journalctl",
    "loginctl",
    "getent",
    "runuser",
    "xdg-open",
    "logger",
    ...EDITORS,
    "grep",
    "sysctl",
    "/usr/sbin/sysctl",
    "/sbin/sysctl",
  ],
  darwin: ["find", "lsof", "launchctl", "id", "sudo", "open", "logger", ...EDITORS],
  windows: ["schtasks", "explorer", "eventcreate", "notepad"],
};

/** What is asked of the system besides files and network. */
const SYSTEM: readonly string[] = ["hostname", "homedir", "uid", "statfs"];

/** The permission arguments of `deno compile`. */
export function permissionArguments(target: Target): string[] {
  const platform = target.includes("linux") ? "linux" : target.includes("darwin") ? "darwin" : "windows";
  return [
    "--no-prompt",
    "--allow-read",
    "--allow-write",
    "--allow-net",
    // All of it: `$VAR` in a path of the configuration may name any variable.
    "--allow-env",
    `--allow-sys=${SYSTEM.join(",")}`,
    `--allow-run=${[...PROGRAMS.everywhere, ...PROGRAMS[platform]].join(",")}`,
  ];
}
