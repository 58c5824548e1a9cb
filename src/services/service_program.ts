/**
 * Puts the program at a place where it stays: a service must not depend on a download folder. An upgrade replaces it by a
 * rename, also while the former one runs.
 */
import { join as joinPosix } from "@std/path/posix";
import { join as joinWindows } from "@std/path/windows";
import type { Account, Scope } from "./service.ts";
import type { System } from "../system/system.ts";

type ProgramSystem = Pick<
  System,
  "platform" | "executable" | "env" | "facts" | "hash" | "copy" | "setMode" | "rename" | "remove" | "makeFolder" | "symlink"
>;

/** The program's other name, under which it takes `--install` and `--uninstall`, and else is `service`. */
export const SERVICE_PROGRAM = "image-transfer-service";

/** Where the program of a service is kept: where it is, if that is permanent; else the system's usual place for programs. */
export function placeOfProgram(
  scope: Scope,
  account: Account,
  system: Pick<System, "platform" | "executable" | "compiled" | "env">,
): string {
  const { platform } = system;
  // From source, that is Deno itself.
  const executable = system.compiled ? system.executable : "";
  if (platform === "windows") {
    const programs = joinWindows(system.env("LOCALAPPDATA") ?? joinWindows(account.home, "AppData", "Local"), "Programs");
    const stays = [programs, system.env("ProgramFiles") ?? "C:\\Program Files"].some((folder) =>
      executable.toLowerCase().startsWith(`${folder.toLowerCase()}\\`)
    );
    return stays ? executable : joinWindows(programs, "image-transfer", "image-transfer.exe");
  }
  const own = ["bin", ".local"].map((folder) => joinPosix(account.home, folder));
  const folders = ["/usr", "/opt", "/nix", "/gnu", ...(scope === "user" ? own : [])];
  if (folders.some((folder) => executable.startsWith(`${folder}/`))) return executable;
  return scope === "system" ? "/usr/local/bin/image-transfer" : joinPosix(account.home, ".local/bin/image-transfer");
}

/** What was done about the program. */
interface Placed {
  /** True when install-service brought it there, now or before: uninstall-service takes it away. */
  readonly copied: boolean;
  /** True when it is another program than before. */
  readonly changed: boolean;
}

/** Copies the running program to `place`, unless the same is there. `copiedBefore`: an earlier install brought what is there. */
export async function placeProgram(
  place: string,
  copiedBefore: boolean,
  system: ProgramSystem,
  signal: AbortSignal,
): Promise<Placed> {
  const { executable } = system;
  if (place === executable) return { copied: copiedBefore, changed: false };
  const there = await system.facts(place);
  const same = there?.kind === "file" &&
    (await system.hash(place, signal)).sha256 === (await system.hash(executable, signal)).sha256;
  const copied = copiedBefore || there === null;
  if (same) return { copied, changed: false };
  const folder = place.slice(0, Math.max(place.lastIndexOf("/"), place.lastIndexOf("\\")));
  await system.makeFolder(folder);
  const fresh = `${place}.new`;
  await system.remove(fresh);
  await system.copy(executable, fresh, {}, signal);
  if (system.platform !== "windows") await system.setMode(fresh, 0o755);
  // Windows lets a running program be renamed, but not replaced.
  if (system.platform === "windows" && there !== null) {
    await system.remove(`${place}.old`).catch(() => undefined);
    await system.rename(place, `${place}.old`);
  }
  await system.rename(fresh, place);
  const link = serviceName(place);
  if (copied && link !== null && await system.facts(link) === null) await system.symlink("image-transfer", link);
  return { copied, changed: true };
}

/** Takes the program away again; false where that is not possible, since it runs (Windows). */
export async function removeProgram(place: string, system: ProgramSystem): Promise<boolean> {
  if (system.platform === "windows" && system.executable.toLowerCase() === place.toLowerCase()) return false;
  await system.remove(place);
  const link = serviceName(place);
  if (link !== null && (await system.facts(link))?.kind === "symlink") await system.remove(link);
  return true;
}

/** The second name beside the program; null where symlinks need rights. */
function serviceName(place: string): string | null {
  return place.endsWith("/image-transfer") ? `${place.slice(0, -"image-transfer".length)}${SERVICE_PROGRAM}` : null;
}
