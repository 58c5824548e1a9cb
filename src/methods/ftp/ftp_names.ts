/**
 * Gives staged files their final names by FTP. Some servers' rename replaces what has the name, others refuse: what is there is asked for
 * first, while no other installation gives names.
 *
 * @module
 */
import { keyedMutex, perOwner } from "../../async/mutex.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { ancestors } from "../../domain/names/ancestors.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Publication, PublishOutcome } from "../method.ts";
import { cannotWrite, ofThisFile, resolveConflict } from "../naming.ts";
import { linkRefused } from "../staging.ts";
import { TURN } from "../turn.ts";
import { takeTurn, type Turn, type TurnFolder } from "./ftp_turn.ts";
import { isYes } from "./dialogue.ts";
import {
  checkBase,
  command,
  folderOf,
  type FtpBase,
  look,
  noBase,
  pathOf,
  type RepliesOf,
  tryToWrite,
  unknownFolders,
} from "./ftp_base.ts";
import { meaningOfReply, refused, replyText } from "./ftp_failures.ts";
import { chmod, digest } from "./ftp_files.ts";
import { commandAndList, namesIn } from "./ftp_listing.ts";
import { strangersLinks } from "./ftp_staging.ts";

/** Two that give names at once could both keep the same former file: one after the other, over all sessions. */
const nameLock = perOwner(keyedMutex);

const RETRY_MS = 200;
/** More names take longer than others wait for a sign of life: the turn is taken before, and given back afterwards, by runs of their own. */
const SOON = 50;

/** A staged file on its way to its name: absolute paths there. */
interface Claim {
  readonly item: Publication;
  readonly staged: string;
  readonly target: string;
}

/** What was found before names are given. */
interface Look {
  readonly replies: RepliesOf;
  /** Folders of many names that were made just now: nothing in them has a name. */
  readonly made: ReadonlySet<string>;
}

/** What `Session.publish` does: two runs of curl, and more for each name that something else has. */
export async function publish(base: FtpBase, items: readonly Publication[], signal: AbortSignal): Promise<PublishOutcome[]> {
  const outcomes = new Map<Publication, PublishOutcome>();
  const claims = items.flatMap((item): Claim[] => {
    try {
      return [{ item, staged: pathOf(base, item.staged), target: pathOf(base, item.target) }];
    } catch (error) {
      outcomes.set(item, { published: false, failure: failureRecord(error) });
      return [];
    }
  });
  const strangers = await strangersLinks(base, claims.map(({ item }) => item.target), signal);
  const safe = claims.filter(({ item }) => !strangers.has(item.target));
  for (const { target } of items) {
    const link = strangers.get(target);
    if (link === undefined) continue;
    for (const item of items.filter((each) => each.target === target)) {
      outcomes.set(item, { published: false, failure: failureRecord(linkRefused(target, link, base.where)) });
    }
  }
  if (safe.length > 0) await nameLock(base.context.system)(serverKey(base), () => giveNames(base, safe, outcomes, signal));
  return items.map((item) => outcomes.get(item)!);
}

function serverKey({ destination, folder }: FtpBase): string {
  const { host, port } = destination.transport;
  return JSON.stringify([host, port, folder]);
}

async function giveNames(
  base: FtpBase,
  claims: readonly Claim[],
  outcomes: Map<Publication, PublishOutcome>,
  signal: AbortSignal,
): Promise<void> {
  const { turn: taken, ...found } = await lookInTurn(base, claims, signal);
  await using turn = taken;
  const free = freeOf(base, claims, found);
  signal.throwIfAborted();
  const endsAtOnce = turn !== null && free.length === claims.length && free.length <= SOON;
  const { named, given } = await rename(base, claims, free, found, endsAtOnce ? removals(base, await turn.stop()) : [], signal);
  if (endsAtOnce) turn.removed();
  for (const claim of claims) {
    const forbidden = !named.has(claim) && meaningOfReply(given(`RNFR ${claim.staged}`))?.code === "permission_denied";
    if (forbidden) outcomes.set(claim.item, { published: false, failure: failureRecord(mayNotRename(base, claim.item)) });
    else outcomes.set(claim.item, named.has(claim) ? { published: true } : await orWhy(base, claim, signal));
  }
}

/** Gives free names, and asks whether they are there: a server may have given another name than it was told. */
async function rename(
  base: FtpBase,
  claims: readonly Claim[],
  free: readonly Claim[],
  { replies, made }: Look,
  unlock: readonly string[],
  signal: AbortSignal,
): Promise<{ named: ReadonlySet<Claim>; given: RepliesOf }> {
  // Of a new folder all names are told at once.
  const [listed] = made;
  const isListed = ({ target }: Claim) => folderOf(target) === listed;
  const commands = [
    ...modesOfFolders(base, claims, replies),
    ...free.flatMap((claim) => [
      `RNFR ${claim.staged}`,
      `RNTO ${claim.target}`,
      ...(isListed(claim) ? [] : [question(base, claim.target)]),
    ]),
    ...unlock,
  ];
  if (listed === undefined) {
    const given = await command(base, commands, signal);
    return { named: new Set(free.filter(({ target }) => isGiven(base, target, given))), given };
  }
  const { replies: given, names } = await commandAndList(base, commands, listed, signal);
  const isSeen = (claim: Claim) => isListed(claim) && names.has(claim.target.slice(listed.length + 1));
  const unseen = free.filter((claim) => isListed(claim) && !isSeen(claim) && isYes(given(`RNTO ${claim.target}`)));
  const asked = unseen.length === 0 ? given : await command(base, unseen.map(({ target }) => question(base, target)), signal);
  const both = (each: string) => given(each) ?? asked(each);
  return {
    named: new Set(
      free.filter((claim) => isSeen(claim) ? isYes(given(`RNTO ${claim.target}`)) : isGiven(base, claim.target, both)),
    ),
    given,
  };
}

function isGiven(base: FtpBase, target: string, replies: RepliesOf): boolean {
  return isYes(replies(`RNTO ${target}`)) && isYes(replies(question(base, target)));
}

function mayNotRename(base: FtpBase, item: Publication): Failure {
  return cannotWrite(item, base.where, "permission_denied", "the account may not rename", RENAME);
}

const RENAME = "Give the account there permission to write, to make folders and to rename in that folder, or change the layout.";

/** Takes the turn, makes folders, sets modes, and asks which names are taken: one run, or two for many. */
async function lookInTurn(base: FtpBase, claims: readonly Claim[], signal: AbortSignal): Promise<Look & { turn: Turn | null }> {
  // Most of those that are not known are made here. Some servers say so of a folder that is there.
  const unknown = new Set(unknownFolders(base, claims.map(({ target }) => target)));
  const isUnknown = ({ target }: Claim) => unknown.has(folderOf(target));
  const commands = [
    ...[...unknown].map((folder) => `CWD ${folder}`),
    ...foldersOf(base, claims).map(([folder]) => `MKD ${folder}`),
    ...claims.flatMap(({ item, staged }) => item.fileMode === null ? [] : [chmod(item.fileMode, staged)]),
    ...claims.flatMap((claim) => isUnknown(claim) ? [] : [question(base, claim.target)]),
  ];
  let replies: RepliesOf = () => null;
  const isSoon = claims.length <= SOON;
  const turn = await takeTurn(turnFolder(base, isSoon ? commands : [], (given) => replies = given), signal);
  await using stack = new AsyncDisposableStack();
  stack.use(turn);
  const told = isSoon ? replies : await command(base, commands, signal);
  const isMade = (folder: string) => !isYes(told(`CWD ${folder}`)) && isYes(told(`MKD ${folder}`));
  const made = new Set([...unknown].filter(isMade));
  for (const folder of unknown) base.known.add(folder);
  const rest = claims.filter((claim) => isUnknown(claim) && !made.has(folderOf(claim.target)));
  const asked = rest.length === 0 ? told : await command(base, rest.map(({ target }) => question(base, target)), signal);
  stack.move();
  return { turn, replies: (each) => told(each) ?? asked(each), made };
}

/** The folder of the turn, which is made together with the first `commands` that need it. */
function turnFolder(base: FtpBase, commands: readonly string[], onReplies: (replies: RepliesOf) => void): TurnFolder {
  const folder = pathOf(base, TURN);
  const [enter, make, exists] = [`CWD ${base.folder}`, `MKD ${folder}`, `RNFR ${folder}`];
  return {
    clock: base.context.system,
    timeoutMs: base.destination.timeoutMs,
    retryMs: RETRY_MS,
    async make(signal) {
      // What comes between RNFR and RNTO is refused by proftpd: it is the last.
      const replies = await command(base, [enter, make, ...commands, exists], signal);
      if (!isYes(replies(enter))) throw noBase(base, replies(enter), false);
      onReplies(replies);
      return isYes(replies(make)) ? "made" : isYes(replies(exists)) ? "taken" : "impossible";
    },
    names: async (signal) => (await namesIn(base, [folder], signal))[0]!,
    beat: (name, former, signal) =>
      command(base, [`MKD ${folder}/${name}`, ...former.map((each) => `RMD ${folder}/${each}`)], signal),
    remove: (names, signal) => command(base, removals(base, names), signal),
  };
}

/** The commands that give the turn back. */
function removals(base: FtpBase, names: readonly string[]): string[] {
  const folder = pathOf(base, TURN);
  return [...names.map((name) => `RMD ${folder}/${name}`), `RMD ${folder}`];
}

/** The command that is refused where nothing has the name. */
function question({ features }: FtpBase, target: string): string {
  return `${features.mlst ? "MLST" : "RNFR"} ${target}`;
}

/** Folders on the way to the names, with the mode that they get where they are made; outer ones first. */
function foldersOf(base: FtpBase, claims: readonly Claim[]): [string, number | null][] {
  const folders = new Map<string, number | null>();
  for (const { item } of claims) {
    for (const folder of ancestors(item.target)) folders.set(pathOf(base, folder), item.directoryMode);
  }
  const depth = (folder: string) => folder.split("/").length;
  return [...folders].sort(([a], [b]) => depth(a) - depth(b));
}

function modesOfFolders(base: FtpBase, claims: readonly Claim[], replies: RepliesOf): string[] {
  return foldersOf(base, claims).flatMap(([folder, mode]) =>
    mode !== null && isYes(replies(`MKD ${folder}`)) ? [chmod(mode, folder)] : []
  );
}

/** Those whose names nothing has; of several for one name, the first. */
function freeOf(base: FtpBase, claims: readonly Claim[], { replies, made }: Look): Claim[] {
  const seen = new Set<string>();
  return claims.filter(({ target }) => {
    const first = !seen.has(nameKey(target));
    seen.add(nameKey(target));
    if (!first || made.has(folderOf(target))) return first;
    return replies(question(base, target)) !== null && !isYes(replies(question(base, target)));
  });
}

/** The name was not to be had at once: does what the policy says. */
async function orWhy(base: FtpBase, claim: Claim, signal: AbortSignal): Promise<PublishOutcome> {
  signal.throwIfAborted();
  try {
    return { published: true, ...await giveTakenName(base, claim, signal) };
  } catch (error) {
    signal.throwIfAborted();
    // A lost connection leaves open whether something was done.
    if (!(error instanceof Failure) || !OWN.has(error.code)) throw error;
    return { published: false, failure: failureRecord(error) };
  }
}

/** What concerns one name. */
const OWN: ReadonlySet<string> = new Set(["exists", "name_refused", "mismatch", "permission_denied", "disk_full", "read_only"]);

async function giveTakenName(base: FtpBase, { item, staged, target }: Claim, signal: AbortSignal): Promise<{ former?: string }> {
  const [there, ours] = await look(base, [target, staged], signal);
  if (!ours) throw cannotWrite(item, base.where, "mismatch", "the file that was sent is no longer there", "It is sent again.");
  if (!there) {
    // Folders on the way may have been removed since they were made.
    const makes = ancestors(item.target).map((folder) => `MKD ${pathOf(base, folder)}`);
    const replies = await command(base, [...makes, `RNFR ${staged}`, `RNTO ${target}`, question(base, target)], signal);
    if (isYes(replies(`RNTO ${target}`)) && isYes(replies(question(base, target)))) return {};
    throw await whyRefused(base, { item, staged, target }, replies, signal);
  }
  return await resolveConflict(item, there.kind, base.where, {
    isSame: async () => {
      if (ours.kind !== "file" || there.kind !== "file" || ours.bytes !== there.bytes) return false;
      const [a, b] = await digest(base, [item.staged, item.target], signal);
      return Boolean(a && b && a.sha256 === b.sha256);
    },
    keepAs: (former) => keepAs(base, item, target, pathOf(base, former), signal),
    replace: () => replace(base, { item, staged, target }, signal),
  });
}

/** Its name is free for a moment then: FTP cannot give a file two. */
async function keepAs(base: FtpBase, item: Publication, target: string, former: string, signal: AbortSignal): Promise<boolean> {
  if ((await look(base, [former], signal))[0]) return false;
  const replies = await command(base, [`RNFR ${target}`, `RNTO ${former}`], signal);
  const reply = replies(`RNTO ${former}`);
  if (isYes(reply)) return true;
  const reason = `the former version cannot be kept (${reply ? replyText(reply) : "no answer"})`;
  throw cannotWrite(item, base.where, "permission_denied", reason, "Give the account there permission to rename.");
}

async function replace(base: FtpBase, { item, staged, target }: Claim, signal: AbortSignal): Promise<void> {
  const [from, to] = [`RNFR ${staged}`, `RNTO ${target}`];
  const first = await command(base, [from, to], signal);
  if (isYes(first(to))) return;
  // A server whose rename never replaces: the former file is moved away for a moment.
  const former = `${staged}.former`;
  const second = await command(base, [`RNFR ${target}`, `RNTO ${former}`, from, to], signal);
  if (!isYes(second(to))) {
    await command(base, [`RNFR ${former}`, `RNTO ${target}`], signal);
    throw await whyRefused(base, { item, staged, target }, first, signal);
  }
  await command(base, [`DELE ${former}`], signal);
}

async function whyRefused(
  base: FtpBase,
  { item, target }: Claim,
  replies: RepliesOf,
  signal: AbortSignal,
): Promise<Failure> {
  const folders = ancestors(item.target);
  const stats = await look(base, folders.map((folder) => pathOf(base, folder)), signal);
  const wrong = folders.find((_, index) => stats[index] && stats[index].kind !== "folder");
  if (wrong !== undefined) {
    return cannotWrite(
      item,
      base.where,
      "exists",
      `"${printable(wrong)}" is not a folder`,
      "Move away the file that is in the way.",
    );
  }
  await checkBase(base, signal);
  const missing = folders.find((_, index) => stats[index] === null);
  const reply = (missing === undefined ? null : replies(`MKD ${pathOf(base, missing)}`)) ?? replies(`RNTO ${target}`);
  const meaning = meaningOfReply(reply);
  const code = meaning?.code ?? "permission_denied";
  // Others go on where only this name, or its folder, is refused.
  if (code === "permission_denied") await tryToGiveNames(base, signal);
  return ofThisFile(cannotWrite(
    item,
    base.where,
    code,
    `${meaning?.reason ?? `the server refuses ${missing === undefined ? "this name" : `the folder "${printable(missing)}"`}`} (${
      reply ? replyText(reply) : "no answer"
    })`,
    meaning === null || meaning.code === "permission_denied" ? THIS_FOLDER : meaning.hint,
  ));
}

/** @throws {Failure} where no name can be given below the base path. The folder of the turn is ours, or shows that one can be made. */
async function tryToGiveNames(base: FtpBase, signal: AbortSignal): Promise<void> {
  const turn = pathOf(base, TURN);
  const replies = await command(base, [`MKD ${turn}`, `CWD ${turn}`], signal);
  if (isYes(replies(`MKD ${turn}`))) await command(base, [`RMD ${turn}`], signal);
  else if (!isYes(replies(`CWD ${turn}`))) throw refused(`write below ${base.where}`, replies(`MKD ${turn}`));
  await tryToWrite(base, signal);
}

const THIS_FOLDER = "Rename the file, change the layout, or give the account permission to make folders and files there.";
