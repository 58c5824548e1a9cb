/**
 * The destination's files where the server gives no shell: everything by SFTP. Files are proven by fetching them back.
 *
 * @module
 */
import { join } from "@std/path";
import { Failure } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { mapLimit } from "../../async/map_limit.ts";
import type { MethodContext, Session, Stat } from "../method.ts";
import { meaningOf } from "../local/os_failures.ts";
import type { Reply } from "./sftp_channel.ts";
import type { SftpChannels } from "./sftp_channels.ts";
import { freeBytes, type Listed, listed, NOT_THERE, sftpCommand } from "./sftp_command.ts";
import { ancestors, type SftpPlace } from "./sftp_place.ts";
import { sftpNames } from "./sftp_names.ts";
import { sftpSweep } from "./sftp_sweep.ts";
import type { SshSettings } from "../ssh/ssh.ts";
import { refusedByWindows } from "../windows_names.ts";

/** The calls of a Session that send nothing, and what `put` needs. */
export interface SftpFiles extends Pick<Session, "attach" | "survey" | "digest" | "publish" | "flush" | "leftovers" | "sweep"> {
  /** Makes the folders of these staged names, and moves leftovers to their new names. */
  prepare(uploads: readonly { readonly staged: string; readonly leftover?: string }[], signal: AbortSignal): Promise<void>;
  /** Free bytes; null where the server cannot tell. @throws {Failure} `device_missing` */
  free(signal: AbortSignal): Promise<number | null>;
  /** The absolute path there. @throws {Failure} `name_refused` */
  path(relative: string): string;
  /** Writes something below the base path. @throws {Failure} what keeps us from it, as far as SFTP tells. */
  tryToWrite(signal: AbortSignal): Promise<void>;
}

/** Each file fetched back costs several round trips. */
const READ_AT_ONCE = 3;

/** Asks where paths begin, and opens the files. */
export async function openSftpFiles(
  channels: SftpChannels,
  settings: SshSettings,
  context: MethodContext,
  signal: AbortSignal,
): Promise<SftpFiles> {
  const { destination } = settings;
  const { system, workFolder, spoolFolder = workFolder, stagingRoot } = context;
  const [home] = await channels.run([sftpCommand("pwd")], signal);
  const base = sftpBase(destination.basePath, /working directory:\s*(\S.*?)\s*$/.exec(home?.output ?? "")?.[1] ?? ".");
  const where = `"${printable(destination.basePath)}" at ${destination.name}`;
  const windows = /^\/[A-Za-z]:/.test(base);

  function path(relative: string): string {
    const parts = relative.split("/");
    const bad = parts.find((part) => part === "" || part === "." || part === ".." || (windows && refusedByWindows(part)));
    if (bad !== undefined) {
      throw new Failure(
        "name_refused",
        `Cannot use "${printable(relative)}" below ${where}: "${printable(bad)}" is not a valid name there`,
        {
          hint: "Rename the file, or change the layout.",
        },
      );
    }
    return `${base === "/" ? "" : base}/${relative}`;
  }

  async function one(command: string, signal: AbortSignal): Promise<Reply> {
    return (await channels.run([command], signal))[0]!;
  }

  async function isFolder(path: string, signal: AbortSignal): Promise<boolean> {
    return (await one(sftpCommand("cd", path), signal)).errors === "";
  }

  async function list(path: string, signal: AbortSignal): Promise<Listed> {
    return understood(path, await one(sftpCommand("ls -ln", path), signal));
  }

  function understood(path: string, reply: Reply): Listed {
    const found = listed(path, reply);
    if (found) return found;
    const meaning = meaningOf(reply.errors);
    throw new Failure(
      meaning?.code ?? "interrupted",
      `Cannot access "${printable(path)}": ${printable(reply.errors.slice(0, 300))}`,
      {
        hint: meaning?.hint ?? "It is retried automatically.",
      },
    );
  }

  async function checkBase(signal: AbortSignal): Promise<void> {
    const { errors } = await one(sftpCommand("cd", base), signal);
    if (errors === "") return;
    if (/not a directory/i.test(errors)) {
      throw new Failure("not_a_folder", `Cannot use ${where}: it is not a folder`, { hint: "Correct remote_base_path." });
    }
    // Only what surely says so makes a disk missing: that stops the whole destination.
    if (!NOT_THERE.test(errors)) throw refused(`enter the folder ${where}`, errors);
    throw new Failure("device_missing", `Cannot find the folder ${where}`, {
      hint: "Mount the disk or network drive there, or correct remote_base_path.",
    });
  }

  function refused(what: string, errors: string): Failure {
    const meaning = meaningOf(errors);
    const last = printable(errors.split("\n").at(-1) ?? "").slice(0, 300);
    return new Failure(
      meaning?.code ?? "permission_denied",
      `Cannot ${what}: ${meaning?.reason ?? "the server refuses it"} (${last})`,
      {
        hint: meaning?.hint ?? "Check the permissions of the remote account, and that the disk there can be written.",
      },
    );
  }

  async function free(signal: AbortSignal): Promise<number | null> {
    await checkBase(signal);
    return freeBytes((await one(sftpCommand("df", base), signal)).output);
  }

  async function survey(paths: readonly string[], signal: AbortSignal): Promise<(Stat | null)[]> {
    const replies = await channels.run(paths.map((relative) => sftpCommand("ls -ln", path(relative))), signal);
    return paths.map((relative, index) => {
      const found = understood(path(relative), replies[index]!);
      return found.kind === "nothing" ? null : { kind: found.kind, bytes: found.bytes };
    });
  }

  async function digest(paths: readonly string[], signal: AbortSignal) {
    await system.makeFolder(spoolFolder, 0o700);
    return await mapLimit(paths, READ_AT_ONCE, (relative) => readBack(relative, join(spoolFolder, crypto.randomUUID()), signal));
  }

  async function readBack(relative: string, local: string, signal: AbortSignal) {
    // sftp takes a slash on every system; a backslash would be an escape.
    const command = sftpCommand("get", path(relative), system.platform === "windows" ? local.replaceAll("\\", "/") : local);
    const moving = growth(local);
    try {
      const [reply] = await channels.run([command], signal, { patienceMs: destination.timeoutMs, moving });
      const errors = reply?.errors ?? "";
      if (errors === "") return await system.hash(local, signal);
      if (NOT_THERE.test(errors) || /not a regular file|non-regular/i.test(errors)) return null;
      if (/No space left/i.test(errors)) {
        throw new Failure(
          "local_disk_full",
          `Cannot read "${printable(relative)}" back from ${destination.name}: this computer's disk is full`,
          {
            hint: "Free space on the disk of state_directory.",
          },
        );
      }
      const failure = refused(`read "${printable(relative)}" back from ${destination.name}`, errors);
      if (failure.code !== "permission_denied") throw failure;
      // This file's own trouble (servers say "Failure" for a bad sector): it must not hold all others.
      throw new Failure("mismatch", failure.message, {
        hint:
          "Give the remote account permission to read it, or move it away; if its permissions are right, check the disk there.",
      });
    } finally {
      await system.remove(local);
    }
  }

  function growth(local: string): () => Promise<boolean> {
    let before = -1;
    return async () => {
      const size = (await system.facts(local))?.size ?? -1;
      const grown = size > before;
      before = size;
      return grown;
    };
  }

  async function prepare(uploads: Parameters<SftpFiles["prepare"]>[0], signal: AbortSignal): Promise<void> {
    await checkBase(signal);
    const folders = new Set(uploads.flatMap(({ staged }) => ancestors(staged)));
    const making = [...folders].map((folder) => sftpCommand("mkdir", path(folder)));
    const moves = uploads.flatMap(({ leftover, staged }) =>
      leftover === undefined || leftover === staged ? [] : [sftpCommand("rename", path(leftover), path(staged))]
    );
    // Folders that are there already, leftovers that are not: neither matters. What does not work shows when files are put.
    await channels.run([...making, ...moves], signal);
  }

  async function attach(create: boolean, signal: AbortSignal, probe?: string) {
    const make = create && !await isFolder(base, signal);
    if (make) {
      await channels.run(
        ancestors(`${base}/x`).filter((folder) => folder !== "").map((folder) => sftpCommand("mkdir", folder)),
        signal,
      );
      const { directoryMode } = destination;
      if (directoryMode !== null) await channels.run([sftpCommand(`chmod ${directoryMode.toString(8)}`, base)], signal);
    }
    const freeNow = await free(signal);
    if (probe !== undefined) {
      await channels.run([stagingRoot, `${stagingRoot}/${probe}`].map((folder) => sftpCommand("mkdir", path(folder))), signal);
    }
    return { freeBytes: freeNow, device: null, ...(make ? { made: true } : {}) };
  }

  async function tryToWrite(signal: AbortSignal): Promise<void> {
    const probe = path(`${stagingRoot}/probe-${crypto.randomUUID().slice(0, 8)}`);
    const [, made] = await channels.run([
      sftpCommand("mkdir", path(stagingRoot)),
      sftpCommand("mkdir", probe),
      sftpCommand("rmdir", probe),
    ], signal);
    if (!made || made.errors === "") return;
    if (meaningOf(made.errors)) throw refused(`write below ${where}`, made.errors);
    throw new Failure("permission_denied", `Cannot write below ${where}: the server refuses it (${printable(made.errors)})`, {
      hint: "Check the permissions of the remote account, and that the disk there is not read-only.",
    });
  }

  const { host, user, port } = destination.transport;
  const key = `${host}\n${user}\n${port}`;
  const place: SftpPlace = {
    channels,
    context,
    where,
    timeoutMs: destination.timeoutMs,
    key,
    path,
    list,
    isFolder,
    checkBase,
    digest,
  };
  return { attach, survey, digest, prepare, free, tryToWrite, path, ...sftpNames(place), ...sftpSweep(place) };
}

/** The base path as SFTP knows it: absolute, with `/C:/…` for Windows. `home` is where the server starts. */
export function sftpBase(basePath: string, home: string): string {
  const slashed = /^[A-Za-z]:[\\/]/.test(basePath) ? `/${basePath.replaceAll("\\", "/")}` : basePath.replace(/^~(?=\/|$)/, ".");
  const absolute = slashed.startsWith("/") ? slashed : `${home}/${slashed}`;
  const parts = absolute.split("/").filter((part) => part !== "" && part !== ".");
  return `/${parts.join("/")}`;
}
