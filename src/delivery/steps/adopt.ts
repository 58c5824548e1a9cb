/**
 * Adopts what the targets hold already: a file that is verified equal to its source counts as delivered (after a crash, a lost
 * answer, or a lost ledger). For anything else the conflict policy decides whether the file is sent.
 */
import { Failure, failureRecord } from "../../domain/failure.ts";
import type { ConflictPolicy } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import { type Digest, verify } from "../../domain/receipt.ts";
import type { Stat } from "../../methods/method.ts";
import { stagingOf } from "../../methods/links.ts";
import { isMirror, takeReplaced } from "../mirror/replaced.ts";
import { type Batch, failureOf, giveUp, type Item, sizeOf, undecided } from "../batch.ts";
import { hashSources } from "./check.ts";
import { otherSpellings } from "../../domain/names/file_name.ts";

/** An item whose target is taken; `found` is null where no hash was needed to tell that it is something else. */
interface Occupied {
  readonly item: Item;
  readonly stat: Stat;
  readonly found: Digest | null;
}

/** One round trip for all targets, a second one only where a file of the same size is there. */
export async function adoptExisting(batch: Batch, signal: AbortSignal): Promise<void> {
  const { name, onConflict } = batch.context.destination;
  const items = undecided(batch.items);
  const occupied = await lookAt(items, batch, signal, items[0] && stagingOf([items[0]]));
  const [same, different] = [occupied.filter(isCopy), occupied.filter((one) => !isCopy(one))];
  for (const { item, stat } of different) {
    const what = `Cannot send "${printable(item.delivery.source.path)}" to ${name}`;
    const refusal = refusalOf(item, stat, onConflict);
    if (refusal) giveUp(item, new Failure(refusal.code, `${what}: ${refusal.reason}`, { hint: refusal.hint }));
  }
  await refuseNamesakes(different, batch, signal);
  await adopt(same, batch, signal);
}

/**
 * A file that is gone at its source may have arrived before that, if the answer to its publication was lost. The remembered hash
 * shows it.
 */
export async function adoptGone(batch: Batch, signal: AbortSignal): Promise<void> {
  const gone = batch.items.filter((item) => item.sha256 !== null && failureOf(item)?.code === "source_gone");
  try {
    await adopt((await lookAt(gone, batch, signal)).filter(hasSameBytes), batch, signal);
  } catch (error) {
    // The destination did not answer: they may have arrived.
    for (const item of gone) item.outcome = { failure: failureRecord(error) };
    throw error;
  }
}

/** The items whose targets are taken; hashed at both ends if the sizes are equal. */
async function lookAt(
  items: readonly Item[],
  { context, session, writers }: Batch,
  signal: AbortSignal,
  staging?: string,
): Promise<Occupied[]> {
  if (items.length === 0) return [];
  const stats = await session.survey(items.map(targetOf), signal, staging);
  const alike = items.filter(({ delivery }, index) => {
    const stat = stats[index];
    return stat?.kind === "file" && stat.bytes === delivery.source.size;
  });
  if (alike.some(({ sha256 }) => sha256 === null)) await writers.over();
  await hashSources(alike, context, signal);
  const hashed = alike.filter((item) => item.sha256 !== null);
  const digests = hashed.length === 0 ? [] : await session.digest(hashed.map(targetOf), sizeOf(hashed), signal);
  const foundOf = new Map(hashed.map((item, index) => [item, digests[index] ?? null]));
  return items.flatMap((item, index) => {
    const stat = stats[index];
    return stat ? [{ item, stat, found: foundOf.get(item) ?? null }] : [];
  });
}

function hasSameBytes({ item, found }: Occupied): boolean {
  return found !== null && found.bytes === item.delivery.source.size && found.sha256 === item.sha256;
}

function isCopy(one: Occupied): boolean {
  return hasSameBytes(one) && !isItself(one.item, one.stat);
}

/** A second name of the source is not a copy: it would change, or lose its data, with the source. */
function isItself({ delivery }: Item, { identity }: Stat): boolean {
  return identity !== undefined && identity === delivery.source.identity;
}

async function adopt(same: readonly Occupied[], batch: Batch, signal: AbortSignal): Promise<void> {
  const { context: { system, unflushed, begun }, session } = batch;
  const copies = same.filter(({ item }) => !unflushed.has(targetOf(item)));
  if (copies.length === 0) return;
  const receipts = copies.map(({ item, found }) =>
    verify({ bytes: item.delivery.source.size, sha256: item.sha256 }, found, session.proof, system.now())
  );
  // It may not be on the disk yet: whoever renamed it may have been interrupted before flushing.
  const flushed = await areFlushed(copies.map(({ item }) => targetOf(item)), batch, signal);
  // A file behind the link of another account is sent, and refused by name; the others are as good as before.
  if (flushed === "link" && copies.length > 1) { for (const one of copies) await adopt([one], batch, signal); }
  if (flushed !== true) return;
  // What this installation has begun to send may have replaced another version, though nobody heard of it.
  const replacing = isMirror(batch.context) ? copies.filter(({ item }) => begun.has(item.delivery.id)) : [];
  await takeReplaced(replacing.map(({ item }) => ({ item, former: null })), batch, signal);
  copies.forEach(({ item }, index) => {
    const receipt = receipts[index]!;
    // What this installation has begun to send it has sent, though nobody heard that it arrived.
    item.outcome = begun.has(item.delivery.id) ? { receipt } : { receipt, found: true };
  });
}

/**
 * Flushes these targets. If that fails none of them is adopted, now or later: Linux tells of an error of the disk only once (fsync(2)), and
 * not even a flush of each would tell now whose it was. They are sent, and our flushed copies take their places.
 *
 * @throws what the flush said, where nothing of them can be found either: then the destination is away.
 */
async function areFlushed(
  targets: readonly string[],
  { context, session }: Batch,
  signal: AbortSignal,
): Promise<boolean | "link"> {
  const { destination, emit, unflushed } = context;
  // Remembered before it is asked: where the connection or this process ends first, nobody has heard the only answer.
  unflushed.add(targets);
  try {
    await session.flush(targets, signal);
  } catch (error) {
    if (error instanceof Failure && error.code === "link_refused") {
      unflushed.forget(targets);
      return "link";
    }
    const stats = await session.survey(targets, signal).catch(() => []);
    const there = targets.filter((_, index) => stats[index]);
    if (there.length === 0) throw error;
    const what = there.length === 1 ? `"${printable(there[0]!)}"` : `${there.length} files`;
    const message =
      `Found ${what} at ${destination.name} with the right content, but perhaps not on the disk, so not taken for ` +
      `delivered: ${failureRecord(error).message}`;
    emit({ type: "notice", level: "warning", message });
    return false;
  }
  unflushed.forget(targets);
  return true;
}

/** Why nothing may be sent to a target that holds something different; null where it may. */
function refusalOf(
  item: Item,
  stat: Stat,
  policy: ConflictPolicy,
): { code: "exists" | "skipped"; reason: string; hint: string } | null {
  const target = printable(targetOf(item));
  if (isItself(item, stat)) {
    const hint = "remote_base_path may lead into watch_path, or somebody created a link. Correct the path, or remove the link.";
    return { code: "exists", reason: `"${target}" there is this very file`, hint };
  }
  if (stat.kind === "folder") {
    const hint = "Move the folder away, or change the layout, then retry.";
    return { code: "exists", reason: `a folder has the name "${target}"`, hint };
  }
  if (policy === "version" || policy === "overwrite") return null;
  const reason = `a different file exists there and on_conflict is ${policy}`;
  return policy === "skip"
    ? { code: "skipped", reason, hint: "Nothing was changed there. on_conflict: version keeps both." }
    : { code: "exists", reason, hint: "Rename or remove the existing file, then retry. on_conflict: version keeps both." };
}

function targetOf(item: Item): string {
  return item.delivery.target;
}

/** Gives up items whose name belongs to another delivered file there. Asks further only if another spelling finds a file. */
async function refuseNamesakes(
  taken: readonly { readonly item: Item; readonly stat: Stat }[],
  batch: Batch,
  signal: AbortSignal,
): Promise<void> {
  if (batch.context.destination.onConflict !== "overwrite") return;
  const files = taken.filter(({ item, stat }) => item.outcome === null && stat.kind === "file");
  const spelled = files.flatMap(({ item, stat }) =>
    otherSpellings(item.delivery.target).map((other) => ({ item, bytes: stat.bytes, other }))
  );
  if (spelled.length === 0) return;
  const found = await batch.session.survey(spelled.map(({ other }) => other), signal);
  const alike = spelled.filter(({ bytes }, index) => found[index]?.kind === "file" && found[index]?.bytes === bytes);
  for (const item of new Set(alike.map(({ item }) => item))) {
    const { source, target, destination } = item.delivery;
    const [namesake] = batch.context.ledger.namesakes(source.job, destination, target);
    if (namesake === undefined) continue;
    const [mine, other] = await batch.session.digest([target, namesake], 2 * source.size, signal);
    if (mine == null || other == null || mine.sha256 !== other.sha256) continue;
    const names = `"${printable(target)}" and "${printable(namesake)}"`;
    const what = `Cannot send "${printable(source.path)}" to ${destination}`;
    const hint = "Rename one of the two, or set on_conflict: version, which keeps both.";
    giveUp(item, new Failure("exists", `${what}: ${names} are the same name there, and the latter would be lost`, { hint }));
  }
}
