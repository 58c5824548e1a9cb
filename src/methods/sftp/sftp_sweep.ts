/**
 * Removing what attempts left, by SFTP, which cannot remove a tree in one go.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { Session } from "../method.ts";
import { sftpCommand } from "./sftp_command.ts";
import type { SftpPlace } from "./sftp_place.ts";

/** Staging holds our own names only, and what tools make of them: nothing deeper. */
const DEEPEST = 4;
/** Names of ours: the listing may have escaped others. */
const OURS = /^[A-Za-z0-9_.~-]+$/;

/** Descends four folders at most, and touches no name that could not be ours. */
export function sftpSweep({ channels, context, path, where, isFolder }: SftpPlace): Pick<Session, "leftovers" | "sweep"> {
  const { stagingRoot } = context;

  async function names(folder: string, signal: AbortSignal): Promise<string[]> {
    const [reply] = await channels.run([sftpCommand("ls -1a", folder)], signal);
    const lines = (reply?.output ?? "").split("\n").map((line) => line.trimEnd());
    // Some versions print the folder in front of each name.
    return lines.map((line) => line.slice(line.lastIndexOf("/") + 1)).filter((name) =>
      OURS.test(name) && !/^\.{1,2}$/.test(name)
    );
  }

  async function removeTree(folder: string, depth: number, signal: AbortSignal): Promise<void> {
    const entries = (await names(folder, signal)).map((name) => `${folder}/${name}`);
    const replies = await channels.run(entries.map((entry) => sftpCommand("rm", entry)), signal);
    const folders = entries.filter((_, index) => replies[index]?.errors !== "");
    for (const entry of folders) if (depth < DEEPEST) await removeTree(entry, depth + 1, signal);
    await channels.run([sftpCommand("rmdir", folder)], signal);
  }

  return {
    leftovers: async (signal) => {
      const root = path(stagingRoot);
      if (!await isFolder(root, signal)) return [];
      const found = await names(root, signal);
      const replies = await channels.run(found.map((name) => sftpCommand("cd", `${root}/${name}`)), signal);
      return found.filter((_, index) => replies[index]?.errors === "");
    },
    sweep: async (attempts, signal) => {
      const folders = attempts === null ? [stagingRoot] : attempts.map((attempt) => `${stagingRoot}/${attempt}`);
      for (const folder of folders.map(path)) {
        if (!await isFolder(folder, signal)) continue;
        await removeTree(folder, 0, signal);
        if (!await isFolder(folder, signal)) continue;
        throw new Failure("permission_denied", `Cannot remove the temporary folder "${folder}" from ${where}`, {
          next: "later",
          hint: "Check the permissions of the remote account there; it is retried automatically.",
        });
      }
    },
  };
}
