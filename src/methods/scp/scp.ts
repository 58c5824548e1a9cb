/**
 * The method scp: batches of links into staging, in the mode that speaks SFTP (`-O`, where remote shells expand names, is
 * never asked for). It cannot continue a part: what an earlier attempt left is sent again, which is logged once.
 *
 * @module
 */
import type { Failure } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { sourceFailureOf } from "../../system/source_failure.ts";
import { paceOf } from "../bandwidth.ts";
import { watchGrowth } from "../growth.ts";
import { bytesOf, linkName, makeLinks, stagingOf } from "../links.ts";
import type { Method, MethodContext, Upload } from "../method.ts";
import {
  diskTrouble,
  type FileFailures,
  openShellSession,
  type Sender,
  type SenderParts,
  type Sent,
} from "../shell/shell_session.ts";
import { toldOfSource } from "../rsync/rsync_failures.ts";
import type { Finished } from "../../system/system.ts";
import { sshFailure } from "../ssh/ssh_failures.ts";
import { giveNewTimes, givePlainModes } from "../shell/plain_modes.ts";
import { shellQuote, wordGroups } from "../shell/shell_quote.ts";
import type { ShellFiles } from "../shell/shell_files.ts";
import { remoteBase, remoteSpec, type Sharing, sshOptions, type SshSettings, toolPath } from "../ssh/ssh.ts";

/**
 * The remote hash proves the files, so a shell that can hash is needed there as well.
 *
 * @throws {Failure} from `connect`: `tool_missing` without scp and ssh here, or without such a shell there.
 */
export const scp: Method<"scp"> = {
  name: "scp",
  async connect(destination, context, signal) {
    const { system } = context;
    const path = await toolPath("scp", system);
    const ssh = await toolPath("ssh", system);
    const version = openSshVersion((await system.run({ program: ssh, args: ["-V"] }, signal)).stderr);
    return await openShellSession(
      destination,
      context,
      signal,
      (parts) => scpSender(parts, path, version),
    );
  },
};

/** How often it is looked how far the files are: scp tells nothing without a terminal. */
const LOOK_MS = 1000;

function scpSender(
  { destination, context, connection, files }: SenderParts,
  program: string,
  version: OpenSshVersion | null,
): Promise<Sender> {
  const pace = paceOf(destination, context);
  let toldAnew = false;

  async function send(
    uploads: readonly Upload[],
    prepared: Promise<void>,
    sent: Sent,
    signal: AbortSignal,
  ): Promise<FileFailures | null> {
    if (!toldAnew && uploads.some(({ leftover }) => leftover !== undefined)) {
      toldAnew = true;
      context.log(
        "info",
        `${destination.name}: scp cannot resume an interrupted file; it is sent again from the start (rsync and sftp can resume)`,
      );
    }
    await using links = await makeLinks(context);
    await links.fill(uploads, signal).then(() => prepared);
    const looks = { survey: files.survey, periodMs: LOOK_MS, files: Infinity };
    await using _growth = watchGrowth(
      uploads,
      looks,
      (upload, bytes) => sent.bytes(linkName(upload), bytes),
      context.system,
      signal,
    );
    const failures = new Map(await irregular(uploads, context));
    const regular = uploads.map(linkName).filter((name) => !failures.has(name)).map((name) => `./${name}`);
    using lease = await pace.lease(bytesOf(uploads), signal, sent.alive);
    // Windows allows 32,767 characters on a command line.
    const groups = wordGroups(regular, 20_000);
    for (let names = groups.shift(); names !== undefined; names = groups.shift()) {
      const args = scpArgs(connection, { version, staging: stagingOf(uploads), names, limit: lease.rate });
      const finished = await context.system.run({ program, args, cwd: links.folder, env: { LC_ALL: "C" } }, signal);
      if (finished.code === 0) continue;
      const said = scpFileFailures(finished.stderr, uploads);
      if (said.size === 0) throw await scpFailure(finished, uploads, files, destination, signal);
      for (const [name, failure] of said) failures.set(name, failure);
      // A file that is gone makes scp end at once: continue behind it.
      const last = names.findLastIndex((name) => said.has(name.slice("./".length)));
      if (last >= 0 && last < names.length - 1) groups.unshift(names.slice(last + 1));
    }
    return failures.size === 0 ? null : failures;
  }

  return Promise.resolve({
    method: "scp",
    about: `scp${version ? ` of OpenSSH ${version.major}.${version.minor}` : ""}`,
    resumes: false,
    hashesSource: false,
    send,
    finish: (uploads, signal) => setRight(uploads, destination, files, signal),
  });
}

/** The links that do not lead to a regular file, which scp would send in its own manner, and why they are not sent. */
async function irregular(uploads: readonly Upload[], { system }: MethodContext): Promise<[string, Failure][]> {
  const kinds = await mapLimit(uploads, 16, ({ source }) => kindOf(source.absolutePath, system));
  return uploads.flatMap((upload, index): [string, Failure][] => {
    const kind = kinds[index];
    if (kind === "file" || kind === "unknown") return [];
    return [[linkName(upload), sourceFailureOf(kind === null ? "not_found" : "is_a_folder", upload.source.path)]];
  });
}

async function kindOf(path: string, system: Pick<MethodContext["system"], "followedFacts">): Promise<string | null> {
  try {
    return (await system.followedFacts(path))?.kind ?? null;
  } catch (error) {
    // scp itself will say what is wrong with it.
    return error instanceof Error ? "unknown" : null;
  }
}

/** `scp -p` keeps times and modes, and without it modes all the same: what was not asked for is taken back. */
async function setRight(
  uploads: readonly Upload[],
  destination: SshDestination,
  files: ShellFiles,
  signal: AbortSignal,
): Promise<void> {
  const { preserveTimestamps, preservePermissions } = destination;
  if (!preservePermissions) await givePlainModes(uploads, files, signal);
  else if (!preserveTimestamps) await giveNewTimes(uploads, files, signal);
}

/** What was said of single sources: `scp: stat local "./3": No such file or directory`, `/usr/bin/scp: ./3: not a regular file`… */
function scpFileFailures(stderr: string, uploads: readonly Upload[]): FileFailures {
  const byName = new Map(uploads.map((upload) => [linkName(upload), upload]));
  const failures = new Map<string, Failure>();
  for (const line of stderr.split(/\r?\n/)) {
    const name = /^(?:\S*scp(?:\.exe)?: )?(?:(?:stat|open|read|local) )*(?:local )?"?(?:\.\/)?([A-Za-z0-9._-]+)"?: /.exec(line)
      ?.[1];
    const upload = name === undefined ? undefined : byName.get(name);
    if (upload && name && !/remote|dest/.test(line)) failures.set(name, toldOfSource(upload.source.path, line));
  }
  return failures;
}

/** What an scp that blamed no source means. */
async function scpFailure(
  finished: Finished,
  uploads: readonly Upload[],
  files: ShellFiles,
  destination: SshDestination,
  signal: AbortSignal,
): Promise<Failure> {
  const failure = sshFailure("scp", finished, destination);
  const vague = failure.code === "interrupted" && /: Failure|write remote|dest open/.test(finished.stderr);
  return vague ? await diskTrouble(failure, uploads, files, signal) : failure;
}

/** Of the programs on this side; the letter and number behind it (`p1`) do not matter. */
export interface OpenSshVersion {
  readonly major: number;
  readonly minor: number;
}

/** Reads `OpenSSH_9.2p1 Debian…` and `OpenSSH_for_Windows_8.1p1`. */
export function openSshVersion(text: string): OpenSshVersion | null {
  const found = /OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)/.exec(text);
  return found ? { major: Number(found[1]), minor: Number(found[2]) } : null;
}

/** What all runs go through. */
interface ScpConnection {
  readonly settings: SshSettings;
  readonly sharing: Sharing;
  /** The absolute path of `ssh`: scp would take the one it was built with. */
  readonly ssh: string;
}

/** What one run depends on. */
interface ScpRun {
  /** Null where it is not known: then it is taken for a new one. */
  readonly version: OpenSshVersion | null;
  /** The staging folder, relative to the base path; made of safe characters. */
  readonly staging: string;
  /** Names of links, in front of them `./`. */
  readonly names: readonly string[];
  /** Bytes per second; null is no limit. */
  readonly limit: number | null;
}

/** To be run in the folder of links. */
export function scpArgs({ settings, sharing, ssh }: ScpConnection, { version, staging, names, limit }: ScpRun): string[] {
  const { destination } = settings;
  const path = `${remoteBase(destination)}/${staging}/`;
  const mode = transferMode(version);
  return [
    ...sshOptions(settings, sharing),
    "-S",
    ssh,
    ...(mode === "asked" ? ["-s"] : []),
    ...(destination.preservePermissions || destination.preserveTimestamps ? ["-p"] : []),
    ...(limit === null ? [] : ["-l", String(Math.max(8, Math.floor(limit * 8 / 1024)))]),
    "--",
    ...names,
    remoteSpec(destination, mode === "former" ? shellQuote(path) : path),
  ];
}

/** SFTP is the only mode from 9.0 on, must be asked for in 8.7 to 8.9, and is not there before: then a shell reads the path. */
function transferMode(version: OpenSshVersion | null): "sftp" | "asked" | "former" {
  if (version === null || version.major >= 9) return "sftp";
  return version.major === 8 && version.minor >= 7 ? "asked" : "former";
}
