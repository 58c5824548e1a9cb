/**
 * The method scp: batches of links into staging, in the mode that speaks SFTP (`-O`, where remote shells expand names, is
 * never asked for). It cannot continue a part: what an earlier attempt left is sent anew, and that is said once.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { Destination } from "../../domain/job.ts";
import { atMost } from "../../async/at_most.ts";
import { type Lot, makeLinks } from "../links.ts";
import type { Method, MethodContext, Parcel } from "../method.ts";
import { sourceFailure } from "../rsync/rsync_output.ts";
import { type OpenSshVersion, openSshVersion, scpArgs } from "./scp_args.ts";
import { scpComplaints, scpFailure } from "./scp_output.ts";
import { type Carrier, type CarrierParts, type Complaints, type OnBytes, openShellSession } from "../shell/shell_session.ts";
import { shellWords, wordGroups } from "../shell/shell_quote.ts";
import type { ShellSide } from "../shell/shell_side.ts";
import { toolPath } from "../ssh/ssh.ts";

/**
 * The remote hash proves the files, so a shell that can hash is needed there as well.
 *
 * @throws {Failure} from `connect`: `tool_missing` without scp and ssh here, or without such a shell there.
 */
export const scp: Method = {
  name: "scp",
  async connect(destination, context, signal) {
    const { system } = context;
    const path = await toolPath("scp", system);
    const ssh = await toolPath("ssh", system);
    const version = openSshVersion((await system.run({ program: ssh, args: ["-V"] }, signal)).stderr);
    return await openShellSession(
      { ...destination, method: "scp" },
      context,
      signal,
      (parts) => scpCarrier(parts, path, version),
    );
  },
};

/** How often it is looked how far the files are: scp tells nothing without a terminal. */
const LOOK_MS = 1000;

function scpCarrier(
  { destination, context, connection, side }: CarrierParts,
  program: string,
  version: OpenSshVersion | null,
): Promise<Carrier> {
  let toldAnew = false;

  async function carry(lot: Lot, prepared: Promise<void>, onBytes: OnBytes, signal: AbortSignal): Promise<Complaints | null> {
    if (!toldAnew && lot.parcels.some(({ parcel }) => parcel.leftover !== undefined)) {
      toldAnew = true;
      context.log(
        "info",
        `${destination.name}: scp cannot resume an interrupted file; it is sent again from the start (rsync and sftp can resume)`,
      );
    }
    await using links = await makeLinks(context);
    await Promise.all([links.fill(lot), prepared]);
    const complaints = new Map<string, Failure>();
    const looking = new AbortController();
    const looks = lookAgain(lot, side, context, onBytes, looking.signal);
    try {
      // Windows allows 32,767 characters on a command line.
      const groups = wordGroups(await sources(lot, complaints, context), 20_000);
      for (let names = groups.shift(); names !== undefined; names = groups.shift()) {
        const { way, sharing, ssh } = connection;
        const args = scpArgs({ way, sharing, ssh, version, staging: lot.staging, names });
        const finished = await context.system.run({ program, args, cwd: links.folder, env: { LC_ALL: "C" } }, signal);
        if (finished.code === 0) continue;
        const said = scpComplaints(finished.stderr, lot);
        if (said.size === 0) throw await scpFailure(finished, lot, side, destination, signal);
        for (const [name, failure] of said) complaints.set(name, failure);
        // A file that is gone makes scp end at once: go on behind it.
        const last = names.findLastIndex((name) => said.has(name.slice("./".length)));
        if (last >= 0 && last < names.length - 1) groups.unshift(names.slice(last + 1));
      }
      return complaints.size === 0 ? null : complaints;
    } finally {
      looking.abort();
      await looks;
    }
  }

  return Promise.resolve({
    method: "scp",
    about: `scp${version ? ` of OpenSSH ${version.major}.${version.minor}` : ""}`,
    takesOver: false,
    carry,
    finish: (parcels, signal) => setRight(parcels, destination, side, signal),
  });
}

/** The links to send: those that lead to a regular file. The others get their complaint. */
async function sources({ parcels }: Lot, complaints: Map<string, Failure>, { system }: MethodContext): Promise<string[]> {
  const kinds = await atMost(16, parcels, async ({ parcel }) => await kindOf(parcel.source.absolutePath, system));
  return parcels.flatMap(({ parcel, name }, index) => {
    const kind = kinds[index];
    if (kind === "file" || kind === "unknown") return [`./${name}`];
    complaints.set(name, sourceFailure(parcel.source.path, kind === null ? "No such file" : "not a regular file"));
    return [];
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

/** Tells how far the files of a lot are, again and again, until the signal is aborted. Never throws. */
async function lookAgain(
  { parcels }: Lot,
  side: ShellSide,
  { system, log }: MethodContext,
  onBytes: OnBytes,
  signal: AbortSignal,
): Promise<void> {
  const paths = parcels.map(({ parcel }) => parcel.staged);
  const known = parcels.map(() => 0);
  try {
    for (await system.sleep(LOOK_MS, signal); !signal.aborted; await system.sleep(LOOK_MS, signal)) {
      const stat = await side.survey(paths, signal);
      parcels.forEach(({ parcel, name }, index) => {
        const bytes = Math.min(stat[index]?.bytes ?? 0, parcel.source.size);
        if (bytes > known[index]!) onBytes(name, known[index] = bytes);
      });
    }
  } catch (error) {
    // The transfer itself will tell what is wrong.
    if (!signal.aborted) log("debug", `Cannot read the progress of scp: ${error instanceof Error ? error.message : error}`);
  }
}

/** `scp -p` keeps times and modes or neither: what was not asked for is taken back. */
async function setRight(
  parcels: readonly Parcel[],
  destination: Destination,
  side: ShellSide,
  signal: AbortSignal,
): Promise<void> {
  const { preserveTimestamps, preservePermissions } = destination;
  if (preserveTimestamps === preservePermissions || parcels.length === 0) return;
  // `=rw` without "who" gives what the umask there allows.
  const command = preserveTimestamps ? ["chmod", "=rw"] : ["touch"];
  const lines = wordGroups(parcels.map(({ staged }) => staged)).map((group) => `${shellWords([...command, ...group])} 2>&1\n`);
  await side.inBase("set times and modes at the destination", `${lines.join("")}:`, signal);
}
