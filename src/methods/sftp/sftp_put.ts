/**
 * Sending files with `sftp`: links with safe names here, several channels for many small files, `reput` for what
 * an earlier attempt left, and a look at the destination where sftp is silent for long.
 *
 * @module
 */
import { join } from "@std/path";
import { Failure, failureRecord } from "../../domain/failure.ts";
import type { SshDestination } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { keyedMutex } from "../../async/mutex.ts";
import { linkLot, type Lot, lotsOf } from "../links.ts";
import type { MethodContext, PutOutcome, Session, Upload } from "../method.ts";
import { meaningOf } from "../local/os_failures.ts";
import type { SftpChannels } from "./sftp_channels.ts";
import { sftpCommand } from "./sftp_command.ts";
import { watchGrowth } from "./sftp_growth.ts";
import { sourceFault } from "../source_fault.ts";

/** What `put` needs of the destination. */
export interface SftpPutFiles extends Pick<Session, "survey"> {
  prepare(uploads: readonly Upload[], signal: AbortSignal): Promise<void>;
  /** Free bytes; null where the server cannot tell. @throws {Failure} `device_missing` */
  free(signal: AbortSignal): Promise<number | null>;
  /** @throws {Failure} what keeps us from writing below the base path. */
  tryToWrite(signal: AbortSignal): Promise<void>;
  /** The path as sftp is to be told. */
  path(relative: string): string;
}

/** Each file costs several round trips: many small ones go over several channels. */
const MOST_SHARES = 4;
const FILES_PER_SHARE = 8;
/** What a file system may need beside a file's bytes. */
const SPARE_BYTES = 256 * 1024;

type OnBytes = (index: number, bytes: number) => void;
type Item = Lot["uploads"][number];

/** Makes `Session.put`. With a bandwidth limit one lot is sent at a time, as each sftp would have the limit for itself. */
export function sftpPut(
  channels: SftpChannels,
  files: SftpPutFiles,
  destination: SshDestination,
  context: MethodContext,
): Session["put"] {
  const { system, log } = context;
  const inTurn = keyedMutex();
  const one = destination.bandwidthLimit !== null;

  async function put(uploads: readonly Upload[], onBytes: OnBytes, signal: AbortSignal): Promise<PutOutcome[]> {
    if (uploads.length === 0) return [];
    await files.prepare(uploads, signal);
    const outcomes: PutOutcome[] = uploads.map(() => ({ put: true }));
    for (const lot of lotsOf(uploads)) {
      await using links = system.platform === "windows" ? null : await linkLot(lot, context);
      const resumed = await resumable(lot, signal);
      const shares = sharesOf(lot.uploads);
      const growth = watchGrowth(lot.uploads, files.survey, onBytes, system, signal);
      try {
        await mapLimit(shares, MOST_SHARES, async (share) => {
          const commands = share.map((item) => command(item, resumed.has(item), links?.folder ?? null));
          const replies = await channels.run(commands, signal, {
            patienceMs: destination.timeoutMs,
            moving: growth.moving,
            onReplies: (done) => growth.done(share.slice(0, done)),
          });
          for (const [at, item] of share.entries()) {
            const { errors } = replies[at]!;
            if (errors !== "") outcomes[item.index] = await judged(item, errors, signal);
          }
          if (destination.preservePermissions && !destination.preserveTimestamps) await keepModes(share, signal);
        });
      } finally {
        await growth.stop();
      }
    }
    return outcomes;
  }

  /** Those of which an earlier attempt left the beginning; what is as long as the file or longer is sent anew. */
  async function resumable({ uploads }: Lot, signal: AbortSignal): Promise<Set<Item>> {
    // sftp trusts the part: only a hash of the whole finds out that it was wrong.
    const left = destination.verify === "checksum" ? uploads.filter(({ upload }) => upload.leftover !== undefined) : [];
    if (left.length === 0) return new Set();
    const found = await files.survey(left.map(({ upload }) => upload.staged), signal);
    return new Set(left.filter(({ upload }, index) => {
      const bytes = found[index]?.kind === "file" ? found[index].bytes : 0;
      return bytes > 0 && bytes < upload.source.size;
    }));
  }

  function command({ upload, name }: Item, resume: boolean, links: string | null): string {
    // sftp takes a slash on Windows too; a backslash would be an escape.
    const local = links === null ? upload.source.absolutePath.replaceAll("\\", "/") : join(links, name);
    // -f flushes the file there, -p keeps times and modes (both or neither).
    const keep = destination.preserveTimestamps ? "p" : "";
    return sftpCommand(`${resume ? "reput" : "put"} -f${keep}`, local, files.path(upload.staged));
  }

  /** Modes without times: `-p` would keep both, and without it the umask there takes bits away. */
  async function keepModes(share: readonly Item[], signal: AbortSignal): Promise<void> {
    const commands = await mapLimit(share, MOST_SHARES, async ({ upload }) => {
      const mode = (await system.followedFacts(upload.source.absolutePath))?.mode;
      return mode === undefined ? [] : [sftpCommand(`chmod ${(mode & 0o777).toString(8)}`, files.path(upload.staged))];
    });
    await channels.run(commands.flat(), signal);
  }

  /** sftp said something about this file: is it there all the same, and if not, whose fault is it? */
  async function judged({ upload }: Item, errors: string, signal: AbortSignal): Promise<PutOutcome> {
    const said = printable(errors.split("\n").at(-1) ?? "").slice(0, 300);
    const fault = await sourceFault(upload.source.absolutePath, false, system, signal);
    if (fault) return { put: false, failure: failureRecord(fault) };
    const stat = (await files.survey([upload.staged], signal))[0] ?? null;
    if (stat?.kind === "file" && stat.bytes === upload.source.size) {
      log("debug", `sftp on "${printable(upload.source.path)}", which is complete at ${destination.name}: ${said}`);
      return { put: true };
    }
    const failure = await blame(upload, errors, said, stat?.bytes ?? 0, signal);
    // A hold is the destination's, not this file's.
    if (failure.next === "hold") throw failure;
    return { put: false, failure: failureRecord(failure) };
  }

  /** SFTP servers say "Failure" for a full and for a read-only disk alike: asks further. */
  async function blame({ source }: Upload, errors: string, said: string, there: number, signal: AbortSignal): Promise<Failure> {
    const what = `Cannot send "${printable(source.path)}" to ${destination.name}`;
    const free = await files.free(signal);
    if (free !== null && free < source.size - there + SPARE_BYTES) {
      return new Failure("disk_full", `${what}: the disk is full (${said})`, {
        hint: "Free some space there; delivery resumes automatically.",
      });
    }
    await files.tryToWrite(signal);
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

  return (uploads, onBytes, signal) => one ? inTurn("put", () => put(uploads, onBytes, signal)) : put(uploads, onBytes, signal);

  function sharesOf(items: readonly Item[]): Item[][] {
    const count = one ? 1 : Math.max(1, Math.min(MOST_SHARES, Math.floor(items.length / FILES_PER_SHARE)));
    const shares: Item[][] = Array.from({ length: count }, () => []);
    items.forEach((item, index) => shares[index % count]!.push(item));
    return shares;
  }
}
