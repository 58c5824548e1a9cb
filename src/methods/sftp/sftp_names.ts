/**
 * Gives staged files their final names by SFTP: `rename -l` never replaces (where it does, what has the name is asked for
 * first), plain `rename` replaces at once where the server can. Folders cannot be flushed through SFTP: a small flushed file follows each batch, which makes journalling
 * file systems write the renames before it.
 *
 * @module
 */
import { Failure, failureRecord } from "../../domain/failure.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import { printable } from "../../domain/names/printable.ts";
import { keyedMutex } from "../../async/mutex.ts";
import { formerName } from "../../domain/names/former_name.ts";
import type { Publication, PublishOutcome, Session } from "../method.ts";
import { meaningOf } from "../local/os_failures.ts";
import type { Reply } from "./sftp_channel.ts";
import { listed, sftpCommand } from "./sftp_command.ts";
import { ancestors, emptyFile, type SftpPlace } from "./sftp_place.ts";
import { sftpReplaces } from "./sftp_replaces.ts";
import { sftpLock } from "./sftp_lock.ts";

/** Two that give the same name at once would both keep the same former file: by turns, over all sessions. */
const inTurn = keyedMutex();

/** A staged file on its way to its name. */
interface Claim {
  readonly index: number;
  readonly rename: string;
  /** Asks what has the name. */
  readonly look: string;
  readonly chmod: string | null;
}

/**
 * Not as safe as through a shell: where the server's `rename` never replaces (SFTP 3 without `posix-rename`), the plain name is
 * away for a moment; where its `rename -l` replaces, another program could take the name between question and rename.
 */
export function sftpNames(place: SftpPlace): Pick<Session, "publish" | "flush"> {
  const { channels, context, where, key, path, list, checkBase, digest } = place;
  /** Folders that this session has made or seen. */
  const known = new Set<string>();
  const replaces = sftpReplaces(place);
  const turn = sftpLock(place);
  /** Failures that leave open whether something was done. */
  const doubtful = new WeakSet<object>();

  async function publish(items: readonly Publication[], signal: AbortSignal): Promise<PublishOutcome[]> {
    if (items.length === 0) return [];
    await checkBase(signal);
    const outcomes: (PublishOutcome | null)[] = items.map(() => null);
    const claims: Claim[] = [];
    await makeFolders(items, signal);
    items.forEach((item, index) => {
      try {
        const rename = item.onConflict === "overwrite" ? "rename" : "rename -l";
        const chmod = item.fileMode === null ? null : sftpCommand(`chmod ${item.fileMode.toString(8)}`, path(item.staged));
        const look = sftpCommand("ls -ln", path(item.target));
        claims.push({ index, rename: sftpCommand(rename, path(item.staged), path(item.target)), look, chmod });
      } catch (error) {
        outcomes[index] = { published: false, failure: failureRecord(error) };
      }
    });
    await channels.run(claims.flatMap(({ chmod }) => chmod ?? []), signal);
    const careful = items.some(({ onConflict }) => onConflict !== "overwrite") && await replaces(items[0]!.staged, signal);
    const give = async () => {
      const free = careful ? await freeOf(items, claims, signal) : claims;
      const replies = await channels.run(free.map(({ rename }) => rename), signal);
      const errors = new Map(free.map(({ index }, at) => [index, replies[at]!.errors]));
      for (const { index } of claims) {
        const said = errors.get(index) ?? "the name is taken";
        outcomes[index] = said === "" ? { published: true } : await settled(items[index]!, said, careful, signal);
      }
    };
    // Between question and rename nobody else of ours may take a name.
    await (careful ? inTurn(key, () => turn(signal, give)) : give());
    await flush(items[0]!.staged, signal);
    return outcomes.map((outcome) => outcome!);
  }

  /** Those whose names nothing has; of several for one name, the first. */
  async function freeOf(items: readonly Publication[], claims: readonly Claim[], signal: AbortSignal): Promise<Claim[]> {
    const looks = await channels.run(claims.map(({ look }) => look), signal);
    const taken = new Set<string>();
    return claims.filter(({ index }, at) => {
      const { target, onConflict } = items[index]!;
      const name = nameKey(path(target));
      const free = listed(path(target), looks[at]!)?.kind === "nothing" && !taken.has(name);
      taken.add(name);
      return free || onConflict === "overwrite";
    });
  }

  async function makeFolders(items: readonly Publication[], signal: AbortSignal): Promise<void> {
    const folders = new Map<string, number | null>();
    for (const { target, directoryMode } of items) for (const folder of ancestors(target)) folders.set(folder, directoryMode);
    const wanted = [...folders].filter(([folder]) => !known.has(folder) && isSayable(folder));
    const replies = await channels.run(wanted.map(([folder]) => sftpCommand("mkdir", path(folder))), signal);
    const made = wanted.filter((_, index) => replies[index]?.errors === "");
    await channels.run(
      made.flatMap(([folder, mode]) => mode === null ? [] : [sftpCommand(`chmod ${mode.toString(8)}`, path(folder))]),
      signal,
    );
    // What is not there after all is found out when its file fails.
    for (const [folder] of wanted) known.add(folder);
  }

  /** What sftp cannot name, or the server does not take, fails when its file does. */
  function isSayable(folder: string): boolean {
    try {
      sftpCommand("mkdir", path(folder));
      return true;
    } catch (error) {
      if (error instanceof Failure) return false;
      throw error;
    }
  }

  /** `mine` where it is the turn of this installation already. */
  async function settled(item: Publication, errors: string, mine: boolean, signal: AbortSignal): Promise<PublishOutcome> {
    const act = () => settle(item, errors, signal);
    const alone = mine || item.onConflict !== "version" ? act : () => turn(signal, act);
    try {
      return { published: true, ...await inTurn(`${key}\n${nameKey(path(item.target))}`, alone) };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof Failure) || doubtful.has(error)) throw error;
      return { published: false, failure: failureRecord(error) };
    }
  }

  /** Runs commands that change something. Without their answers the server may still carry them out: that is the attempt's trouble. */
  async function change(commands: readonly string[], signal: AbortSignal): Promise<Reply[]> {
    try {
      return await channels.run(commands, signal);
    } catch (error) {
      if (error instanceof Failure) doubtful.add(error);
      throw error;
    }
  }

  /** The name was not to be had at once: finds out why, and does what the policy says. */
  async function settle(item: Publication, errors: string, signal: AbortSignal): Promise<{ former?: string }> {
    const [staged, target] = [path(item.staged), path(item.target)];
    const there = await list(target, signal);
    const ours = await list(staged, signal);
    if (ours.kind === "nothing") throw failed(item, "mismatch", "the file that was sent is no longer there", "It is sent again.");
    if (there.kind === "nothing") return await again(item, errors, signal);
    if (there.kind === "folder") {
      throw failed(item, "exists", "a folder has that name", "Move the folder away, or change the layout.");
    }
    const same = there.kind === "file" && ours.kind === "file" && ours.bytes === there.bytes && await sameContent(item, signal);
    if (!same && (item.onConflict === "skip" || item.onConflict === "fail")) {
      throw failed(item, "exists", "a different file has that name", "on_conflict: version keeps both, overwrite replaces it.");
    }
    const former = same || item.onConflict === "overwrite" ? null : await keep(item, signal);
    await replace(item, signal);
    return former === null ? {} : { former };
  }

  /** A folder may have been removed since this session made it. */
  async function again(item: Publication, errors: string, signal: AbortSignal): Promise<{ former?: string }> {
    known.clear();
    await makeFolders([item], signal);
    const [renamed] = await change([sftpCommand("rename -l", path(item.staged), path(item.target))], signal);
    return renamed?.errors === "" ? {} : await explain(item, renamed?.errors ?? errors, signal);
  }

  async function explain(item: Publication, errors: string, signal: AbortSignal): Promise<never> {
    for (const folder of ancestors(item.target)) {
      const found = await list(path(folder), signal);
      if (found.kind === "folder") continue;
      if (found.kind !== "nothing") {
        throw failed(item, "exists", `"${printable(folder)}" is not a folder`, "Move away the file that is in the way.");
      }
      break;
    }
    await checkBase(signal);
    const meaning = meaningOf(errors);
    const told = printable(errors.split("\n").at(-1) ?? "").slice(0, 200);
    // SFTP servers say "Failure" for a read-only disk.
    throw failed(
      item,
      /bad message/i.test(errors) ? "name_refused" : meaning?.code ?? "permission_denied",
      `${meaning?.reason ?? "the server refuses it"} (${told})`,
      meaning?.hint ?? "Check the permissions of the remote account, and that the disk there can be written.",
    );
  }

  /** Gives what has the name its former name; the plain name goes on existing where the server makes links. */
  async function keep(item: Publication, signal: AbortSignal): Promise<string> {
    const target = path(item.target);
    for (let number = 1;; number++) {
      const former = formerName(item.target, number);
      const [linked] = await change([sftpCommand("ln", target, path(former))], signal);
      if (linked?.errors === "") return former;
      if ((await list(path(former), signal)).kind !== "nothing") continue;
      const [renamed] = await change([sftpCommand("rename -l", target, path(former))], signal);
      if (renamed?.errors === "") return former;
      throw failed(
        item,
        "permission_denied",
        `the former version cannot be kept (${printable(renamed?.errors ?? "")})`,
        "Check the permissions there.",
      );
    }
  }

  async function replace(item: Publication, signal: AbortSignal): Promise<void> {
    const [staged, target] = [path(item.staged), path(item.target)];
    const [renamed] = await change([sftpCommand("rename", staged, target)], signal);
    if (renamed?.errors === "") {
      // Two names of one file: POSIX renames nothing then.
      await change([sftpCommand("rm", staged)], signal);
      return;
    }
    // A server whose rename never replaces: the former file goes out of the way for a moment.
    const aside = `${staged}.former`;
    const [, done] = await change(
      [sftpCommand("rename -l", target, aside), sftpCommand("rename -l", staged, target)],
      signal,
    );
    if (done?.errors !== "") {
      await change([sftpCommand("rename -l", aside, target)], signal);
      return await explain(item, renamed?.errors ?? "", signal);
    }
    await change([sftpCommand("rm", aside)], signal);
  }

  async function sameContent(item: Publication, signal: AbortSignal): Promise<boolean> {
    const [ours, theirs] = await digest([item.staged, item.target], signal);
    return Boolean(ours && theirs && ours.sha256 === theirs.sha256);
  }

  async function flush(staged: string, signal: AbortSignal): Promise<void> {
    const remote = `${path(staged)}.flush`;
    await channels.run([sftpCommand("put -f", await emptyFile(context), remote), sftpCommand("rm", remote)], signal);
  }

  function failed(item: Publication, code: Failure["code"], reason: string, hint: string): Failure {
    return new Failure(code, `Cannot write "${printable(item.target)}" to ${where}: ${reason}`, { hint });
  }

  return {
    publish,
    flush: async (_paths, signal) => {
      const { stagingRoot } = context;
      await channels.run([sftpCommand("mkdir", path(stagingRoot))], signal);
      await flush(`${stagingRoot}/adopted`, signal);
    },
  };
}
