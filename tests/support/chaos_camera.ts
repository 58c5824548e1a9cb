/**
 * A watched folder of a chaos night, with a record of what stands finished in it. The folder can be away for a while:
 * whoever names a path in it waits until it is back.
 */
import { dirname, join } from "@std/path";
import { sha256 } from "./fits_maker.ts";

export interface Camera {
  readonly job: string;
  readonly root: string;
  /** Name → SHA-256 of the finished file that stands under it. */
  readonly stat: Map<string, string>;
  /** Names that a writer has in hand now. */
  readonly busy: Set<string>;
  /** Does something with paths in the folder, in one go, when the folder is there. */
  here<T>(act: (path: (name: string) => string) => T): Promise<T>;
  /** Makes the folder of a name, if it is not there. */
  folderOf(name: string): Promise<void>;
  /** From now on these bytes may be shown under this name; gives their hash. */
  allow(name: string, content: Uint8Array<ArrayBuffer>): Promise<string>;
  allowHash(name: string, hash: string): void;
  moveAway(): void;
  moveBack(): void;
}

export function camera(job: string, root: string, allow: (name: string, hash: string) => void): Camera {
  Deno.mkdirSync(root, { recursive: true });
  let away = false;
  const here = async <T>(act: (path: (name: string) => string) => T): Promise<T> => {
    while (away) await new Promise((resolve) => setTimeout(resolve, 20));
    return act((name) => join(root, name));
  };
  return {
    job,
    root,
    stat: new Map(),
    busy: new Set(),
    here,
    folderOf: (name) => here((path) => Deno.mkdirSync(dirname(path(name)), { recursive: true })),
    async allow(name, content) {
      const hash = await sha256(content);
      allow(name, hash);
      return hash;
    },
    allowHash: allow,
    moveAway() {
      if (away) return;
      Deno.renameSync(root, `${root}.away`);
      away = true;
    },
    moveBack() {
      if (!away) return;
      Deno.renameSync(`${root}.away`, root);
      away = false;
    },
  };
}
