/** What is there: the base path, and digests of files. */
import { createHash } from "node:crypto";
import { CAUSES, failure } from "../../domain/causes.ts";
import { Failure } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/file_name.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import { limitNow } from "../bandwidth.ts";
import type { Mount } from "../method.ts";
import type { Transfer } from "./curl_config.ts";
import { type Ended, isYes, lastReply, repliesIn } from "./dialogue.ts";
import {
  command,
  factsCommand,
  type FtpBase,
  look,
  noBase,
  opening,
  pathIfAny,
  pathOf,
  type RepliesOf,
  statIn,
} from "./ftp_base.ts";
import { connectionFailure, refused } from "./ftp_failures.ts";
import { checkStagingOnce } from "./ftp_listing.ts";

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
    await checkStagingOnce(base, signal);
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
  onBytes: OnBytes = () => undefined,
  calm?: "calm",
): Promise<(Digest | null)[]> {
  const known = paths.map((path) => pathIfAny(base, path));
  const absolute = known.filter((path) => path !== null);
  const { hash } = base.features;
  if (hash === null || absolute.length === 0) {
    const digests = await readBack(base, absolute, signal, onBytes, calm);
    return known.map((path) => path === null ? null : digests.shift()!);
  }
  const replies = await command(base, hashCommands(base, hash, absolute), signal);
  const found = hashesIn(base, hash, absolute, replies);
  // Some servers hash no large files, or take a space in a name for its end.
  const rest = absolute.filter((path) => !found.has(path) && isYes(replies(factsCommand(base, path))));
  const back = await readBack(base, rest, signal, undefined, calm);
  return known.map((path) => {
    if (path === null) return null;
    const read = back[rest.indexOf(path)];
    return found.get(path) ?? (read ? { ...read, shownBy: "read_back" } : null);
  });
}

/** The end of a run, which asks for the digests of files: its transfers, and what they tell. */
interface DigestQuestion {
  readonly transfers: readonly Transfer[];
  /** For the content that these transfers print. */
  onPiece(index: number, piece: Uint8Array): void;
  /** `ends` are theirs, as far as the run came. Null for a file of which nothing was told. */
  answers(ends: readonly Ended[]): (Digest | null)[];
}

type OnBytes = (index: number, bytes: number) => void;

/** Asks for the digests of files of these lengths as {@linkcode digest} does; those that are not told are asked for by that. */
export function digestQuestion(
  base: FtpBase,
  paths: readonly string[],
  lengths: readonly number[],
  onBytes: OnBytes,
): DigestQuestion {
  const { hash } = base.features;
  if (hash === null || paths.length === 0) return contentQuestion(paths, onBytes, lengths);
  return {
    transfers: [{ kind: "commands", commands: hashCommands(base, hash, paths) }],
    onPiece: () => undefined,
    answers([ended]) {
      const told = ended ? hashesIn(base, hash, paths, repliesIn(ended)) : null;
      return paths.map((path) => told?.get(path) ?? null);
    },
  };
}

/** Fetches files one after the other; the first that is not there ends the run. One that is longer than its length is read no further. */
function contentQuestion(paths: readonly string[], onBytes: OnBytes, lengths: readonly number[] = []): DigestQuestion {
  const sums = paths.map(() => ({ hash: createHash("sha256"), bytes: 0 }));
  return {
    transfers: paths.map((path) => ({ kind: "fetch", path, commands: [] })),
    onPiece(index, piece) {
      const sum = sums[index]!;
      sum.hash.update(piece);
      onBytes(index, sum.bytes += piece.length);
      const most = lengths[index] ?? Infinity;
      if (sum.bytes <= most) return;
      // It is the file's own trouble: all others are sent without it.
      const what = `Cannot verify a file: the server sends back more than the ${most} bytes that it was sent`;
      throw new Failure("mismatch", what, { hint: "It is sent again. If it persists, check the FTP server and its disk." });
    },
    answers: (ends) =>
      sums.map(({ bytes, hash }, index) => ends[index]?.exit === 0 ? { bytes, sha256: hash.digest("hex") } : null),
  };
}

/** Bytes and hashes of files that are fetched for it. */
async function readBack(
  base: FtpBase,
  paths: readonly string[],
  signal: AbortSignal,
  onBytes: OnBytes = () => undefined,
  calm?: "calm",
): Promise<(Digest | null)[]> {
  const digests: (Digest | null)[] = [];
  while (digests.length < paths.length) {
    const first = digests.length;
    const question = contentQuestion(paths.slice(first), (index, bytes) => onBytes(first + index, bytes));
    const [start, ...others] = question.transfers;
    const ends = await base.curl.talk([{ ...start!, commands: opening(base, ["NOOP"]) }, ...others], signal, {
      onPiece: question.onPiece,
      fetchedPerSecond: calm === undefined ? null : limitNow(base.destination, base.context.system),
    });
    const last = ends.at(-1)!;
    const isMissing = last.exit === 78 || (last.exit === 19 && lastReply(last)?.code === 550);
    if (last.exit !== 0 && !isMissing) {
      // A file's own trouble (a bad sector, no permission to read) must not hold all others.
      const what = `read "${printable(paths[first + ends.length - 1]!)}" back from ${base.destination.name}`;
      throw connectionFailure(last, base.destination) ?? failure(CAUSES.not_read_back, refused(what, lastReply(last)).message);
    }
    digests.push(...question.answers(ends).slice(0, ends.length));
    // One that is missing ended the run: there may be more of them.
    const behind = paths.slice(digests.length);
    if (!isMissing || behind.length === 0) continue;
    const stats = await look(base, behind, signal);
    const files = behind.filter((_, index) => stats[index]?.kind === "file");
    const found = await readBack(base, files, signal, undefined, calm);
    digests.push(...behind.map((path) => found[files.indexOf(path)] ?? null));
  }
  return digests;
}

type Hash = NonNullable<FtpBase["features"]["hash"]>;

function hashCommands(base: FtpBase, hash: Hash, paths: readonly string[]): string[] {
  const select = hash === "HASH" ? ["OPTS HASH SHA-256"] : [];
  return ["TYPE I", ...select, ...paths.flatMap((path) => [factsCommand(base, path), `${hash} ${path}`])];
}

/** The replies' hashes of files whose length was told. */
function hashesIn(base: FtpBase, hash: Hash, paths: readonly string[], replies: RepliesOf): Map<string, Digest> {
  const found = new Map<string, Digest>();
  for (const path of paths) {
    const stat = statIn(base, path, replies);
    const reply = replies(`${hash} ${path}`);
    const sha256 = isYes(reply) ? /\b[0-9a-f]{64}\b/i.exec(reply!.lines.join(" "))?.[0] : undefined;
    if (stat?.kind === "file" && stat.bytes >= 0 && sha256) found.set(path, { bytes: stat.bytes, sha256: sha256.toLowerCase() });
  }
  return found;
}
