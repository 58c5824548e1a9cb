/**
 * Parts of files that earlier attempts left at an FTP server: compared with the source before the rest is appended.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { anySignal } from "../../async/abort.ts";
import { within } from "../../async/deadline.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { Upload } from "../method.ts";
import { command, type FtpBase, pathOf } from "./ftp_base.ts";
import { digest } from "./ftp_files.ts";

/** How much of the files is there under their staging names: parts of earlier attempts whose bytes are those of the source. */
export async function partsOf(
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

const COMPARE_BYTES = 1 << 20;
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
  { bytes, sha256 }: { readonly bytes: number; readonly sha256: string },
  signal: AbortSignal,
): Promise<boolean> {
  const sum = createHash("sha256");
  for (let at = 0; at < bytes; at += COMPARE_BYTES) {
    signal.throwIfAborted();
    const piece = await system.read(source, at, Math.min(COMPARE_BYTES, bytes - at)).catch(() => new Uint8Array());
    if (piece.length === 0) return false;
    sum.update(piece);
  }
  return sum.digest("hex") === sha256;
}

/**
 * While it is appended to, a part has this name: it is not resumed a second time, because a former process of the server may still append
 * to it. What such a process writes that was told to write from the beginning is the same in any case.
 */
export function appending(staged: string): string {
  return `${staged}.appending`;
}

export function aside(staged: string): string[] {
  return [`RNFR ${staged}`, `RNTO ${appending(staged)}`];
}

/** Folders of ours that the batch needs; the base path itself is never made here. */
export function foldersOf(base: FtpBase, uploads: readonly Pick<Upload, "staged">[]): string[] {
  return [...new Set(uploads.flatMap(({ staged }) => ancestors(staged)))].map((folder) => `MKD ${pathOf(base, folder)}`);
}
