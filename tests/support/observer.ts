/**
 * Stands at a destination and hashes every visible final name, all the time: the witness for I1. A name that ever
 * shows bytes that are not one complete source version is remembered, with what it showed.
 */
import { createHash } from "node:crypto";
import { join } from "@std/path";

export interface Observer {
  /** Bytes that may stand under this name (relative, `/`) from now on. */
  allow(name: string, sha256: string): void;
  /** How often a name was hashed. */
  readonly looks: number;
  /** Ends the watch after one last look; the offences, empty if I1 held. */
  stop(): Promise<string[]>;
}

/** Starts to look at the folder; it need not exist yet. Former versions (`name.v1.fits`) may show any allowed bytes. */
export function observe(folder: string): Observer {
  const allowed = new Map<string, Set<string>>();
  const offences = new Set<string>();
  let looks = 0;
  let running = true;
  /** What a name was when it was last hashed: bytes cannot have changed since without a newer ctime. */
  const seen = new Map<string, { readonly facts: string; readonly at: number }>();
  const former = (name: string) => name.replace(/\.v\d+(?=\.|$)/, "");

  async function look(): Promise<void> {
    for await (const name of finalNames(folder)) {
      const at = Date.now();
      const facts = await factsOf(join(folder, name));
      const known = seen.get(name);
      if (facts && known?.facts === facts.all && facts.ctimeMs < known.at - SAME_TICK_MS) continue;
      const bytes = await content(join(folder, name));
      if (bytes === null) continue;
      looks++;
      if (facts) seen.set(name, { facts: facts.all, at });
      const hash = createHash("sha256").update(bytes).digest("hex");
      if (!allowed.get(name)?.has(hash) && !allowed.get(former(name))?.has(hash)) {
        offences.add(`${name} showed ${bytes.length} bytes, SHA-256 ${hash.slice(0, 12)}…`);
      }
    }
  }

  const watch = (async () => {
    while (running) {
      const begun = performance.now();
      await look();
      await new Promise((resolve) => setTimeout(resolve, Math.max(5, performance.now() - begun)));
    }
    await look();
  })();

  return {
    allow(name, sha256) {
      const known = allowed.get(name);
      if (known) known.add(sha256);
      else allowed.set(name, new Set([sha256]));
    },
    get looks() {
      return looks;
    },
    async stop() {
      running = false;
      await watch;
      return [...offences];
    },
  };
}

/** Of the file system, and of versitygw: an upload in the making, which no client of it sees. */
const SERVERS_OWN: ReadonlySet<string> = new Set(["lost+found", ".sgwtmp"]);

/** Every file below the folder that is not under a staging folder of ours, as a relative path. */
export async function* finalNames(folder: string, below = ""): AsyncGenerator<string> {
  let entries: Deno.DirEntry[];
  try {
    entries = await Array.fromAsync(Deno.readDir(join(folder, below)));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return;
    throw error;
  }
  for (const entry of entries) {
    if (entry.name.startsWith(".image-transfer-") || SERVERS_OWN.has(entry.name)) continue;
    if (entry.isDirectory) yield* finalNames(folder, `${below}${entry.name}/`);
    else yield below + entry.name;
  }
}

/** What is left of staging folders: relative paths, empty if I5 holds. */
export async function stagingRemains(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map((entry) => entry.name).filter((name) =>
      name.startsWith(".image-transfer-")
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

const SAME_TICK_MS = 50;

async function factsOf(path: string): Promise<{ readonly all: string; readonly ctimeMs: number } | null> {
  try {
    const { ino, size, mtime, ctime } = await Deno.lstat(path);
    return { all: [ino, size, mtime?.getTime(), ctime?.getTime()].join(), ctimeMs: ctime?.getTime() ?? Infinity };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return null;
    throw error;
  }
}

async function content(path: string): Promise<Uint8Array | null> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.PermissionDenied) return null;
    throw error;
  }
}
