/**
 * Sending files by FTP: a batch is one run of curl, over one connection. A part that an earlier attempt left is compared before the
 * rest is appended to it.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "@std/path";
import { anySignal } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { mapLimit } from "../../async/map_limit.ts";
import { mutex } from "../../async/mutex.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import { sourceFailureOf, sourceFault } from "../../system/source_failure.ts";
import { limitNow } from "../bandwidth.ts";
import { linkName, linkUploads } from "../links.ts";
import type { PutOutcome, Session, Upload } from "../method.ts";
import type { Transfer } from "./curl_config.ts";
import { type Ended, isYes, lastReply } from "./dialogue.ts";
import { checkBase, command, type FtpBase, opening, pathOf } from "./ftp_base.ts";
import { connectionFailure, meaningOfReply, refused } from "./ftp_failures.ts";
import { chmod, digest } from "./ftp_files.ts";

/** A file on its way: absolute paths there. */
interface Sending {
  readonly index: number;
  readonly upload: Upload;
  readonly staged: string;
  readonly mode: number;
  /** So much of it is there already. */
  readonly skip: number;
}

/** A batch under way. */
interface Batch {
  readonly base: FtpBase;
  readonly onBytes: (index: number, bytes: number) => void;
  readonly outcomes: PutOutcome[];
  readonly signal: AbortSignal;
}

/** Curl is asked how far it is only with files so large: it tells it for each file. */
const LARGE_BYTES = 4 * 1024 * 1024;
const SOURCES_AT_ONCE = 16;
const COMPARE_BYTES = 1 << 20;

/** Makes `Session.put`. The limit is the destination's, so with one there is one run at a time. */
export function ftpPut(base: FtpBase): Session["put"] {
  const alone = mutex();
  return async (uploads, onBytes, signal) => {
    if (uploads.length === 0) return [];
    const batch: Batch = { base, onBytes, outcomes: [], signal };
    const put = () => putAll(batch, uploads);
    await (base.destination.bandwidthLimit === null ? put() : alone(put));
    return batch.outcomes;
  };
}

async function putAll(batch: Batch, uploads: readonly Upload[]): Promise<void> {
  const { base, outcomes, signal } = batch;
  const { context } = base;
  const skips = await partsOf(batch, uploads);
  const sendings = (await mapLimit(uploads, SOURCES_AT_ONCE, async (upload, index): Promise<Sending | null> => {
    const mode = await modeOf(upload.source, context.system);
    if (typeof mode === "number") {
      return { index, upload, staged: pathOf(base, upload.staged), mode, skip: skips.get(upload) ?? 0 };
    }
    outcomes[index] = { put: false, failure: failureRecord(mode) };
    return null;
  }, signal)).filter((sending) => sending !== null);
  if (sendings.length === 0) return;
  // Microsoft's curl reads its configuration in the code page of the system: it is given safe names.
  await using links = context.system.platform === "windows"
    ? await linkUploads(sendings.map(({ upload }) => upload), context)
    : null;
  const whole = sendings.filter(({ upload, skip }) => skip > 0 && skip === upload.source.size);
  for (const { index } of whole) outcomes[index] = { put: true };
  if (whole.length > 0) await command(base, whole.flatMap((sending) => afterwards(base, sending)), signal);
  let rest = sendings.filter((sending) => !whole.includes(sending));
  let before = [...foldersOf(base, uploads)];
  while (rest.length > 0) {
    const done = await sendSome(batch, rest, before, links?.folder);
    before = done === 0 ? before : afterwards(base, rest[done - 1]!);
    rest = rest.slice(done + 1);
  }
}

/** Sends to the first that cannot be sent, and says why it cannot; gives how many were sent. */
async function sendSome(batch: Batch, sendings: readonly Sending[], before: readonly string[], links?: string): Promise<number> {
  const { base, onBytes, outcomes, signal } = batch;
  const transfers = sendings.map(({ upload, staged, skip }, number): Transfer => ({
    kind: "send",
    from: links === undefined ? upload.source.absolutePath : linkName(upload),
    to: skip > 0 ? appending(staged) : staged,
    skip,
    commands: number === 0
      ? opening(base, [...before, ...(skip > 0 ? aside(staged) : [])])
      : [...afterwards(base, sendings[number - 1]!), ...(skip > 0 ? aside(staged) : [])],
  }));
  const last: Transfer = { kind: "commands", commands: afterwards(base, sendings.at(-1)!) };
  const large = sendings.some(({ upload }) => upload.source.size >= LARGE_BYTES);
  const ends = await base.curl.talk([...transfers, last], signal, {
    onEnd: (number, { exit }) => {
      const sending = sendings[number];
      if (sending && exit === 0) onBytes(sending.index, sending.upload.source.size);
    },
    ...(large ? { onBytes: (number: number, bytes: number) => tellBytes(batch, sendings[number], bytes) } : {}),
    bytesPerSecond: limitNow(base.destination, base.context.system),
    ...(links === undefined ? {} : { cwd: links }),
  });
  const done = ends.slice(0, sendings.length).filter(({ exit }) => exit === 0).length;
  for (const { index } of sendings.slice(0, done)) outcomes[index] = { put: true };
  const end = ends.at(-1)!;
  const failing = sendings[done];
  const lost = connectionFailure(end, base.destination);
  // A server that cannot write more closes the connection, and curl may hear of that before it hears why.
  if (lost?.code === "interrupted" && failing && failing.upload.source.size > ROOM_BYTES) await tryForRoom(base, signal);
  if (lost) throw lost;
  if (failing) outcomes[failing.index] = { put: false, failure: failureRecord(await failureOf(batch, failing, end)) };
  return done;
}

function tellBytes({ onBytes }: Batch, sending: Sending | undefined, bytes: number): void {
  if (sending && bytes > 0) onBytes(sending.index, Math.min(sending.upload.source.size, sending.skip + bytes));
}

/** Folders of ours that the batch needs; the base path itself is never made here. */
function foldersOf(base: FtpBase, uploads: readonly Pick<Upload, "staged">[]): string[] {
  return [...new Set(uploads.flatMap(({ staged }) => ancestors(staged)))].map((folder) => `MKD ${pathOf(base, folder)}`);
}

/**
 * While it is appended to, a part has this name: it is not resumed a second time, because a former process of the server may still append
 * to it. What such a process writes that was told to write from the beginning is the same in any case.
 */
function appending(staged: string): string {
  return `${staged}.appending`;
}

function aside(staged: string): string[] {
  return [`RNFR ${staged}`, `RNTO ${appending(staged)}`];
}

/** What is done with a file that was sent: its name, time and mode. */
function afterwards({ destination, features }: FtpBase, { upload, staged, mode, skip }: Sending): string[] {
  const { preservePermissions, preserveTimestamps, fileMode } = destination;
  const { size, mtimeMs } = upload.source;
  return [
    ...(skip > 0 && skip < size ? [`RNFR ${appending(staged)}`, `RNTO ${staged}`] : []),
    ...(preservePermissions && fileMode === null && mode > 0 ? [chmod(mode, staged)] : []),
    ...(preserveTimestamps ? [`${features.setsTimes} ${ftpTime(mtimeMs)} ${staged}`] : []),
  ];
}

/** `20260705201500`, UTC. */
function ftpTime(ms: number): string {
  return new Date(Math.max(0, ms)).toISOString().slice(0, 19).replace(/[-:T]/g, "");
}

/** The permissions of a source, or why it cannot be sent; 0 where it has none. */
async function modeOf({ absolutePath, path }: SourceFile, system: FtpBase["context"]["system"]): Promise<number | Failure> {
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

/** How much of the files is there under their staging names: parts of earlier attempts whose bytes are those of the source. */
async function partsOf({ base, onBytes, signal }: Batch, uploads: readonly Upload[]): Promise<Map<Upload, number>> {
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
  { staged }: Upload,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<Digest | null> {
  const { system } = base.context;
  using giveUp = anySignal(signal);
  const heard = Promise.withResolvers<boolean>();
  const digesting = digest(base, [staged], giveUp.signal, (_, bytes) => {
    heard.resolve(true);
    onBytes(bytes);
  });
  digesting.then(() => heard.resolve(true), () => heard.resolve(true));
  const patienceMs = base.features.hash === null ? Math.min(PATIENCE_MS, base.destination.timeoutMs / 4) : Infinity;
  if (patienceMs < Infinity && !await within(heard.promise, patienceMs, system, false)) {
    giveUp.abort();
    await digesting.catch(() => null);
    signal.throwIfAborted();
    return null;
  }
  return (await digesting)[0] ?? null;
}

async function isPrefix(
  { context: { system } }: FtpBase,
  { source }: Upload,
  { bytes, sha256 }: { readonly bytes: number; readonly sha256: string },
  signal: AbortSignal,
): Promise<boolean> {
  const sum = createHash("sha256");
  for (let at = 0; at < bytes; at += COMPARE_BYTES) {
    signal.throwIfAborted();
    const piece = await system.read(source.absolutePath, at, Math.min(COMPARE_BYTES, bytes - at)).catch(() => new Uint8Array());
    if (piece.length === 0) return false;
    sum.update(piece);
  }
  return sum.digest("hex") === sha256;
}

/** Why a file was not sent. @throws {Failure} what concerns all files. */
async function failureOf({ base, signal }: Batch, { upload: { source } }: Sending, ended: Ended): Promise<Failure> {
  const { destination, context: { system } } = base;
  const reply = lastReply(ended);
  const what = `send "${printable(source.path)}" to ${destination.name}`;
  const own = await sourceFault(source.absolutePath, ended.exit === 26, system, signal);
  if (own) return own;
  if (reply === null || isYes(reply)) {
    if (ended.exit === 18 || ended.exit === 26) {
      return new Failure("source_changed", `Cannot ${what}: it changed while it was sent (${printable(ended.error)})`, {
        hint: "It is checked again.",
      });
    }
    return new Failure("interrupted", `Cannot ${what}: ${printable(ended.error)} (curl's exit code ${ended.exit})`, {
      hint: "It is retried automatically.",
    });
  }
  const failure = refused(what, reply);
  if (meaningOfReply(reply) === null) {
    await checkBase(base, signal);
    await tryToWrite(base, signal);
    // Something else can be written there: it is this file's trouble, or one that passes.
    return new Failure("interrupted", failure.message, { hint: "It is retried automatically. A quota may be used up." });
  }
  if (failure.next === "hold") throw failure;
  return failure;
}

/** So much fits into the buffers on the way: the server's answer is heard. */
const ROOM_BYTES = 64 * 1024;

/** @throws {Failure} where a small file does not fit there. */
async function tryForRoom(base: FtpBase, signal: AbortSignal): Promise<void> {
  const { context: { system, workFolder, stagingRoot }, destination } = base;
  const name = `probe-${crypto.randomUUID().slice(0, 8)}`;
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

/** @throws {Failure} where nothing can be written below the base path. */
async function tryToWrite(base: FtpBase, signal: AbortSignal): Promise<void> {
  const { context: { stagingRoot }, where } = base;
  const root = pathOf(base, stagingRoot);
  const probe = `${root}/probe-${crypto.randomUUID().slice(0, 8)}`;
  const replies = await command(base, [`MKD ${root}`, `MKD ${probe}`, `RMD ${probe}`], signal);
  if (!isYes(replies(`MKD ${probe}`))) throw refused(`write below ${where}`, replies(`MKD ${probe}`));
}
