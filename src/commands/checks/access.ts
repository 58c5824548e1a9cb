/** What an account may do with files here. Where root asks for another account, the system is asked as that account. */
import type { Account } from "../../services/service.ts";
import { isOther, runAs } from "../../services/service_account.ts";
import type { System } from "../../system/system.ts";

/** Every call throws the reason why the account cannot do it. */
export interface Access {
  /** For sentences; null for whoever runs the program. */
  readonly account: string | null;
  /** Makes the folder and its parents where they are missing. */
  makeFolder(path: string, mode?: number): Promise<void>;
  /** Creates a file in the folder and removes it. */
  write(folder: string): Promise<void>;
  read(path: string): Promise<void>;
}

type AccessSystem = Pick<
  System,
  "makeFolder" | "createFile" | "remove" | "followedFacts" | "list" | "read" | "separator" | "randomHex"
>;

export function ownAccess(system: AccessSystem): Access {
  return {
    account: null,
    makeFolder: (path, mode) => system.makeFolder(path, mode),
    async write(folder) {
      const probe = `${folder}${system.separator}.image-transfer-check-${system.randomHex(16)}`;
      try {
        await using file = await system.createFile(probe);
        await file.write(new TextEncoder().encode("check\n"));
      } finally {
        await system.remove(probe);
      }
    },
    async read(path) {
      const facts = await system.followedFacts(path);
      await (facts?.kind === "folder" ? system.list(path) : system.read(path, 0, 1));
    },
  };
}

/** The access of the account that a service will run as. */
export function accessOf(
  account: Account,
  system: AccessSystem & Pick<System, "platform" | "uid" | "run">,
  signal: AbortSignal,
): Access {
  if (!isOther(account, system)) return ownAccess(system);
  const ask = async (...words: readonly string[]) => {
    const { code, stderr } = await runAs(account, words, system, signal);
    if (code !== 0) throw new Deno.errors.PermissionDenied(stderr.trim() || "Permission denied");
  };
  return {
    account: account.name,
    makeFolder: (path, mode) => ask("mkdir", "-p", ...(mode === undefined ? [] : ["-m", mode.toString(8)]), "--", path),
    write: (folder) => ask("test", "-w", folder),
    read: (path) => ask("test", "-r", path),
  };
}
