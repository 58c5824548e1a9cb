/** What the compiled program may do, per target: the one table of permission lists. */
import { allPrograms } from "../../src/commands/programs.ts";

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
    `--allow-run=${allPrograms(platform).join(",")}`,
  ];
}
