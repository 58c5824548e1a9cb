/**
 * The base path of a destination as SFTP alone sees it: absolute paths below it, and short questions about them.
 *
 * @module
 */
import { join } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import { meaningOf } from "../ssh/error_texts.ts";
import type { MethodContext } from "../method.ts";
import { checkPath } from "../naming.ts";
import type { Reply } from "./sftp_channel.ts";
import type { SftpChannels } from "./sftp_channels.ts";
import { freeBytes, type Listed, listed, NOT_THERE, sftpCommand } from "./sftp_command.ts";

/** What all calls of a session share. */
export interface SftpBase {
  readonly channels: SftpChannels;
  readonly destination: SshDestination;
  readonly context: MethodContext;
  /** The base path as the server knows it, absolute. */
  readonly folder: string;
  /** Base path and destination, for messages. */
  readonly where: string;
}

/** Asks where relative paths begin. */
export async function openSftpBase(
  channels: SftpChannels,
  destination: SshDestination,
  context: MethodContext,
  signal: AbortSignal,
): Promise<SftpBase> {
  const [home] = await channels.run([sftpCommand("pwd")], signal);
  const start = /working directory:\s*(\S.*?)\s*$/.exec(home?.output ?? "")?.[1] ?? ".";
  const where = `"${printable(destination.basePath)}" at ${destination.name}`;
  return { channels, destination, context, folder: absoluteBase(destination.basePath, start), where };
}

/** The base path as SFTP knows it: absolute, with `/C:/…` for Windows. `home` is where the server starts. */
export function absoluteBase(basePath: string, home: string): string {
  const slashed = /^[A-Za-z]:[\\/]/.test(basePath) ? `/${basePath.replaceAll("\\", "/")}` : basePath.replace(/^~(?=\/|$)/, ".");
  const absolute = slashed.startsWith("/") ? slashed : `${home}/${slashed}`;
  const parts = absolute.split("/").filter((part) => part !== "" && part !== ".");
  return `/${parts.join("/")}`;
}

/** The absolute path there of one that is relative to the base path. @throws {Failure} `name_refused` */
export function pathOf({ folder, where }: Pick<SftpBase, "folder" | "where">, relative: string): string {
  checkPath(relative, where, /^\/[A-Za-z]:/.test(folder));
  return `${folder === "/" ? "" : folder}/${relative}`;
}

/** Runs one command. */
export async function ask({ channels }: Pick<SftpBase, "channels">, command: string, signal: AbortSignal): Promise<Reply> {
  return (await channels.run([command], signal))[0]!;
}

export async function isFolder(base: Pick<SftpBase, "channels">, path: string, signal: AbortSignal): Promise<boolean> {
  return (await ask(base, sftpCommand("cd", path), signal)).errors === "";
}

/** What is at an absolute path. @throws {Failure} where that cannot be known. */
export async function list(base: Pick<SftpBase, "channels">, path: string, signal: AbortSignal): Promise<Listed> {
  return understood(path, await ask(base, sftpCommand("ls -ln", path), signal));
}

/** What the reply to `ls -ln` says. @throws {Failure} where that cannot be known. */
export function understood(path: string, reply: Reply): Listed {
  const found = listed(path, reply);
  if (found) return found;
  const meaning = meaningOf(reply.errors);
  throw new Failure(
    meaning?.code ?? "interrupted",
    `Cannot access "${printable(path)}": ${printable(reply.errors.slice(0, 300))}`,
    { hint: meaning?.hint ?? "It is retried automatically." },
  );
}

/** @throws {Failure} `device_missing` or `not_a_folder` where the base path is not a folder. */
export async function checkBase(base: SftpBase, signal: AbortSignal): Promise<void> {
  const { errors } = await ask(base, sftpCommand("cd", base.folder), signal);
  if (errors === "") return;
  if (/not a directory/i.test(errors)) {
    throw new Failure("not_a_folder", `Cannot use ${base.where}: it is not a folder`, { hint: "Correct remote_base_path." });
  }
  // Only an error that says so makes a disk missing: that stops the whole destination.
  if (!NOT_THERE.test(errors)) throw refusal(`enter the folder ${base.where}`, errors);
  throw new Failure("device_missing", `Cannot find the folder ${base.where}`, {
    hint: "Mount the disk or network drive there, or correct remote_base_path.",
  });
}

/** What `RemoteFiles.freeBytes` does. */
export async function freeSpace(base: SftpBase, signal: AbortSignal): Promise<number | null> {
  await checkBase(base, signal);
  return freeBytes((await ask(base, sftpCommand("df", base.folder), signal)).output);
}

/** What `RemoteFiles.tryToWrite` does, as far as SFTP tells. */
export async function tryToWrite(base: SftpBase, signal: AbortSignal): Promise<void> {
  const root = pathOf(base, base.context.stagingRoot);
  const probe = `${root}/probe-${crypto.randomUUID().slice(0, 8)}`;
  const commands = [sftpCommand("mkdir", root), sftpCommand("mkdir", probe), sftpCommand("rmdir", probe)];
  const [, made] = await base.channels.run(commands, signal);
  if (!made || made.errors === "") return;
  throw refusal(`write below ${base.where}`, made.errors);
}

/** What the server said of something that it did not do. */
export function refusal(what: string, errors: string): Failure {
  const meaning = meaningOf(errors);
  const last = printable(errors.split("\n").at(-1) ?? "").slice(0, 300);
  return new Failure(
    meaning?.code ?? "permission_denied",
    `Cannot ${what}: ${meaning?.reason ?? "the server refuses it"} (${last})`,
    { hint: meaning?.hint ?? "Check the permissions of the remote account, and that the disk there can be written." },
  );
}

/** An empty file on this computer, as sftp takes it. */
export async function emptyFile({ system, workFolder }: MethodContext): Promise<string> {
  const empty = join(workFolder, "flush");
  if (await system.facts(empty) === null) {
    await system.makeFolder(workFolder, 0o700);
    await system.writeText(empty, "");
  }
  // sftp takes a slash on every system; a backslash would be an escape.
  return system.platform === "windows" ? empty.replaceAll("\\", "/") : empty;
}
