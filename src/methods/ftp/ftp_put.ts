/**
 * Sending files by FTP: a batch is a few runs of curl side by side, each over one connection, on which the files are read back as well.
 * A part that an earlier attempt left is compared before the rest is appended to it.
 */
import { join } from "@std/path";
import { anySignal } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { shares } from "../../domain/chunks.ts";
import { CAUSES, failure } from "../../domain/causes.ts";
import { type Failure, failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/file_name.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { sourceFailureOf, sourceFault } from "../../system/fault.ts";
import { paceOf } from "../bandwidth.ts";
import { bytesOf, exposedUploads, linkName, linkUploads } from "../links.ts";
import type { PutOutcome, Session, Upload } from "../method.ts";
import type { Transfer } from "./curl_config.ts";
import { type Ended, isYes, lastReply } from "./dialogue.ts";
import { checkBase, command, type FtpBase, opening, pathOf, tryToWrite } from "./ftp_base.ts";
import { connectionFailure, meaningOfReply, refused, replyText } from "./ftp_failures.ts";
import { chmod, digest, digestQuestion } from "./ftp_files.ts";
import { checkStagingOnce } from "./ftp_listing.ts";

/** A file on its way: absolute paths there. */
interface Sending {
  readonly index: number;
  readonly upload: Upload;
  readonly staged: string;
  readonly mode: number;
  /** So much of it is there already. */
  readonly skip: number;
}

/** Curl is asked how far it is only with files so large: it tells it for each file. */
const LARGE_BYTES = 4 * 1024 * 1024;
const SOURCES_AT_ONCE = 16;
/** Each connection logs in: it is worth it for so much, at a login of 100 ms. */
const SHARE_BYTES = 16 * 1024 * 1024;
/** What a file costs besides its bytes, expressed in bytes. */
const FILE_BYTES = 256 * 1024;
/** A server that hashes so much for long tells nothing meanwhile: `Session.digest` has the time for it. */
const HASHED_BYTES = 64 * 1024 * 1024;

/** Makes `Session.put`. With a limit, there is one run at a time: it has the lease. */
export function ftpPut(base: FtpBase): Session["put"] {
  const { context, destination, features } = base;
  const pace = paceOf(destination, context);
  return async (uploads, onBytes, signal) => {
    if (uploads.length === 0) return [];
    using lease = await pace.lease(bytesOf(uploads), signal, () => onBytes(0, 0));
    await checkStagingOnce(base, signal);
    const skips = await partsOf(base, uploads, onBytes, signal);
    const outcomes: PutOutcome[] = [];
    const modes = await mapLimit(uploads, SOURCES_AT_ONCE, (upload) => modeOf(upload, context.system), signal);
    const all = uploads.flatMap((upload, index): Sending[] => {
      const mode = modes[index]!;
      if (typeof mode === "number") {
        return [{ index, upload, staged: pathOf(base, upload.staged), mode, skip: skips.get(upload) ?? 0 }];
      }
      outcomes[index] = { put: false, failure: failureRecord(mode) };
      return [];
    });
    if (all.length === 0) return outcomes;
    // Microsoft's curl reads its configuration in the code page of the system: it is given safe names.
    const sources = all.map(({ upload }) => upload);
    await using links = context.system.platform === "windows" || (await exposedUploads(sources, context.system)).size > 0
      ? await linkUploads(sources, context, signal)
      : null;
    const whole = all.filter(({ upload, skip }) => skip > 0 && skip === upload.source.size);
    for (const { index } of whole) outcomes[index] = { put: true };
    if (whole.length > 0) await command(base, whole.flatMap((sending) => afterwards(base, sending)), signal);
    await sideBySide(all.filter((sending) => !whole.includes(sending)));
    return outcomes;

    /** Shares files out among several connections. */
    async function sideBySide(sendings: readonly Sending[]): Promise<void> {
      const weightOf = ({ upload, skip }: Sending) => upload.source.size - skip + FILE_BYTES;
      const sum = sendings.reduce((sum, sending) => sum + weightOf(sending), 0);
      const wanted = Math.min(sendings.length, Math.ceil(sum / (SHARE_BYTES * Math.max(1, base.loginMs / 100))));
      using connections = base.connections.take(lease.rate === null ? wanted : 1);
      using over = anySignal(signal);
      // All of them have ended before anyone else may use what they wrote.
      const ended = await Promise.allSettled(
        shares(sendings, connections.count, weightOf).map(async (share) => {
          let rest = share;
          try {
            let before = foldersOf(base, rest.map(({ upload }) => upload));
            while (rest.length > 0) {
              const done = await sendSome(rest, before, over.signal);
              if (done > 0) before = afterwards(base, rest[done - 1]!);
              rest = rest.slice(done + 1);
            }
          } catch (error) {
            over.abort(error);
            throw error;
          }
        }),
      );
      // The first error ended the others.
      if (ended.some(({ status }) => status === "rejected")) throw over.signal.reason;
    }

    /** Sends to the first that cannot be sent, and says why it cannot; gives how many were sent. What was sent is read back in the same run. */
    async function sendSome(sendings: readonly Sending[], before: readonly string[], signal: AbortSignal): Promise<number> {
      const tell = (sending: Sending | undefined, bytes: number) => {
        if (sending && bytes > 0) onBytes(sending.index, Math.min(sending.upload.source.size, sending.skip + bytes));
      };
      const lengths = sendings.map(({ upload }) => upload.source.size);
      const isProven = destination.verify === "checksum" &&
        (features.hash === null || lengths.reduce((sum, bytes) => sum + bytes, 0) <= HASHED_BYTES);
      const asked = isProven ? sendings : [];
      // Each piece that is read back is a sign of life.
      const question = digestQuestion(base, asked.map(({ staged }) => staged), lengths, (number) => {
        tell(asked[number], Infinity);
      });
      const transfers = sendings.map(({ upload, staged, skip }, number): Transfer => {
        const former = sendings[number - 1];
        const aside = skip > 0 ? [`RNFR ${staged}`, `RNTO ${appending(staged)}`] : [];
        return {
          kind: "send",
          from: links === null ? upload.source.absolutePath : linkName(upload),
          to: skip > 0 ? appending(staged) : staged,
          skip,
          commands: former ? [...afterwards(base, former), ...aside] : opening(base, [...before, ...aside]),
        };
      });
      transfers.push({ kind: "commands", commands: afterwards(base, sendings.at(-1)!) });
      const ends = await base.curl.talk([...transfers, ...question.transfers], signal, {
        onEnd: (number, exit) => exit === 0 && tell(sendings[number], Infinity),
        ...(lengths.some((bytes) => bytes >= LARGE_BYTES)
          ? { onBytes: (number: number, bytes: number) => tell(sendings[number], bytes) }
          : {}),
        onPiece: (number, piece) => question.onPiece(number - transfers.length, piece),
        bytesPerSecond: lease.rate,
        ...(links === null ? {} : { cwd: links.folder }),
      });
      const done = ends.slice(0, sendings.length).filter(({ exit }) => exit === 0).length;
      const there = question.answers(ends.slice(transfers.length));
      for (const [number, { index }] of sendings.slice(0, done).entries()) {
        outcomes[index] = { put: true, ...(there[number] ? { there: there[number] } : {}) };
      }
      const end = ends.at(-1)!;
      const failing = sendings[done];
      const lost = connectionFailure(end, destination);
      // A server that cannot write more closes the connection, and curl may hear of that before it hears why.
      if (lost?.code === "interrupted" && failing && failing.upload.source.size > ROOM_BYTES) await tryForRoom(base, signal);
      if (lost) throw lost;
      if (failing) {
        outcomes[failing.index] = { put: false, failure: failureRecord(await failureOf(base, failing.upload, end, signal)) };
      }
      return done;
    }
  };
}

/** What is done with a file that was sent: its name, time and mode. */
function afterwards({ destination, features }: FtpBase, { upload, staged, mode, skip }: Sending): string[] {
  const { preservePermissions, preserveTimestamps, fileMode } = destination;
  const { size, mtimeMs } = upload.source;
  // `20260705201500`, UTC.
  const time = new Date(Math.max(0, mtimeMs)).toISOString().slice(0, 19).replace(/[-:T]/g, "");
  return [
    ...(skip > 0 && skip < size ? [`RNFR ${appending(staged)}`, `RNTO ${staged}`] : []),
    ...(preservePermissions && fileMode === null && mode > 0 ? [chmod(mode, staged)] : []),
    ...(preserveTimestamps ? [`${features.setsTimes} ${time} ${staged}`] : []),
  ];
}

/** The permissions of a source, or why it cannot be sent; 0 where it has none. */
async function modeOf({ source, mode }: Upload, system: FtpBase["context"]["system"]): Promise<number | Failure> {
  // It would wait until all sources are hashed.
  if (mode !== undefined) return mode & 0o777;
  const { absolutePath, path } = source;
  try {
    const facts = await system.followedFacts(absolutePath);
    if (facts === null) return sourceFailureOf("not_found", path);
    if (facts.kind !== "file") return sourceFailureOf("is_a_folder", path);
    return facts.mode & 0o777;
  } catch {
    // Reading it says why.
    return await sourceFault(absolutePath, false, system, new AbortController().signal) ?? 0;
  }
}

/** Why a file was not sent. @throws {Failure} what concerns all files. */
async function failureOf(base: FtpBase, { source }: Upload, ended: Ended, signal: AbortSignal): Promise<Failure> {
  const { destination, context: { system } } = base;
  const reply = lastReply(ended);
  const what = `send "${printable(source.path)}" to ${destination.name}`;
  const own = await sourceFault(source, ended.exit === 26, system, signal);
  if (own) return own;
  if (reply === null || isYes(reply)) {
    if (ended.exit === 18 || ended.exit === 26) {
      return failure(CAUSES.source_changed, `Cannot ${what}`, { said: printable(ended.error) });
    }
    return failure(CAUSES.said, `Cannot ${what}`, { said: `${printable(ended.error)} (curl's exit code ${ended.exit})` });
  }
  const told = refused(what, reply);
  if (meaningOfReply(reply) === null) {
    await checkBase(base, signal);
    await tryToWrite(base, signal);
    // Something else can be written there: it is this file's trouble, or one that passes.
    return failure(CAUSES.refused_once, `Cannot ${what}`, { said: replyText(reply) });
  }
  if (told.next === "hold") throw told;
  return told;
}

/** So much fits into the buffers on the way: the server's answer is heard. */
const ROOM_BYTES = 64 * 1024;

/** @throws {Failure} where a small file does not fit there. */
async function tryForRoom(base: FtpBase, signal: AbortSignal): Promise<void> {
  const { context: { system, workFolder, stagingRoot }, destination } = base;
  const name = `probe-${system.randomHex(4)}`;
  const [from, to] = [join(workFolder, name), pathOf(base, `${stagingRoot}/${name}`)];
  await system.makeFolder(workFolder, 0o700);
  await system.writeText(from, "0".repeat(ROOM_BYTES));
  try {
    const commands = opening(base, [`MKD ${pathOf(base, stagingRoot)}`]);
    const ends = await base.curl.talk([{ kind: "send", from, to, skip: 0, commands }], signal);
    const reply = lastReply(ends[0]!);
    await command(base, [`DELE ${to}`], signal);
    if (ends[0]!.exit !== 0 && meaningOfReply(reply)?.code === "disk_full") {
      throw refused(`send files to ${destination.name}`, reply);
    }
  } finally {
    await system.remove(from);
  }
}

/** How much of the files is there under their staging names: parts of earlier attempts whose bytes are those of the source. */
async function partsOf(
  base: FtpBase,
  uploads: readonly Upload[],
  onBytes: (index: number, bytes: number) => void,
  signal: AbortSignal,
): Promise<Map<Upload, number>> {
  const left = uploads.filter(({ leftover }) => leftover !== undefined);
  if (left.length === 0) return new Map();
  const moves = left.filter(({ leftover, staged }) => leftover !== staged)
    .flatMap(({ leftover = "", staged }) => [`RNFR ${pathOf(base, leftover)}`, `RNTO ${pathOf(base, staged)}`]);
  await command(base, [...foldersOf(base, left), ...moves], signal);
  const kept = new Map<Upload, number>();
  for (const upload of left) {
    const found = await digestOfPart(base, upload, (bytes) => {
      onBytes(uploads.indexOf(upload), Math.min(bytes, upload.source.size));
    }, signal);
    if (found && found.bytes > 0 && found.bytes <= upload.source.size && await isPrefix(base, upload, found, signal)) {
      kept.set(upload, found.bytes);
    }
  }
  const wrong = left.filter((upload) => !kept.has(upload));
  if (wrong.length > 0) await command(base, wrong.map(({ staged }) => `DELE ${pathOf(base, staged)}`), signal);
  return kept;
}

/** A part that is not read so soon is no help. */
const PATIENCE_MS = 15_000;

/**
 * What is there of a file; null where that is not told soon. vsftpd locks a file while it is written, and a process of its whose
 * connection broke unnoticed still has that lock: the part can be removed then, but not read.
 */
async function digestOfPart(
  base: FtpBase,
  { staged, source }: Upload,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Digest | null> {
  const { system } = base.context;
  using giveUp = anySignal(signal);
  const heard = Promise.withResolvers<boolean>();
  const digesting = digest(base, [staged], giveUp.signal, (_, bytes) => {
    heard.resolve(true);
    if (bytes > source.size) giveUp.abort();
    else onBytes(bytes);
  });
  digesting.then(() => heard.resolve(true), () => heard.resolve(true));
  const patienceMs = base.features.hash === null ? Math.min(PATIENCE_MS, base.destination.timeoutMs / 4) : Infinity;
  if (patienceMs < Infinity && !await within(heard.promise, patienceMs, system, false)) {
    giveUp.abort();
  }
  try {
    return (await digesting)[0] ?? null;
  } catch (error) {
    signal.throwIfAborted();
    // It has told nothing, or more than a part can be.
    if (giveUp.signal.aborted) return null;
    throw error;
  }
}

async function isPrefix(
  { context: { system } }: FtpBase,
  { source }: Upload,
  { bytes, sha256 }: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    return await system.readSource(source, async (reader) => {
      for await (const _piece of reader.read(bytes)) signal.throwIfAborted();
      return reader.sha256() === sha256;
    }, signal);
  } catch {
    // Sending it says why it cannot be read.
    signal.throwIfAborted();
    return false;
  }
}

/**
 * While it is appended to, a part has this name: it is not resumed a second time, because a former process of the server may still append
 * to it. What such a process writes that was told to write from the beginning is the same in any case.
 */
function appending(staged: string): string {
  return `${staged}.appending`;
}

/** Folders of ours that the batch needs; the base path itself is never made here. */
function foldersOf(base: FtpBase, uploads: readonly Pick<Upload, "staged">[]): string[] {
  return [...new Set(uploads.flatMap(({ staged }) => ancestors(staged)))].map((folder) => `MKD ${pathOf(base, folder)}`);
}
