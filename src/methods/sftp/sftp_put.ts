/**
 * Carrying files with `sftp`: links with safe names on this side, several channels for many small files, `reput` for what
 * an earlier attempt left, and a look at the destination where sftp is silent for long.
 *
 * @module
 */
import { join } from "@std/path";
import { Failure, failureRecord } from "../../domain/failure.ts";
import type { Destination } from "../../domain/job.ts";
import { printable } from "../../domain/names/printable.ts";
import { atMost, turns } from "../../async/at_most.ts";
import { linkLot, type Lot, lotsOf } from "../links.ts";
import type { MethodContext, Parcel, PutOutcome, Session } from "../method.ts";
import { meaningOf } from "../local/os_failures.ts";
import type { SftpChannels } from "./sftp_channels.ts";
import { sftpCommand } from "./sftp_command.ts";
import { watchGrowth } from "./sftp_growth.ts";
import { sourceFault } from "../source_fault.ts";

/** What `put` needs of the destination's side. */
export interface SftpPutSide extends Pick<Session, "survey"> {
  prepare(parcels: readonly Parcel[], signal: AbortSignal): Promise<void>;
  /** Free bytes; null where the server cannot tell. @throws {Failure} `device_missing` */
  free(signal: AbortSignal): Promise<number | null>;
  /** @throws {Failure} what keeps us from writing below the base path. */
  tryToWrite(signal: AbortSignal): Promise<void>;
  /** The path as sftp is to be told. */
  path(relative: string): string;
}

/** Each file costs several round trips: many small ones go over several channels. */
const MOST_LANES = 4;
const FILES_A_LANE = 8;
/** What a file system may need beside a file's bytes. */
const SPARE_BYTES = 256 * 1024;

type OnBytes = (index: number, bytes: number) => void;
type Item = Lot["parcels"][number];

/** Makes `Session.put`. With a bandwidth limit one lot is sent at a time, as each sftp would have the limit for itself. */
export function sftpPut(
  channels: SftpChannels,
  side: SftpPutSide,
  destination: Destination,
  context: MethodContext,
): Session["put"] {
  const { system, log } = context;
  const inTurn = turns();
  const one = destination.bandwidthLimit !== null;

  async function put(parcels: readonly Parcel[], onBytes: OnBytes, signal: AbortSignal): Promise<PutOutcome[]> {
    if (parcels.length === 0) return [];
    await side.prepare(parcels, signal);
    const outcomes: PutOutcome[] = parcels.map(() => ({ put: true }));
    for (const lot of lotsOf(parcels)) {
      await using links = system.platform === "windows" ? null : await linkLot(lot, context);
      const resumed = await resumable(lot, signal);
      const lanes = lanesOf(lot.parcels);
      const growth = watchGrowth(lot.parcels, side.survey, onBytes, system, signal);
      try {
        await atMost(MOST_LANES, lanes, async (lane) => {
          const commands = lane.map((item) => command(item, resumed.has(item), links?.folder ?? null));
          const replies = await channels.run(commands, signal, {
            patienceMs: destination.timeoutMs,
            moving: growth.moving,
            onReplies: (done) => growth.done(lane.slice(0, done)),
          });
          for (const [at, item] of lane.entries()) {
            const { errors } = replies[at]!;
            if (errors !== "") outcomes[item.index] = await judged(item, errors, signal);
          }
          if (destination.preservePermissions && !destination.preserveTimestamps) await keepModes(lane, signal);
        });
      } finally {
        await growth.stop();
      }
    }
    return outcomes;
  }

  /** Those of which an earlier attempt left the beginning; what is as long as the file or longer is sent anew. */
  async function resumable({ parcels }: Lot, signal: AbortSignal): Promise<Set<Item>> {
    // sftp trusts the part: only a hash of the whole finds out that it was wrong.
    const left = destination.verify === "checksum" ? parcels.filter(({ parcel }) => parcel.leftover !== undefined) : [];
    if (left.length === 0) return new Set();
    const found = await side.survey(left.map(({ parcel }) => parcel.staged), signal);
    return new Set(left.filter(({ parcel }, index) => {
      const bytes = found[index]?.kind === "file" ? found[index].bytes : 0;
      return bytes > 0 && bytes < parcel.source.size;
    }));
  }

  function command({ parcel, name }: Item, resume: boolean, links: string | null): string {
    // sftp takes a slash on Windows too; a backslash would be an escape.
    const local = links === null ? parcel.source.absolutePath.replaceAll("\\", "/") : join(links, name);
    // -f flushes the file there, -p keeps times and modes (both or neither).
    const keep = destination.preserveTimestamps ? "p" : "";
    return sftpCommand(`${resume ? "reput" : "put"} -f${keep}`, local, side.path(parcel.staged));
  }

  /** Modes without times: `-p` would keep both, and without it the umask there takes bits away. */
  async function keepModes(lane: readonly Item[], signal: AbortSignal): Promise<void> {
    const commands = await atMost(MOST_LANES, lane, async ({ parcel }) => {
      const mode = (await system.followedFacts(parcel.source.absolutePath))?.mode;
      return mode === undefined ? [] : [sftpCommand(`chmod ${(mode & 0o777).toString(8)}`, side.path(parcel.staged))];
    });
    await channels.run(commands.flat(), signal);
  }

  /** sftp said something about this file: is it there all the same, and if not, whose fault is it? */
  async function judged({ parcel }: Item, errors: string, signal: AbortSignal): Promise<PutOutcome> {
    const said = printable(errors.split("\n").at(-1) ?? "").slice(0, 300);
    const fault = await sourceFault(parcel.source.absolutePath, false, system, signal);
    if (fault) return { put: false, failure: failureRecord(fault) };
    const stat = (await side.survey([parcel.staged], signal))[0] ?? null;
    if (stat?.kind === "file" && stat.bytes === parcel.source.size) {
      log("debug", `sftp on "${printable(parcel.source.path)}", which is complete at ${destination.name}: ${said}`);
      return { put: true };
    }
    const failure = await blame(parcel, errors, said, stat?.bytes ?? 0, signal);
    // A hold is the destination's, not this file's.
    if (failure.next === "hold") throw failure;
    return { put: false, failure: failureRecord(failure) };
  }

  /** SFTP servers say "Failure" for a full and for a read-only disk alike: asks further. */
  async function blame({ source }: Parcel, errors: string, said: string, there: number, signal: AbortSignal): Promise<Failure> {
    const what = `Cannot send "${printable(source.path)}" to ${destination.name}`;
    const free = await side.free(signal);
    if (free !== null && free < source.size - there + SPARE_BYTES) {
      return new Failure("disk_full", `${what}: the disk is full (${said})`, {
        hint: "Free some space there; delivery resumes automatically.",
      });
    }
    await side.tryToWrite(signal);
    const meaning = meaningOf(errors);
    if (!meaning && /write remote/i.test(errors)) {
      // It could be opened and something else can be written: what may be lacking is room.
      return new Failure("disk_full", `${what}: the disk or the quota there seems to be full (${said})`, {
        hint: "Free some space there; delivery resumes automatically.",
      });
    }
    return new Failure(meaning?.code ?? "interrupted", `${what}: ${meaning?.reason ?? "the server refuses it"} (${said})`, {
      hint: meaning?.hint ?? "It is retried automatically. A quota may be used up.",
    });
  }

  return (parcels, onBytes, signal) => one ? inTurn("put", () => put(parcels, onBytes, signal)) : put(parcels, onBytes, signal);

  function lanesOf(items: readonly Item[]): Item[][] {
    const count = one ? 1 : Math.max(1, Math.min(MOST_LANES, Math.floor(items.length / FILES_A_LANE)));
    const lanes: Item[][] = Array.from({ length: count }, () => []);
    items.forEach((item, index) => lanes[index % count]!.push(item));
    return lanes;
  }
}
