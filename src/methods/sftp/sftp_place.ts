/**
 * What the parts of SftpFiles share.
 *
 * @module
 */
import { join } from "@std/path";
import type { MethodContext, Session } from "../method.ts";
import type { SftpChannels } from "./sftp_channels.ts";
import type { Listed } from "./sftp_command.ts";

/** SftpFiles as its own parts see it. */
export interface SftpPlace {
  readonly channels: SftpChannels;
  readonly context: MethodContext;
  /** Base path and destination, for messages. */
  readonly where: string;
  /** The destination's time-out: whatever takes longer is given up. */
  readonly timeoutMs: number;
  /** Keeps two publications of one name from each other. */
  readonly key: string;
  /** What sftp is to be told for a path relative to the base path. */
  path(relative: string): string;
  list(path: string, signal: AbortSignal): Promise<Listed>;
  isFolder(path: string, signal: AbortSignal): Promise<boolean>;
  checkBase(signal: AbortSignal): Promise<void>;
  digest: Session["digest"];
}

/** An empty file on this side, as sftp is to be told. */
export async function emptyFile({ system, workFolder }: MethodContext): Promise<string> {
  const empty = join(workFolder, "flush");
  if (await system.facts(empty) === null) {
    await system.makeFolder(workFolder, 0o700);
    await system.writeText(empty, "");
  }
  // sftp takes a slash on every system; a backslash would be an escape.
  return system.platform === "windows" ? empty.replaceAll("\\", "/") : empty;
}

/** The folders on the way to a path, outermost first. */
export function ancestors(path: string): string[] {
  const parts = path.split("/").slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
}
