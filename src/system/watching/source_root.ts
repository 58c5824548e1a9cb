/**
 * The root of a job: the folder that it watches. The only place that notices whether it is there, whether another folder has
 * taken its place, and whether its disk is mounted.
 */
import { dirname } from "@std/path";
import { unlessAborted } from "../../async/abort.ts";
import { deadline } from "../../async/deadline.ts";
import type { PathFacts, System } from "../system.ts";

/** What is at the path now. A root that is silent is on a disk or file server that does not respond. */
export type RootLook =
  /** `device:inode`. Symlinks are followed, as a watcher does: the root itself may be one. */
  | { readonly is: "folder"; readonly identity: string }
  | { readonly is: "missing" }
  /** It is the folder below a disk that was there before. */
  | { readonly is: "unmounted" }
  | { readonly is: "not a folder" }
  | { readonly is: "silent" };

type SourceRoot = ReturnType<typeof sourceRoot>;

type RootSystem = Pick<System, "followedFacts" | "sleep" | "monotonic">;

/** One for whoever asks; it remembers what it saw, and takes the disk that is found at the first call for right. */
export function sourceRoot(folder: string, system: RootSystem) {
  const ask = patientLook(folder, system);
  let known: { readonly device: string; readonly mount: string } | null = null;

  async function look(signal: AbortSignal): Promise<RootLook> {
    using limit = deadline(PATIENCE_MS, system, signal);
    const facts = await unlessAborted(ask(), limit.signal, "silent" as const);
    if (facts === "silent") return { is: "silent" };
    if (facts === null) return { is: "missing" };
    if (facts.kind !== "folder") return { is: "not a folder" };
    const away = await unlessAborted(isUncovered(facts).catch(() => false), limit.signal, "silent" as const);
    if (away === "silent") return { is: "silent" };
    return away ? { is: "unmounted" } : { is: "folder", identity: facts.identity };
  }

  async function isUncovered({ device }: PathFacts): Promise<boolean> {
    if (known?.device === device) return false;
    // A disk that was plugged in again may have another number: where it is mounted tells.
    const mount = await mountPoint(folder, device, system);
    // Mounted nearer to the folder than before is a disk that was not there yet at the first call.
    if (known !== null && mount.length < known.mount.length) return true;
    known = { device, mount };
    return false;
  }

  return {
    /** Answers within ten seconds; throws errors of the operating system. */
    look,
    /** Whether this folder is still the root; the root that cannot be looked at is not. "silent" where its disk does not respond. */
    async isStill(identity: string, signal: AbortSignal): Promise<boolean | "silent"> {
      const found = await look(signal).catch(() => null);
      if (found?.is === "silent") return "silent";
      return found?.is === "folder" && found.identity === identity;
    },
    /** Missing, or another folder shows through because its disk is not mounted: then no file in it is known to be gone. */
    async isAway(): Promise<boolean> {
      const facts = await system.followedFacts(folder);
      return facts === null || await isUncovered(facts);
    },
  };
}

/** Each look that is not answered holds a thread, some for ever: asks anew after twice as long each time. */
function patientLook(folder: string, system: RootSystem): () => Promise<PathFacts | null> {
  let asked: { readonly looking: Promise<PathFacts | null>; readonly at: number } | null = null;
  let patienceMs = PATIENCE_MS;
  return () => {
    const now = system.monotonic();
    if (asked !== null && now - asked.at < patienceMs) return asked.looking;
    if (asked !== null) patienceMs *= 2;
    const looking = system.followedFacts(folder).finally(() => {
      asked = null;
      patienceMs = PATIENCE_MS;
    });
    asked = { looking, at: now };
    return looking;
  };
}

/** The highest folder on the way up that is on the same device. */
async function mountPoint(folder: string, device: string, system: Pick<RootSystem, "followedFacts">): Promise<string> {
  for (let path = folder;;) {
    const parent = dirname(path);
    if (parent === path || (await system.followedFacts(parent))?.device !== device) return path;
    path = parent;
  }
}

const PATIENCE_MS = 10_000;
