/**
 * Folders of this machine that its kernel exports by NFS: what other machines write there is in no table of open files.
 * Linux only, from the table that exportfs keeps.
 *
 * @module
 */
import { faultOf } from "../../system/fault.ts";
import type { System } from "../../system/system.ts";

/** What is exported, as it was some seconds ago at most. */
interface NfsExports {
  /** Whether others may write in this folder (absolute); true where that cannot be told. */
  has(folder: string): Promise<boolean>;
}

/** Asks nothing before it is asked. */
export function nfsExports(system: Pick<System, "readText" | "run" | "platform" | "monotonic">): NfsExports {
  let table: { readonly answer: Promise<readonly string[] | null>; readonly at: number } | null = null;
  const realPaths = new Map<string, Promise<string>>();

  async function read(): Promise<readonly string[] | null> {
    try {
      return writableExports(await system.readText(ETAB));
    } catch (error) {
      return faultOf(error) === "not_found" ? [] : null;
    }
  }

  async function realPath(folder: string): Promise<string> {
    const { stdout } = await system.run({ program: "readlink", args: ["-f", "--", folder] }, new AbortController().signal);
    return stdout.replace(/\n$/, "") || folder;
  }

  return {
    async has(folder) {
      if (system.platform !== "linux") return false;
      const now = system.monotonic();
      if (table === null || now - table.at >= AGAIN_MS) table = { answer: read(), at: now };
      const exported = await table.answer;
      if (exported === null) return true;
      if (exported.length === 0) return false;
      let real = realPaths.get(folder);
      if (real === undefined) realPaths.set(folder, real = realPath(folder).catch(() => folder));
      const place = `${await real}/`;
      return exported.some((path) => place.startsWith(path.endsWith("/") ? path : `${path}/`));
    },
  };
}

/** The folders that some client may write to; a line is `path`, tab, `client(options)`, odd bytes of the path as `\040`. */
function writableExports(etab: string): string[] {
  return [...etab.matchAll(/^(\S+)\s.*[(,]rw[,)]/gm)].map(([, path = ""]) =>
    new TextDecoder().decode(
      Uint8Array.from(
        path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(parseInt(octal, 8))),
        (character) => character.charCodeAt(0),
      ),
    )
  );
}

const ETAB = "/var/lib/nfs/etab";
const AGAIN_MS = 5_000;
