/**
 * Gives staged files their final names by SFTP: the protocol's own rename never replaces (where it does, what has the name is asked
 * for first), posix-rename@openssh.com replaces at once where the server has it. Folders cannot be flushed through SFTP: a small
 * flushed file follows each batch, which makes journalling file systems write the renames before it.
 *
 * @module
 */
import { keyedMutex, perOwner } from "../../async/mutex.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import type { Publication, PublishOutcome } from "../method.ts";
import { type Claim, claimsFor } from "../naming.ts";
import { linkRefused } from "../staging.ts";
import { checkBase, checkStaging, pathOf, PRIVATE_FOLDER, type SftpBase, strangersLinks } from "./sftp_base.ts";
import { flushFound, makeAndRemove, makeEmptyFile } from "./sftp_flush.ts";
import { withSftpLock } from "./sftp_lock.ts";
import { STATUS } from "./sftp_protocol.ts";
import { giveTakenName, isDoubtful, orDoubtful } from "./sftp_taken_name.ts";

/** Two that give the same name at once would both keep the same former file: one after the other, over all sessions. */
const nameLock = perOwner(keyedMutex);

/** What a session remembers of the names there. */
export interface SftpNaming {
  readonly base: SftpBase;
  /** Folders that this session has made or seen. */
  readonly known: Set<string>;
  /** Whether the server's plain rename replaces what has the name; null before that was tried. */
  replaces: boolean | null;
}

/**
 * What `Session.publish` does. Not as safe as through a shell: where the server's `rename` never replaces (SFTP 3 without
 * `posix-rename`), the plain name is away for a moment; where its plain rename replaces, another program could take the name between
 * question and rename.
 */
export async function publish(
  naming: SftpNaming,
  items: readonly Publication[],
  signal: AbortSignal,
): Promise<PublishOutcome[]> {
  if (items.length === 0) return [];
  const { base } = naming;
  const [, links] = await Promise.all([checkBase(base), strangersLinks(base, items.map(({ target }) => target))]);
  const outcomes = new Map<Publication, PublishOutcome>();
  const free = items.filter((item) => {
    const link = links.get(item.target);
    if (link === undefined) return true;
    outcomes.set(item, { published: false, failure: failureRecord(linkRefused(item.target, link, base.where)) });
    return false;
  });
  await makeFolders(naming, free);
  const claims = claimsFor(free, (path) => pathOf(base, path), outcomes);
  await Promise.all(claims.map(({ item, staged }) => item.fileMode === null ? null : base.calls.setMode(staged, item.fileMode)));
  const careful = items.some(({ onConflict }) => onConflict !== "overwrite") && await renameReplaces(naming, items[0]!.staged);
  const give = () => giveNames(naming, claims, careful, outcomes, signal);
  signal.throwIfAborted();
  // Between question and rename nobody else of ours may take a name.
  await (careful ? nameLock(base.context.system)(serverKey(base), () => withSftpLock(base, signal, give)) : give());
  const told = items.map((item) => outcomes.get(item)!);
  // If it is refused, nobody knows which names are on the disk.
  if (told.some(({ published }) => published)) await makeAndRemove(base, `${items[0]!.staged}.flush`);
  return told;
}

async function giveNames(
  naming: SftpNaming,
  claims: readonly Claim[],
  careful: boolean,
  outcomes: Map<Publication, PublishOutcome>,
  signal: AbortSignal,
): Promise<void> {
  const { base } = naming;
  const free = careful ? await freeOf(base, claims) : claims;
  signal.throwIfAborted();
  const refusals = await orDoubtful(
    Promise.all(
      free.map(({ item, staged, target }) =>
        item.onConflict === "overwrite" ? base.calls.rename(staged, target) : base.calls.plainRename(staged, target)
      ),
    ),
  );
  const given = new Set(free.filter((_, index) => refusals[index] === null).map(({ item }) => item));
  for (const { item } of claims) {
    outcomes.set(item, given.has(item) ? { published: true } : await orTaken(naming, item, careful, signal));
  }
}

/** Those whose names nothing has; of several for one name, the first. */
async function freeOf(base: SftpBase, claims: readonly Claim[]): Promise<Claim[]> {
  const there = await Promise.all(claims.map(({ target }) => base.calls.lstat(target)));
  const taken = new Set<string>();
  return claims.filter(({ item, target }, index) => {
    const free = there[index]!.refusal?.code === STATUS.NO_SUCH_FILE && !taken.has(nameKey(target));
    taken.add(nameKey(target));
    return free || item.onConflict === "overwrite";
  });
}

/** The name was not to be had at once: does what the policy says. `locked` where the lock of the installations is ours already. */
async function orTaken(
  naming: SftpNaming,
  item: Publication,
  locked: boolean,
  signal: AbortSignal,
): Promise<PublishOutcome> {
  const { base } = naming;
  const remakeFolders = () => {
    naming.known.clear();
    return makeFolders(naming, [item]);
  };
  signal.throwIfAborted();
  const give = () => giveTakenName(base, item, remakeFolders, signal);
  const alone = locked || item.onConflict !== "version" ? give : () => withSftpLock(base, signal, give);
  try {
    const key = `${serverKey(base)}\n${nameKey(pathOf(base, item.target))}`;
    return { published: true, ...await nameLock(base.context.system)(key, alone) };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failure) || isDoubtful(error)) throw error;
    return { published: false, failure: failureRecord(error) };
  }
}

function serverKey({ destination }: SftpBase): string {
  const { host, user, port } = destination.transport;
  return `${host}\n${user}\n${port}`;
}

async function makeFolders({ base, known }: SftpNaming, items: readonly Publication[]): Promise<void> {
  const folders = new Map<string, number | null>();
  for (const { target, directoryMode } of items) for (const folder of ancestors(target)) folders.set(folder, directoryMode);
  const wanted = [...folders].filter(([folder]) => !known.has(folder) && isValid(base, folder));
  const depth = (folder: string) => folder.split("/").length;
  // Outer folders first, each level at once.
  for (const level of Map.groupBy(wanted, ([folder]) => depth(folder)).entries().toArray().sort(([a], [b]) => a - b)) {
    await Promise.all(level[1].map(([folder, mode]) => makeFolder(base, pathOf(base, folder), mode)));
  }
  // What is not there after all is found out when its file fails.
  for (const [folder] of wanted) known.add(folder);
}

async function makeFolder({ calls }: SftpBase, path: string, mode: number | null): Promise<void> {
  if (await calls.mkdir(path) === null && mode !== null) await calls.setMode(path, mode);
}

/** What the server cannot name fails when its file does. */
function isValid(base: SftpBase, folder: string): boolean {
  try {
    pathOf(base, folder);
    return true;
  } catch (error) {
    if (error instanceof Failure) return false;
    throw error;
  }
}

/**
 * Whether the server's plain rename replaces what has the name. The protocol forbids it (draft-ietf-secsh-filexfer-02, 6.5), and
 * OpenSSH refuses; servers written in Go rename as POSIX does. Tried with two small files of ours, once a session; what could not
 * be tried counts as replacing. `staged` is a name of ours whose folder is there.
 */
async function renameReplaces(naming: SftpNaming, staged: string): Promise<boolean> {
  if (naming.replaces !== null) return naming.replaces;
  const { base, base: { calls } } = naming;
  const [free, taken] = [pathOf(base, `${staged}.free`), pathOf(base, `${staged}.taken`)];
  const made = await Promise.all([makeEmptyFile(base, free), makeEmptyFile(base, taken)]);
  if (made.some(({ notMade }) => notMade !== null)) return true;
  const refusal = await calls.plainRename(free, taken);
  await Promise.all([calls.remove(free), calls.remove(taken)]);
  return naming.replaces = refusal === null;
}

/** What `Session.flush` does. The small file comes after all that was done: see the head of this file. */
export async function flush(base: SftpBase, paths: readonly string[]): Promise<void> {
  const { stagingRoot, system } = base.context;
  await base.calls.mkdir(pathOf(base, stagingRoot), PRIVATE_FOLDER);
  await checkStaging(base);
  const [strange] = await strangersLinks(base, paths);
  if (strange !== undefined) throw linkRefused(strange[0], strange[1], base.where, "accept");
  await flushFound(base, paths, `${stagingRoot}/found-${system.randomHex(4)}.flush`);
  await makeAndRemove(base, `${stagingRoot}/adopted.flush`);
}
