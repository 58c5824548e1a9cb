/**
 * What is there: the base path, and digests of files.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { Failure } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { limitNow } from "../bandwidth.ts";
import type { Mount } from "../method.ts";
import type { Transfer } from "./curl_config.ts";
import { type Ended, isYes, lastReply, type Reply } from "./dialogue.ts";
import { command, type FtpBase, look, noBase, opening, pathIfAny, pathOf } from "./ftp_base.ts";
import { connectionFailure, refused } from "./ftp_failures.ts";

/** What `Session.attach` does. FTP tells neither the device nor how much room there is. */
export async function attach(base: FtpBase, create: boolean, signal: AbortSignal, probe?: string): Promise<Mount> {
  const { folder, where, destination: { directoryMode }, context: { stagingRoot } } = base;
  const [enter, exists] = [`CWD ${folder}`, `RNFR ${folder}`];
  const make = ancestors(`${folder}/x`).filter((each) => each !== "").map((each) => `MKD ${each}`);
  const first = await command(base, [enter, exists], signal);
  const made = create && !isYes(first(enter));
  if (made) {
    const second = await command(
      base,
      [...make, enter, ...(directoryMode === null ? [] : [chmod(directoryMode, folder)])],
      signal,
    );
    if (!isYes(second(enter))) {
      if (isYes(first(exists))) throw noBase(base, first(enter), true);
      throw refused(`create the folder ${where}`, second(make.at(-1) ?? enter));
    }
  } else if (!isYes(first(enter))) throw noBase(base, first(enter), isYes(first(exists)));
  if (probe !== undefined) {
    await command(base, [stagingRoot, `${stagingRoot}/${probe}`].map((each) => `MKD ${pathOf(base, each)}`), signal);
  }
  return { freeBytes: null, device: null, ...(made ? { made } : {}) };
}

/** The command that sets permissions. */
export function chmod(mode: number, path: string): string {
  return `SITE CHMOD ${mode.toString(8).padStart(3, "0")} ${path}`;
}

/** What `Session.digest` does: by the server's own hash where it has one, else by reading back. */
export async function digest(
  base: FtpBase,
  paths: readonly string[],
  signal: AbortSignal,
  onBytes: (index: number, bytes: number) => void = () => undefined,
  calm?: "calm",
): Promise<(Digest | null)[]> {
  const known = paths.map((path) => pathIfAny(base, path));
  const absolute = known.filter((path) => path !== null);
  const { hash } = base.features;
  const digests = hash === null
    ? await readBack(base, absolute, signal, onBytes, calm)
    : await hashesThere(base, hash, absolute, signal);
  return known.map((path) => path === null ? null : digests.shift()!);
}

async function hashesThere(
  base: FtpBase,
  hash: "HASH" | "XSHA256",
  paths: readonly string[],
  signal: AbortSignal,
): Promise<(Digest | null)[]> {
  const stats = await look(base, paths, signal);
  const files = paths.filter((_, index) => stats[index]?.kind === "file");
  if (files.length === 0) return paths.map(() => null);
  const select = hash === "HASH" ? ["OPTS HASH SHA-256"] : [];
  const replies = await command(base, ["TYPE I", ...select, ...files.map((path) => `${hash} ${path}`)], signal);
  const found = new Map<string, Digest | null>();
  for (const [index, path] of paths.entries()) {
    const reply = replies(`${hash} ${path}`);
    const sha256 = isYes(reply) ? /\b[0-9a-f]{64}\b/i.exec(reply!.lines.join(" "))?.[0] : undefined;
    if (sha256 !== undefined) found.set(path, { bytes: stats[index]!.bytes, sha256: sha256.toLowerCase() });
  }
  // Some servers hash no large files, or take a space in a name for its end.
  const rest = files.filter((path) => !found.has(path));
  const back = await readBack(base, rest, signal);
  for (const [index, path] of rest.entries()) {
    const digest = back[index];
    found.set(path, digest ? { ...digest, shownBy: "read_back" } : null);
  }
  return paths.map((path) => found.get(path) ?? null);
}

/** Its own trouble (a bad sector, no permission to read): it must not hold all others. */
function notRead({ destination }: FtpBase, path: string, reply: Reply | null): Failure {
  const failure = refused(`read "${printable(path)}" back from ${destination.name}`, reply);
  return new Failure("mismatch", failure.message, {
    hint: "Give the account there permission to read it; if it has, check the disk.",
  });
}

/** Bytes and hashes of files that are fetched for it. */
async function readBack(
  base: FtpBase,
  paths: readonly string[],
  signal: AbortSignal,
  onBytes: (index: number, bytes: number) => void = () => undefined,
  calm?: "calm",
): Promise<(Digest | null)[]> {
  const digests: (Digest | null)[] = [];
  while (digests.length < paths.length) {
    const rest = paths.slice(digests.length);
    const sums = rest.map(() => ({ hash: createHash("sha256"), bytes: 0 }));
    const ends = await fetchAll(
      base,
      rest,
      (index, piece) => {
        const sum = sums[index]!;
        sum.hash.update(piece);
        onBytes(digests.length + index, sum.bytes += piece.length);
      },
      signal,
      calm,
    );
    for (const [index, { exit }] of ends.entries()) {
      const { hash, bytes } = sums[index]!;
      digests.push(exit === 0 ? { bytes, sha256: hash.digest("hex") } : null);
    }
    // One that is missing ended the run: there may be more of them.
    const behind = paths.slice(digests.length);
    if (ends.at(-1)!.exit !== 0 && behind.length > 0) digests.push(...await readBackWhatIsThere(base, behind, signal));
  }
  return digests;
}

async function readBackWhatIsThere(base: FtpBase, paths: readonly string[], signal: AbortSignal): Promise<(Digest | null)[]> {
  const stats = await look(base, paths, signal);
  const files = paths.filter((_, index) => stats[index]?.kind === "file");
  const digests = await readBack(base, files, signal);
  const found = new Map(files.map((path, index) => [path, digests[index]!]));
  return paths.map((path) => found.get(path) ?? null);
}

/** Fetches one after the other, to the first that is not there. @throws {Failure} for anything else that ends it. */
export async function fetchAll(
  base: FtpBase,
  paths: readonly string[],
  onPiece: (index: number, piece: Uint8Array) => void,
  signal: AbortSignal,
  calm?: "calm",
): Promise<Ended[]> {
  const transfers = paths.map((path, index): Transfer => ({
    kind: "fetch",
    path,
    commands: index === 0 ? opening(base, ["NOOP"]) : [],
  }));
  const ends = await base.curl.fetch(
    transfers,
    onPiece,
    calm === undefined ? null : limitNow(base.destination, base.context.system),
    signal,
  );
  const last = ends.at(-1)!;
  if (last.exit === 0 || isMissing(last)) return ends;
  throw connectionFailure(last, base.destination) ?? notRead(base, paths[ends.length - 1]!, lastReply(last));
}

/** Nothing was there to be fetched. */
function isMissing(ended: Ended): boolean {
  return ended.exit === 78 || (ended.exit === 19 && lastReply(ended)?.code === 550);
}
