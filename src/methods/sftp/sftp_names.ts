/**
 * Gives staged files their final names by SFTP: `rename -l` never replaces (where it does, what has the name is asked for
 * first), plain `rename` replaces at once where the server can. Folders cannot be flushed through SFTP: a small flushed
 * file follows each batch, which makes journalling file systems write the renames before it.
 *
 * @module
 */
import { keyedMutex } from "../../async/mutex.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import type { Publication, PublishOutcome } from "../method.ts";
import { checkBase, emptyFile, pathOf, type SftpBase } from "./sftp_base.ts";
import { listed, sftpCommand } from "./sftp_command.ts";
import { withSftpLock } from "./sftp_lock.ts";
import { giveTakenName, isDoubtful } from "./sftp_taken_name.ts";

/** Two that give the same name at once would both keep the same former file: one after the other, over all sessions. */
const nameLock = keyedMutex();

/** What a session remembers of the names there. */
export interface SftpNaming {
  readonly base: SftpBase;
  /** Folders that this session has made or seen. */
  readonly known: Set<string>;
  /** Whether the server's plain rename replaces what has the name; null before that was tried. */
  replaces: boolean | null;
}

/** A staged file on its way to its name. */
interface Claim {
  readonly item: Publication;
  readonly rename: string;
  /** Asks what has the name. */
  readonly look: string;
  readonly chmod: string | null;
}

/**
 * What `Session.publish` does. Not as safe as through a shell: where the server's `rename` never replaces (SFTP 3 without
 * `posix-rename`), the plain name is away for a moment; where its `rename -l` replaces, another program could take the name between
 * question and rename.
 */
export async function publish(
  naming: SftpNaming,
  items: readonly Publication[],
  signal: AbortSignal,
): Promise<PublishOutcome[]> {
  if (items.length === 0) return [];
  const { base } = naming;
  await checkBase(base, signal);
  await makeFolders(naming, items, signal);
  const outcomes = new Map<Publication, PublishOutcome>();
  const claims = items.flatMap((item) => {
    try {
      return claimOf(item, base);
    } catch (error) {
      outcomes.set(item, { published: false, failure: failureRecord(error) });
      return [];
    }
  });
  await base.channels.run(claims.flatMap(({ chmod }) => chmod ?? []), signal);
  const careful = items.some(({ onConflict }) => onConflict !== "overwrite") &&
    await renameReplaces(naming, items[0]!.staged, signal);
  const give = () => giveNames(naming, claims, careful, outcomes, signal);
  // Between question and rename nobody else of ours may take a name.
  await (careful ? nameLock(serverKey(base), () => withSftpLock(base, signal, give)) : give());
  await flushAfter(base, items[0]!.staged, signal);
  return items.map((item) => outcomes.get(item)!);
}

/** @throws {Failure} `name_refused` */
function claimOf(item: Publication, base: SftpBase): Claim {
  const [staged, target] = [pathOf(base, item.staged), pathOf(base, item.target)];
  return {
    item,
    rename: sftpCommand(item.onConflict === "overwrite" ? "rename" : "rename -l", staged, target),
    look: sftpCommand("ls -ln", target),
    chmod: item.fileMode === null ? null : sftpCommand(`chmod ${item.fileMode.toString(8)}`, staged),
  };
}

async function giveNames(
  naming: SftpNaming,
  claims: readonly Claim[],
  careful: boolean,
  outcomes: Map<Publication, PublishOutcome>,
  signal: AbortSignal,
): Promise<void> {
  const free = careful ? await freeOf(naming.base, claims, signal) : claims;
  const replies = await naming.base.channels.run(free.map(({ rename }) => rename), signal);
  const errors = new Map(free.map(({ item }, index) => [item, replies[index]!.errors]));
  for (const { item } of claims) {
    const said = errors.get(item) ?? "the name is taken";
    outcomes.set(item, said === "" ? { published: true } : await orTaken(naming, item, said, careful, signal));
  }
}

/** Those whose names nothing has; of several for one name, the first. */
async function freeOf(base: SftpBase, claims: readonly Claim[], signal: AbortSignal): Promise<Claim[]> {
  const looks = await base.channels.run(claims.map(({ look }) => look), signal);
  const taken = new Set<string>();
  return claims.filter(({ item: { target, onConflict } }, index) => {
    const path = pathOf(base, target);
    const free = listed(path, looks[index]!)?.kind === "nothing" && !taken.has(nameKey(path));
    taken.add(nameKey(path));
    return free || onConflict === "overwrite";
  });
}

/** The name was not to be had at once: does what the policy says. `locked` where the lock of the installations is ours already. */
async function orTaken(
  naming: SftpNaming,
  item: Publication,
  errors: string,
  locked: boolean,
  signal: AbortSignal,
): Promise<PublishOutcome> {
  const { base } = naming;
  const remakeFolders = () => {
    naming.known.clear();
    return makeFolders(naming, [item], signal);
  };
  const give = () => giveTakenName(base, item, errors, remakeFolders, signal);
  const alone = locked || item.onConflict !== "version" ? give : () => withSftpLock(base, signal, give);
  try {
    return { published: true, ...await nameLock(`${serverKey(base)}\n${nameKey(pathOf(base, item.target))}`, alone) };
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

async function makeFolders({ base, known }: SftpNaming, items: readonly Publication[], signal: AbortSignal): Promise<void> {
  const folders = new Map<string, number | null>();
  for (const { target, directoryMode } of items) for (const folder of ancestors(target)) folders.set(folder, directoryMode);
  const wanted = [...folders].filter(([folder]) => !known.has(folder) && isSayable(base, folder));
  const replies = await base.channels.run(wanted.map(([folder]) => sftpCommand("mkdir", pathOf(base, folder))), signal);
  const made = wanted.filter((_, index) => replies[index]?.errors === "");
  const modes = made.flatMap(([folder, mode]) =>
    mode === null ? [] : [sftpCommand(`chmod ${mode.toString(8)}`, pathOf(base, folder))]
  );
  await base.channels.run(modes, signal);
  // What is not there after all is found out when its file fails.
  for (const [folder] of wanted) known.add(folder);
}

/** What sftp cannot name, or the server does not take, fails when its file does. */
function isSayable(base: SftpBase, folder: string): boolean {
  try {
    sftpCommand("mkdir", pathOf(base, folder));
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
async function renameReplaces(naming: SftpNaming, staged: string, signal: AbortSignal): Promise<boolean> {
  if (naming.replaces !== null) return naming.replaces;
  const { base } = naming;
  const local = await emptyFile(base.context);
  const [free, taken] = [pathOf(base, `${staged}.free`), pathOf(base, `${staged}.taken`)];
  const [one, other, renamed] = await base.channels.run([
    sftpCommand("put", local, free),
    sftpCommand("put", local, taken),
    sftpCommand("rename -l", free, taken),
    sftpCommand("rm", free),
    sftpCommand("rm", taken),
  ], signal);
  if (one?.errors !== "" || other?.errors !== "") return true;
  return naming.replaces = renamed?.errors === "";
}

async function flushAfter(base: SftpBase, staged: string, signal: AbortSignal): Promise<void> {
  const remote = pathOf(base, `${staged}.flush`);
  await base.channels.run([sftpCommand("put -f", await emptyFile(base.context), remote), sftpCommand("rm", remote)], signal);
}

/** What `Session.flush` does. */
export async function flush(base: SftpBase, signal: AbortSignal): Promise<void> {
  const { stagingRoot } = base.context;
  await base.channels.run([sftpCommand("mkdir", pathOf(base, stagingRoot))], signal);
  await flushAfter(base, `${stagingRoot}/adopted`, signal);
}
