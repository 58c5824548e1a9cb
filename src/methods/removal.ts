/**
 * What is taken away from a destination, once for all methods: delivered files, to the trash or for good, and what attempts have left.
 */
import { Failure, type FailureCode, type FailureRecord, failureRecord } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import type { System } from "../system/system.ts";
import type { Removal, RemovalOutcome } from "./method.ts";
import { type Act, type Answer, doOne, foldersFor, type Listed, type Names } from "./names.ts";
import { isAttemptName } from "./staging.ts";

/** Staging holds our own names only, and what tools make of them: nothing deeper. */
const DEEPEST_STAGING = 4;
/** Deeper than any path can be. */
const DEEPEST = 4096;
/** Names in an attempt. */
const OURS = /^[A-Za-z0-9_.~-]+$/;

/** Below the base path, so that a file gets there by a rename. Nothing in it is ever taken for an image. */
export const TRASH = ".image-transfer-trash";

/** Where a file lies in a folder of the trash: under its own path. */
export function inTrash(folder: string, path: string): string {
  return `${TRASH}/${folder}/${path}`;
}

/** A new folder of the trash: the time and random characters, so that no two are the same. */
export function trashFolder(system: Pick<System, "now" | "randomHex">): string {
  const time = new Date(system.now()).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
  return `${time}-${system.randomHex(4)}`;
}

/** @throws {TypeError} for anything but `<trash>/<folder>`: nothing else may ever be removed as a whole. */
export function checkTrashFolder(path: string): void {
  if (!new RegExp(`^\\${TRASH}/[A-Za-z0-9_-]{1,100}$`).test(path)) throw new TypeError(`"${path}" is not a folder of the trash`);
}

/** What keeps a file where it is. */
type Kept = "gone" | "not a file" | "changed" | "taken";

/** The file stays where it is. `where` names the destination. */
export function notRemoved({ path, to }: Removal, where: string, kept: Kept): FailureRecord {
  const { code, reason, hint } = REASONS[kept];
  const name = kept === "taken" && to !== null ? to : path;
  return failureRecord(
    new Failure(code, `Cannot remove "${printable(path)}" below ${where}: ${reason(printable(name))}`, { hint }),
  );
}

const REASONS: Readonly<Record<Kept, { code: FailureCode; reason: (name: string) => string; hint: string }>> = {
  "gone": { code: "gone", reason: () => "it is no longer there", hint: "" },
  "not a file": {
    code: "exists",
    reason: () => "something else has the name now",
    hint: "It was not put there by image-transfer: remove it yourself if it is not needed.",
  },
  "changed": {
    code: "exists",
    reason: () => "it was changed there since it was delivered",
    hint: "Remove it yourself if it is not needed.",
  },
  "taken": { code: "exists", reason: (name) => `the trash has "${name}" already`, hint: "It is tried again automatically." },
};

/** What `Session.remove` does. Between the question and the rename another program could take the name in the trash. */
export async function remove(names: Names, items: readonly Removal[], signal: AbortSignal): Promise<RemovalOutcome[]> {
  if (items.length === 0) return [];
  const ways = items.flatMap(({ path, to }) => to === null ? [path] : [path, to]);
  const strangers = await names.strangers(ways, "remove", signal);
  const asked = new Map(ways.map((path): [string, Act] => [path, { do: "stat", path }]));
  const found = await names.act([[...asked.values()]], signal);
  const at = (path: string) => found.get(asked.get(path)!)!;
  const links = await names.links?.(items.map(({ path }) => path).filter((path) => at(path).stat?.kind === "file"), signal);
  const kept = await Promise.all(items.map(async (item) => {
    const { path, bytes, to } = item;
    const strange = strangers.get(path) ?? (to === null ? undefined : strangers.get(to));
    if (strange !== undefined) return failureRecord(strange);
    const { done, stat, refusal } = at(path);
    if (!done) return failureRecord(await names.failure(removing(names, path), refusal));
    if (!stat) return notRemoved(item, names.where, "gone");
    if (stat.kind !== "file" || links?.has(path)) return notRemoved(item, names.where, "not a file");
    if (stat.bytes !== bytes) return notRemoved(item, names.where, "changed");
    return to !== null && at(to).stat ? notRemoved(item, names.where, "taken") : null;
  }));
  const going = items.filter((_, index) => kept[index] === null);
  const acts = new Map(going.map((item): [Removal, Act] => {
    const { path, to } = item;
    return [item, to === null ? { do: "remove", path } : { do: "rename", from: path, to }];
  }));
  const trash = going.flatMap(({ to }) => to === null ? [] : [{ target: to, directoryMode: null }]);
  signal.throwIfAborted();
  const folders = foldersFor({ ...names, known: new Set() }, trash).phases;
  const answers = going.length === 0 ? new Map<Act, Answer>() : await names.act([...folders, [...acts.values()]], signal);
  const isRefused = going.some((item) => !answers.get(acts.get(item)!)!.done);
  const noTrash = isRefused ? await whyNoFolder(names, folders.flat(), answers, signal) : null;
  const outcomes = await Promise.all(items.map(async (item, index): Promise<RemovalOutcome> => {
    const failure = kept[index];
    if (failure) return { removed: false, failure };
    const { done, refusal } = answers.get(acts.get(item)!)!;
    if (done) return { removed: true };
    return { removed: false, failure: noTrash ?? failureRecord(await names.failure(removing(names, item.path), refusal)) };
  }));
  if (outcomes.some(({ removed }) => removed)) await names.flush?.(signal);
  return outcomes;
}

/** Why a folder of the trash is missing: the refused rename tells only that it is. Null where all are there. */
async function whyNoFolder(
  names: Names,
  makes: readonly Act[],
  answers: ReadonlyMap<Act, Answer>,
  signal: AbortSignal,
): Promise<FailureRecord | null> {
  const looks = makes.flatMap((make) =>
    make.do === "mkdir" && !answers.get(make)!.done ? [[make, { do: "stat", path: make.path }] as const] : []
  );
  if (looks.length === 0) return null;
  const found = await names.act([looks.map(([, look]) => look)], signal);
  const [make] = looks.find(([, look]) => found.get(look)!.done && !found.get(look)!.stat) ?? [];
  if (make === undefined) return null;
  const what = `create the folder "${printable(make.path)}" below ${names.where}`;
  return failureRecord(await names.failure(what, answers.get(make)!.refusal));
}

function removing({ where }: Names, path: string): string {
  return `remove "${printable(path)}" below ${where}`;
}

/** What `Session.emptyTrash` does. */
export async function emptyTrash(names: Names, folders: readonly string[], signal: AbortSignal): Promise<void> {
  for (const folder of folders) checkTrashFolder(folder);
  const [strange] = (await names.strangers(folders.map((folder) => `${folder}/x`), "remove", signal)).values();
  if (strange !== undefined) throw strange;
  const left = await removeTrees(names, folders, { deepest: DEEPEST, ours: false }, signal);
  if (left !== null) throw await names.failure(removing(names, left), "it is not empty afterwards");
}

export async function attemptsIn(names: Names, signal: AbortSignal): Promise<Listed[]> {
  if (!await names.checkStaging(signal)) return [];
  const [entries = []] = await names.list([names.stagingRoot], signal);
  return entries.filter(({ name, isFolder = true }) => isFolder && isAttemptName(name));
}

/** What `Session.sweep` does. Descends four folders at most, and touches no name that could not be ours. */
export async function sweep(names: Names, attempts: readonly string[] | null, signal: AbortSignal): Promise<void> {
  const { stagingRoot, where } = names;
  if (!await names.checkStaging(signal)) return;
  const entries = attempts?.map((name): Listed => ({ name })) ?? (await names.list([stagingRoot], signal))[0] ?? [];
  const ours = entries.filter(({ name }) => isAttemptName(name));
  const files = ours.filter(({ isFolder }) => attempts === null && isFolder !== true);
  if (files.length > 0) {
    await names.act([files.map(({ name }): Act => ({ do: "remove", path: `${stagingRoot}/${name}` }))], signal);
  }
  const left = await removeTrees(names, ours.map(({ name }) => `${stagingRoot}/${name}`), {
    deepest: DEEPEST_STAGING,
    ours: true,
  }, signal);
  if (left !== null) {
    throw new Failure("permission_denied", `Cannot remove the temporary folder "${left}" from ${where}`, {
      next: "later",
      hint: "Check the permissions of the account there: it must be allowed to delete. It is retried automatically.",
    });
  }
  // What is not ours stays, and so does the folder.
  if (attempts === null) await doOne(names, { do: "rmdir", path: stagingRoot }, signal);
}

/** Removes folders with all that is in them, as deep as is said, with `ours` no name that could not be ours; gives one that is still there. */
async function removeTrees(
  names: Names,
  folders: readonly string[],
  depth: { readonly deepest: number; readonly ours: boolean },
  signal: AbortSignal,
): Promise<string | null> {
  signal.throwIfAborted();
  if (names.removeTrees) return await names.removeTrees(folders, signal).then(() => null);
  // Most are empty, or gone.
  const left = await removeEmpty(names, folders, signal);
  if (left.length === 0) return null;
  const links = await names.links?.(left, signal) ?? new Set();
  // A link itself may go; what it leads to is not ours.
  if (links.size > 0) await names.act([[...links].map((path): Act => ({ do: "remove", path }))], signal);
  const full = left.filter((path) => !links.has(path));
  if (full.length === 0) return null;
  if (depth.deepest < 0) return full[0]!;
  const lists = await names.list(full, signal);
  const inside = full.flatMap((folder, index) =>
    lists[index]!.filter(({ name }) => !name.includes("/") && (!depth.ours || OURS.test(name)))
      .map(({ name, isFolder }) => ({ path: `${folder}/${name}`, isFolder }))
  );
  const removes = inside.filter(({ isFolder }) => isFolder !== true).map(({ path }): Act => ({ do: "remove", path }));
  const removed = removes.length === 0 ? new Map<Act, Answer>() : await names.act([removes], signal);
  const gone = new Set(removes.filter((act) => removed.get(act)!.done).map((act) => act.do === "remove" ? act.path : ""));
  const deeper = inside.filter(({ path, isFolder }) => !gone.has(path) && isFolder !== false).map(({ path }) => path);
  await removeTrees(names, deeper, { ...depth, deepest: depth.deepest - 1 }, signal);
  return (await removeEmpty(names, full, signal))[0] ?? null;
}

/** Those folders that are still there afterwards. */
async function removeEmpty(names: Names, folders: readonly string[], signal: AbortSignal): Promise<string[]> {
  if (folders.length === 0) return [];
  const looks = folders.map((path): Act => ({ do: "folder", path }));
  const answers = await names.act([folders.map((path): Act => ({ do: "rmdir", path })), looks], signal);
  return folders.filter((_, index) => answers.get(looks[index]!)!.done);
}
