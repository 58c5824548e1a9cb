/** Final names: which can be given, and what happens when one is taken, once for all methods. */
import { keyedMutex, perOwner } from "../async/mutex.ts";
import { Failure, type FailureCode, failureRecord } from "../domain/failure.ts";
import { ancestors, formerName, isReservedName, nameKey } from "../domain/names/file_name.ts";
import { printable } from "../domain/names/printable.ts";
import type { Publication, PublishOutcome, Session, Stat } from "./method.ts";
import { type Act, type Answers, doOne, foldersFor, type Names, type Phases } from "./names.ts";
import { attemptsIn, emptyTrash, remove, sweep } from "./removal.ts";
import { takeTurn, TURN } from "./turn.ts";

/** Two that give the same name at once would both keep the same former file: one after the other, over all sessions of a program. */
const lock = perOwner(keyedMutex);
/** More names take longer than others wait for a sign of life: the turn is taken before, and given back afterwards, by calls of their own. */
const SOON = 50;

/** All of a session that names and removes, for names that `open` gives for each call. */
export function namesSession(
  open: () => Names,
): Pick<Session, "publish" | "remove" | "emptyTrash" | "leftovers" | "sweep"> {
  return {
    publish: (items, signal) => publish(open(), items, signal),
    remove: (items, signal) => remove(open(), items, signal),
    emptyTrash: (folders, signal) => emptyTrash(open(), folders, signal),
    leftovers: async (signal) => (await attemptsIn(open(), signal)).map(({ name }) => name),
    sweep: (attempts, signal) => sweep(open(), attempts, signal),
  };
}

/** What `Session.publish` does. */
export async function publish(names: Names, items: readonly Publication[], signal: AbortSignal): Promise<PublishOutcome[]> {
  if (items.length === 0) return [];
  signal.throwIfAborted();
  const outcomes: Outcomes = new Map();
  for (const item of items) {
    try {
      names.check(item.target);
    } catch (error) {
      outcomes.set(item, notPublished(error));
    }
  }
  const valid = items.filter((item) => !outcomes.has(item));
  const strangers = await names.strangers(valid.map(({ target }) => target), "write", signal);
  for (const item of valid) if (strangers.has(item.target)) outcomes.set(item, notPublished(strangers.get(item.target)));
  const claims = valid.filter((item) => !outcomes.has(item));
  if (claims.length > 0) await giveNames(names, claims, outcomes, signal);
  const published = claims.filter((item) => outcomes.get(item)!.published);
  if (published.length > 0) await flush(names, signal);
  for (const { target } of published) for (const folder of ancestors(target)) names.known.add(folder);
  return items.map((item) => outcomes.get(item)!);
}

async function flush(names: Names, signal: AbortSignal): Promise<void> {
  await names.flush?.(signal).catch((error) => {
    names.known.clear();
    throw error;
  });
}

type Outcomes = Map<Publication, PublishOutcome>;

function notPublished(error: unknown): PublishOutcome {
  return { published: false, failure: failureRecord(error) };
}

/** A file that could not have its name at once. */
interface Claim {
  readonly item: Publication;
  readonly refusal: unknown;
}

/** Gives the names that are free all at once, then each of the others as its policy says. */
async function giveNames(names: Names, claims: readonly Publication[], outcomes: Outcomes, signal: AbortSignal): Promise<void> {
  const inPlace = (work: () => Promise<void>) => lock(names.system)(names.place, work);
  const overwrites = ({ onConflict }: Publication) => names.overwrites === true && onConflict === "overwrite";
  const folders = foldersFor(names, claims);
  const modes = claims.flatMap(({ staged: path, fileMode: mode }): Act[] => mode === null ? [] : [{ do: "mode", path, mode }]);
  const give = async (free: readonly Publication[], found: Answers, ending: Phases, asked: boolean): Promise<Claim[]> => {
    signal.throwIfAborted();
    const gives = new Map(free.map((item): [Publication, Act] => {
      const [from, to] = [item.staged, item.target];
      return [item, overwrites(item) ? { do: "replace", from, to } : { do: "give", from, to, ...(asked ? { free: true } : {}) }];
    }));
    const given = await names.act([folders.modes(found), [...gives.values()], ...ending], signal);
    const rest: Claim[] = [];
    for (const item of claims) {
      const { done = false, refusal = null, final = false } = given.get(gives.get(item)!) ?? {};
      if (done) outcomes.set(item, { published: true });
      else if (final) outcomes.set(item, notPublished(await names.failure(writing(names, item), refusal)));
      else rest.push({ item, refusal });
    }
    return rest;
  };
  const settle = async (rest: readonly Claim[]) => {
    for (const { item, refusal } of rest) {
      signal.throwIfAborted();
      try {
        outcomes.set(item, { published: true, ...await giveTakenName(names, item, refusal, signal) });
      } catch (error) {
        outcomes.set(item, failedAlone(names, error, signal));
      }
    }
  };
  const settleInTurn = async (rest: readonly Claim[]) => {
    if (rest.length === 0) return;
    try {
      await using _turn = await takeTurn(names, [], signal);
      await settle(rest);
    } catch (error) {
      for (const { item } of rest) if (!outcomes.has(item)) outcomes.set(item, failedAlone(names, error, signal));
    }
  };

  if (claims.every(overwrites) || !await names.mayReplace(claims[0]!.staged, signal)) {
    const rest = await give(firstOfEachName(claims), await names.act([...folders.phases, modes], signal), [], false);
    return rest.length === 0 ? undefined : await inPlace(() => settleInTurn(rest));
  }
  await inPlace(async () => {
    const looks = new Map(claims.map((item): [Publication, Act] => [item, { do: "free", path: item.target }]));
    const before = [...folders.phases, modes, [...looks.values()]];
    const isSoon = claims.length <= SOON;
    await using turn = await takeTurn(names, isSoon ? before : [], signal);
    const found = isSoon ? turn.answers : await names.act(before, signal);
    const free = firstOfEachName(claims).filter((item) => overwrites(item) || found.get(looks.get(item)!)!.done);
    const endsAtOnce = isSoon && free.length === claims.length;
    const rest = await give(free, found, endsAtOnce ? await turn.stop() : [], true);
    if (endsAtOnce) turn.removed();
    await (endsAtOnce ? settleInTurn(rest) : settle(rest));
  });
}

/** The later ones are newer, and take their turns. */
function firstOfEachName(items: readonly Publication[]): Publication[] {
  return [...new Map(items.toReversed().map((item) => [nameKey(item.target), item])).values()].reverse();
}

function writing({ where }: Names, { target }: Publication): string {
  return `write "${printable(target)}" below ${where}`;
}

/** What it means for one file. Throws what is of the whole batch. */
function failedAlone({ isLost }: Names, error: unknown, signal: AbortSignal): PublishOutcome {
  signal.throwIfAborted();
  if (!(error instanceof Failure) || isLost?.(error)) throw error;
  return notPublished(error);
}

/** The name was not to be had at once: finds out why, and does what the policy says. */
async function giveTakenName(
  names: Names,
  item: Publication,
  refusal: unknown,
  signal: AbortSignal,
): Promise<{ former?: string }> {
  const { staged, target } = item;
  const [there, ours] = await statsOf(names, [target, staged], signal);
  if (!ours) {
    await names.checkBase(signal);
    throw cannotWrite(item, names.where, "mismatch", "the file that was sent is no longer there", "It is sent again.");
  }
  if (!there) {
    // Folders on the way may have been removed since they were made.
    names.known.clear();
    const folders = foldersFor(names, [item]);
    const give: Act = { do: "give", from: staged, to: target, free: true };
    const answers = await names.act([...folders.phases, [give]], signal);
    await names.act([folders.modes(answers)], signal);
    const { done, refusal: again = refusal } = answers.get(give)!;
    if (done) return {};
    throw await whyRefused(names, item, folders.phases.flat(), answers, again, signal);
  }
  return await resolveConflict(item, there.kind, names.where, {
    async isSame() {
      if (ours.kind !== "file" || there.kind !== "file" || ours.bytes !== there.bytes) return false;
      if (ours.identity !== undefined && ours.identity === there.identity) return true;
      const [a, b] = await names.digest([staged, target], signal);
      return Boolean(a && b && a.sha256 === b.sha256);
    },
    async keepAs(former) {
      if (!await keepAs(names, item, former, signal)) return false;
      // A disk may keep the later of two names and lose the earlier one in a power cut.
      await flush(names, signal);
      return true;
    },
    replace: () => replace(names, item, signal),
  });
}

/** The name is never free where the destination gives a file two; else for a moment. */
async function keepAs(names: Names, item: Publication, former: string, signal: AbortSignal): Promise<boolean> {
  if ((await doOne(names, { do: "link", from: item.target, to: former }, signal)).done) return true;
  const [taken, there] = await statsOf(names, [former, item.target], signal);
  // Kept already, before a crash.
  if (taken) return taken.identity !== undefined && taken.identity === there?.identity;
  const { done, refusal } = await doOne(names, { do: "rename", from: item.target, to: former }, signal);
  if (done) return true;
  throw await names.failure(`keep the former version of "${printable(item.target)}" below ${names.where}`, refusal);
}

async function replace(names: Names, item: Publication, signal: AbortSignal): Promise<void> {
  const { staged, target } = item;
  const { done, refusal, final } = await doOne(names, { do: "replace", from: staged, to: target }, signal);
  if (done) return;
  if (final) throw await names.failure(writing(names, item), refusal);
  // A server whose rename never replaces: the former file is moved away for a moment.
  const former = `${staged}.former`;
  const [away, give]: Act[] = [{ do: "rename", from: target, to: former }, { do: "give", from: staged, to: target, free: true }];
  const answers = await names.act([[away!], [give!]], signal);
  if (answers.get(give!)!.done) return void await doOne(names, { do: "remove", path: former }, signal);
  if (answers.get(away!)!.done) await doOne(names, { do: "rename", from: former, to: target }, signal);
  throw await whyRefused(names, item, [], answers, refusal, signal);
}

/** What is at these paths, in order. @throws {Failure} where that cannot be known. */
async function statsOf(names: Names, paths: readonly string[], signal: AbortSignal): Promise<(Stat | null)[]> {
  const acts = paths.map((path): Act => ({ do: "stat", path }));
  const answers = await names.act([acts], signal);
  return await Promise.all(acts.map(async (act, index) => {
    const { done, stat = null, refusal } = answers.get(act)!;
    if (done) return stat;
    throw await names.failure(`access "${printable(paths[index]!)}" below ${names.where}`, refusal);
  }));
}

/** Why a free name could not be given; `makes` are the folders that were to be made. */
async function whyRefused(
  names: Names,
  item: Publication,
  makes: readonly Act[],
  answers: Answers,
  refusal: unknown,
  signal: AbortSignal,
): Promise<Failure> {
  const folders = ancestors(item.target);
  const looks = folders.map((path): Act => ({ do: "stat", path, follow: true }));
  const found = await names.act([looks], signal);
  const stats = looks.map((look) => found.get(look)!);
  const blocked = folders.find((_, index) => stats[index]!.stat && stats[index]!.stat.kind !== "folder");
  if (blocked !== undefined) {
    const hint = "Move the file that is in the way, or change the layout.";
    return cannotWrite(item, names.where, "exists", `"${printable(blocked)}" is not a folder`, hint);
  }
  await names.checkBase(signal);
  const missing = folders.find((_, index) => stats[index]!.done && !stats[index]!.stat);
  const make = makes.find((act) => act.do === "mkdir" && act.path === missing && !answers.get(act)!.done);
  const failure = make === undefined
    ? await names.failure(writing(names, item), refusal)
    : await names.failure(`create the folder "${printable(missing!)}" below ${names.where}`, answers.get(make)!.refusal);
  if (failure.code !== "permission_denied" || !await givesNames(names, signal)) return failure;
  // Others go on where only this name, or its folder, is refused.
  return ofThisFile(new Failure(failure.code, failure.message, { hint: FOLDER_HINT, next: failure.next, cause: failure }));
}

/** Whether a name can be given below the base path. The folder of the turn is ours, or shows that one can be made. */
async function givesNames(names: Names, signal: AbortSignal): Promise<boolean> {
  const [make, look]: Act[] = [{ do: "mkdir", path: TURN }, { do: "free", path: TURN }];
  const answers = await names.act([[make!], [look!]], signal);
  if (answers.get(make!)!.done) await doOne(names, { do: "rmdir", path: TURN }, signal);
  else if (answers.get(look!)!.done) return false;
  await names.tryToWrite?.(signal);
  return true;
}

/** A final name that something has, and a staged file that is to get it. */
interface TakenName {
  /** What has the name has the bytes of the staged file. */
  isSame(): Promise<boolean>;
  /** Gives what has the name this former name; false where something else has that. */
  keepAs(former: string): Promise<boolean>;
  /** Gives the name to the staged file in one step: readers see the old or the new file, whole. */
  replace(): Promise<void>;
}

/**
 * Acts as the policy says; `former` is the name that the other file keeps. `where` names the destination in messages.
 *
 * @throws {Failure} `exists` where the other file must stay.
 */
async function resolveConflict(
  item: Publication,
  there: Stat["kind"],
  where: string,
  taken: TakenName,
): Promise<{ former?: string }> {
  if (there === "folder") throw nameTaken(item, "folder", where);
  if (item.onConflict === "overwrite" || await taken.isSame()) {
    await taken.replace();
    return {};
  }
  if (item.onConflict !== "version") throw nameTaken(item, "file", where);
  const former = await keepFormer(item.target, taken);
  await taken.replace();
  return { former };
}

async function keepFormer(target: string, taken: TakenName): Promise<string> {
  for (let number = 1;; number++) {
    const former = formerName(target, number);
    if (await taken.keepAs(former)) return former;
  }
}

/** `exists`: a folder, or a file with other bytes, has the name. */
export function nameTaken(item: Publication, by: "folder" | "file", where: string): Failure {
  return by === "folder"
    ? cannotWrite(item, where, "exists", "a folder has that name", "Move the folder away, or change the layout.")
    : cannotWrite(
      item,
      where,
      "exists",
      "a different file has that name",
      "on_conflict: version keeps both, overwrite replaces it.",
    );
}

export function cannotWrite(item: Publication, where: string, code: FailureCode, reason: string, hint: string): Failure {
  return new Failure(code, `Cannot write "${printable(item.target)}" below ${where}: ${reason}`, { hint });
}

/** Others can be written there: what holds a destination as a rule is this file's own trouble. */
function ofThisFile(failure: Failure): Failure {
  const { code, message, hint, next } = failure;
  return code === "permission_denied" && next === "hold" ? new Failure(code, message, { hint, next: "later" }) : failure;
}

/** A folder below the base path denies what the base path allows: only the files for it wait. */
export function folderDenied(item: Publication, where: string, folder: string): Failure {
  const reason = `permission denied in the folder "${printable(folder)}"`;
  return ofThisFile(cannotWrite(item, where, "permission_denied", reason, FOLDER_HINT));
}

const FOLDER_HINT =
  "Give the account permission to make files and folders there, or change the layout. It is retried automatically.";

/** @throws {Failure} `name_refused` where a part of a relative path cannot be a name there. `where` names the destination. */
export function checkPath(relative: string, where: string, windows: boolean): void {
  const bad = relative.split("/").find((part) =>
    part === "" || part === "." || part === ".." || part.includes("\0") || (windows && refusedByWindows(part))
  );
  if (bad === undefined) return;
  throw new Failure(
    "name_refused",
    `Cannot use "${printable(relative)}" below ${where}: "${printable(bad)}" is not a valid name there`,
    { hint: "Rename the file, or change the layout." },
  );
}

/** Windows refuses these, or takes them for something else (`CON`, `a:b`, `name.`). */
function refusedByWindows(name: string): boolean {
  return FORBIDDEN.test(name) || /[. ]$/.test(name) || isReservedName(name);
}

// deno-lint-ignore no-control-regex
const FORBIDDEN = /[<>:"|?*\\\x00-\x1f]/;
