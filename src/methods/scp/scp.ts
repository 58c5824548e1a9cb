/**
 * The method scp: batches of links into staging, in the mode that speaks SFTP (`-O`, where remote shells expand names, is
 * never asked for). It cannot continue a part: what an earlier attempt left is sent again, which is logged once.
 */
import { mapLimit } from "../../async/map_limit.ts";
import type { Failure } from "../../domain/failure.ts";
import { sourceFailureOf } from "../../system/fault.ts";
import { paceOf } from "../bandwidth.ts";
import { watchGrowth } from "../growth.ts";
import { bytesOf, linkName, makeLinks, stagingOf } from "../links.ts";
import type { Method, MethodContext, Upload } from "../method.ts";
import { toldOfSource } from "../rsync/rsync_failures.ts";
import { shellQuote, wordGroups } from "../shell/shell_quote.ts";
import {
  changeAll,
  diskTrouble,
  type FileFailures,
  openShellSession,
  PLAIN_MODES,
  type Sender,
  type SenderParts,
} from "../shell/shell_session.ts";
import { remoteBase, remoteSpec, sshOptions, toolPath } from "../ssh/ssh.ts";
import { sshFailure } from "../ssh/ssh_failures.ts";

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
    // `OpenSSH_9.2p1 Debian…`, `OpenSSH_for_Windows_8.1p1`: the letter and number behind it do not matter.
    const { stderr } = await system.run({ program: ssh, args: ["-V"] }, signal);
    const [, major, minor] = /OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)/.exec(stderr) ?? [];
    const version = major === undefined ? null : { major: Number(major), minor: Number(minor) };
    return await openShellSession(destination, context, signal, (parts) => Promise.resolve(scpSender(parts, path, version)));
  },
};

/** Of the programs on this side. */
interface OpenSshVersion {
  readonly major: number;
  readonly minor: number;
}

/** How often it is looked how far the files are: scp tells nothing without a terminal. */
const LOOK_MS = 1000;

function scpSender(
  { destination, context, connection, files }: SenderParts,
  program: string,
  version: OpenSshVersion | null,
): Sender {
  const { system, log } = context;
  const { settings, sharing, ssh } = connection;
  const { preservePermissions, preserveTimestamps } = destination;
  const pace = paceOf(destination, context);
  // SFTP is the only mode from 9.0 on, must be asked for in 8.7 to 8.9, and is not there before: then a shell reads the path.
  const { major, minor } = version ?? { major: 9, minor: 0 };
  const isAsked = major === 8 && minor >= 7;
  const isReadByShell = major < 9 && !isAsked;
  const options = [
    ...sshOptions(settings, sharing),
    // scp would take the ssh that it was built with.
    "-S",
    ssh,
    ...(isAsked ? ["-s"] : []),
    ...(preservePermissions || preserveTimestamps ? ["-p"] : []),
  ];
  let toldAnew = false;
  return {
    method: "scp",
    about: `scp${version ? ` of OpenSSH ${version.major}.${version.minor}` : ""}`,
    resumes: false,
    hashesSource: false,
    async send(uploads, prepared, sent, signal) {
      if (!toldAnew && uploads.some(({ leftover }) => leftover !== undefined)) {
        toldAnew = true;
        const text = "scp cannot resume an interrupted file; it is sent again from the start (rsync and sftp can resume)";
        log("info", `${destination.name}: ${text}`);
      }
      await using links = await makeLinks(context);
      await links.fill(uploads, signal).then(() => prepared);
      const looks = { survey: files.survey, periodMs: LOOK_MS, files: Infinity };
      const onBytes = (upload: Upload, bytes: number) => sent.bytes(linkName(upload), bytes);
      await using _growth = watchGrowth(uploads, looks, onBytes, system, signal);
      const failures = await irregular(uploads, system);
      const regular = uploads.map(linkName).filter((name) => !failures.has(name)).map((name) => `./${name}`);
      using lease = await pace.lease(bytesOf(uploads), signal, sent.alive);
      // Windows allows 32,767 characters on a command line.
      const groups = wordGroups(regular, 20_000);
      const limit = lease.rate === null ? [] : ["-l", String(Math.max(8, Math.floor(lease.rate * 8 / 1024)))];
      const into = `${remoteBase(destination)}/${stagingOf(uploads)}/`;
      const spec = remoteSpec(destination, isReadByShell ? shellQuote(into) : into);
      for (let names = groups.shift(); names !== undefined; names = groups.shift()) {
        const args = [...options, ...limit, "--", ...names, spec];
        const finished = await system.run({ program, args, cwd: links.folder, env: { LC_ALL: "C" } }, signal);
        if (finished.code === 0) continue;
        const said = scpFileFailures(finished.stderr, uploads);
        if (said.size === 0) {
          const told = sshFailure("scp", finished, destination);
          const isVague = told.code === "interrupted" && /: Failure|write remote|dest open/.test(finished.stderr);
          throw isVague ? await diskTrouble(told, uploads, files, signal) : told;
        }
        for (const [name, failure] of said) failures.set(name, failure);
        // A file that is gone makes scp end at once: continue behind it.
        const last = names.findLastIndex((name) => said.has(name.slice("./".length)));
        if (last >= 0 && last < names.length - 1) groups.unshift(names.slice(last + 1));
      }
      return failures.size === 0 ? null : failures;
    },
    // `scp -p` keeps times and modes, and without it modes all the same: what was not asked for is taken back.
    async finish(uploads, signal) {
      if (!preservePermissions) await changeAll(PLAIN_MODES, uploads, files, signal);
      else if (!preserveTimestamps) await changeAll(["touch"], uploads, files, signal);
    },
  };
}

/** The links that do not lead to a regular file, which scp would send in its own manner, and why they are not sent. */
async function irregular(uploads: readonly Upload[], system: MethodContext["system"]): Promise<Map<string, Failure>> {
  const failures = new Map<string, Failure>();
  await mapLimit(uploads, 16, async (upload) => {
    const { path, absolutePath } = upload.source;
    try {
      const facts = await system.followedFacts(absolutePath);
      if (facts?.kind !== "file") {
        failures.set(linkName(upload), sourceFailureOf(facts === null ? "not_found" : "is_a_folder", path));
      }
    } catch (error) {
      // scp itself will say what is wrong with it.
      if (!(error instanceof Error)) throw error;
    }
  });
  return failures;
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
