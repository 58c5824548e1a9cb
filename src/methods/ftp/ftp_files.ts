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
import { type Ended, isYes, lastReply, repliesIn, type Reply } from "./dialogue.ts";
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
  const digests = hash === null
    ? await readBack(base, absolute, signal, onBytes, calm)
    : await hashesThere(base, hash, absolute, signal, calm);
  return known.map((path) => path === null ? null : digests.shift()!);
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
      if (sum.bytes > most) throw tooLong(most);
    },
    answers: (ends) =>
      sums.map(({ bytes, hash }, index) => ends[index]?.exit === 0 ? { bytes, sha256: hash.digest("hex") } : null),
  };
}

/** It is the file's own trouble: all others are sent without it. */
function tooLong(bytes: number): Failure {
  return new Failure("mismatch", `Cannot verify a file: the server sends back more than the ${bytes} bytes that it was sent`, {
    hint: "It is sent again. If it persists, check the FTP server and its disk.",
  });
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
    if (last.exit !== 0 && !isMissing(last)) {
      const path = paths[first + ends.length - 1]!;
      throw connectionFailure(last, base.destination) ?? notRead(base, path, lastReply(last));
    }
    digests.push(...question.answers(ends).slice(0, ends.length));
    // One that is missing ended the run: there may be more of them.
    const behind = paths.slice(digests.length);
    if (last.exit !== 0 && behind.length > 0) digests.push(...await readBackWhatIsThere(base, behind, signal, calm));
  }
  return digests;
}

async function readBackWhatIsThere(
  base: FtpBase,
  paths: readonly string[],
  signal: AbortSignal,
  calm?: "calm",
): Promise<(Digest | null)[]> {
  const stats = await look(base, paths, signal);
  const files = paths.filter((_, index) => stats[index]?.kind === "file");
  const digests = await readBack(base, files, signal, undefined, calm);
  const found = new Map(files.map((path, index) => [path, digests[index]!]));
  return paths.map((path) => found.get(path) ?? null);
}

/** The server's own hashes; what it does not hash is read back: some hash no large files, or take a space in a name for its end. */
async function hashesThere(
  base: FtpBase,
  hash: Hash,
  paths: readonly string[],
  signal: AbortSignal,
  calm?: "calm",
): Promise<(Digest | null)[]> {
  if (paths.length === 0) return [];
  const replies = await command(base, hashCommands(base, hash, paths), signal);
  const found = hashesIn(base, hash, paths, replies);
  const rest = paths.filter((path) => !found.has(path) && isYes(replies(factsCommand(base, path))));
  const back = await readBack(base, rest, signal, undefined, calm);
  return paths.map((path) => {
    const read = back[rest.indexOf(path)];
    return found.get(path) ?? (read ? { ...read, shownBy: "read_back" } : null);
  });
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

/** Its own trouble (a bad sector, no permission to read): it must not hold all others. */
function notRead({ destination }: FtpBase, path: string, reply: Reply | null): Failure {
  return failure(CAUSES.not_read_back, refused(`read "${printable(path)}" back from ${destination.name}`, reply).message);
}

/** Nothing was there to be fetched. */
function isMissing(ended: Ended): boolean {
  return ended.exit === 78 || (ended.exit === 19 && lastReply(ended)?.code === 550);
}
