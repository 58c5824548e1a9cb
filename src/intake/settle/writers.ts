/**
 * Who may still be writing: asks the system which files are open for writing, and knows where its answer is
 * worth nothing, because other machines write there too.
 */
import type { FileFacts } from "../../domain/source_file.ts";
import type { System } from "../../system/system.ts";
import { nfsExports, type Remoteness, remotenessOf } from "../watch/remote_folder.ts";

/** `gone` is sure: no process of any account has it open, and no other machine can. `unseen` is no answer. */
export type WriterState = "open" | "gone" | "unseen";

/** Of a file (absolute path), and whether every writer of it is on this machine. */
export type WriterOf = (path: string, local: boolean) => WriterState;

/** What is remembered is which devices are remote. */
export type Writers = ReturnType<typeof writers>;

/** The part of the system that the look needs. */
export type WriterSystem = Pick<
  System,
  "openForWriting" | "seesEveryWriter" | "run" | "platform" | "sleep" | "monotonic" | "readText" | "realPath"
>;

/** One for each intake; asks nothing before it is asked. */
export function writers(system: WriterSystem) {
  // File systems mounted below the watched folder are told by their device number.
  const devices = new Map<string, { readonly answer: Promise<Remoteness>; readonly at: number }>();
  const exported = nfsExports(system);
  // Many files of one folder are asked about at once.
  let moment = { at: -Infinity, folders: new Map<string, { readonly device: string; readonly answer: Promise<boolean> }>() };

  async function isLocal(device: string, folder: string, now: number): Promise<boolean> {
    let known = devices.get(device);
    if (known === undefined || (now - known.at >= AGAIN_MS && await known.answer === "unknown")) {
      devices.set(device, known = { answer: remotenessOf(folder, system), at: now });
    }
    return await known.answer === "local" && !await exported.has(folder);
  }

  return {
    /** Whether every writer of this file is on this machine. `folder` is the absolute path of its folder. */
    isLocal({ identity }: FileFacts, folder: string): Promise<boolean> {
      const device = identity.slice(0, Math.max(0, identity.indexOf(":")));
      const now = system.monotonic();
      if (now - moment.at >= MOMENT_MS) moment = { at: now, folders: new Map() };
      let known = moment.folders.get(folder);
      if (known?.device !== device) moment.folders.set(folder, known = { device, answer: isLocal(device, folder, now) });
      return known.answer;
    },
    /** What is known of the writers of these files (absolute paths); one look for all. */
    async of(paths: readonly string[], signal: AbortSignal): Promise<WriterOf> {
      if (paths.length === 0) return () => "unseen";
      const [open, everyone] = await Promise.all([system.openForWriting(paths, signal), system.seesEveryWriter()]);
      return (path, local) => open?.has(path) ? "open" : open !== null && everyone && local ? "gone" : "unseen";
    },
  };
}

/** What was found out of a folder is taken for true for so long. */
const MOMENT_MS = 1_000;
/** An answer that was not had is asked for again after so long. */
const AGAIN_MS = 5_000;
