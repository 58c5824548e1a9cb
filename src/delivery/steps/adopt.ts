/**
 * Finds out what stands at the targets already. What is proven equal to its source is taken for delivered without
 * being sent: after a crash, a lost answer, or a lost ledger.
 *
 * @module
 */
import { Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { type Receipt, verify } from "../../domain/receipt.ts";
import type { Stat } from "../../methods/method.ts";
import { hashSources } from "./check.ts";
import { decideExisting, worthHashing } from "./decide_existing.ts";
import { refuseNamesakes } from "./folded_names.ts";
import { type Batch, failureOf, giveUp, type Item, sizeOf, undecided } from "../batch.ts";

/** One round trip for all targets, a second one only where a file of the same size is there. */
export async function adoptExisting(batch: Batch, signal: AbortSignal): Promise<void> {
  const asked = undecided(batch.items);
  if (asked.length === 0) return;
  const stats = await batch.session.survey(asked.map(targetOf), signal);
  const there = asked.map((item, index) => ({ item, stat: stats[index] ?? null })).filter(({ stat }) => stat);
  if (there.length > 0) await decide(there, batch, signal);
}

interface Occupied {
  readonly item: Item;
  readonly stat: Stat | null;
}

async function decide(there: readonly Occupied[], batch: Batch, signal: AbortSignal): Promise<void> {
  const { context: { destination, system }, session } = batch;
  const alike = there.filter(({ item, stat }) => worthHashing(stat, item.delivery.source.size)).map(({ item }) => item);
  await hashSources(alike, batch.context, signal);
  const hashed = alike.filter((item) => item.sha256 !== null);
  const digests = hashed.length === 0 ? [] : await session.digest(hashed.map(targetOf), sizeOf(hashed), signal);
  const adopted: Adopted[] = [];
  const foundOf = new Map(hashed.map((item, index) => [item, digests[index] ?? null]));

  for (const { item, stat } of there) {
    if (item.outcome !== null) continue;
    const sent = { bytes: item.delivery.source.size, sha256: item.sha256 };
    const target = printable(targetOf(item));
    const decision = decideExisting({ target, stat, found: foundOf.get(item) ?? null, sent }, destination.onConflict);
    if (stat?.identity !== undefined && stat.identity === item.delivery.source.identity) {
      giveUp(item, itself(item, destination.name));
    } else if (decision.decision === "adopt") {
      adopted.push({ item, receipt: verify(sent, decision.found, session.proof, system.now()) });
    } else if (decision.decision === "refuse") {
      const { code, message, hint } = decision.failure;
      const what = `Cannot send "${printable(item.delivery.source.path)}" to ${destination.name}`;
      giveUp(item, new Failure(code, `${what}: ${message}`, { hint }));
    }
  }
  const same = new Set(adopted.map(({ item }) => item));
  await refuseNamesakes(there.filter(({ item }) => !same.has(item)), batch, signal);
  await adopt(adopted, batch, signal);
}

interface Adopted {
  readonly item: Item;
  readonly receipt: Receipt;
}

async function adopt(adopted: readonly Adopted[], { session }: Batch, signal: AbortSignal): Promise<void> {
  if (adopted.length === 0) return;
  // Nobody knows whether it has reached the disk: whoever named it may have been cut off before.
  await session.flush(adopted.map(({ item }) => targetOf(item)), signal);
  for (const { item, receipt } of adopted) item.outcome = { receipt };
}

/**
 * What is gone at its source may have arrived before: its publication's answer was lost, and then somebody removed the source.
 * The remembered hash tells.
 */
export async function adoptGone(batch: Batch, signal: AbortSignal): Promise<void> {
  const gone = batch.items.filter((item) => item.sha256 !== null && failureOf(item)?.code === "source_gone");
  if (gone.length === 0) return;
  try {
    await adoptArrived(gone, batch, signal);
  } catch (error) {
    // Nobody could be asked: it is not known that they did not arrive.
    for (const item of gone) item.outcome = { failure: failureRecord(error) };
    throw error;
  }
}

async function adoptArrived(gone: readonly Item[], batch: Batch, signal: AbortSignal): Promise<void> {
  const { context: { destination, system }, session } = batch;
  const stats = await session.survey(gone.map(targetOf), signal);
  const alike = gone.filter((item, index) => worthHashing(stats[index] ?? null, item.delivery.source.size));
  if (alike.length === 0) return;
  const digests = await session.digest(alike.map(targetOf), sizeOf(alike), signal);
  const adopted = alike.flatMap((item, index): Adopted[] => {
    const sent = { bytes: item.delivery.source.size, sha256: item.sha256 };
    const stat = { bytes: sent.bytes, kind: "file" as const };
    const existing = { target: targetOf(item), stat, found: digests[index] ?? null, sent };
    const decision = decideExisting(existing, destination.onConflict);
    if (decision.decision !== "adopt") return [];
    return [{ item, receipt: verify(sent, decision.found, session.proof, system.now()) }];
  });
  await adopt(adopted, batch, signal);
}

/** A second name of the source is no copy: it would go, or be written into, with it. */
function itself({ delivery }: Item, destination: string): Failure {
  const what = `Cannot send "${printable(delivery.source.path)}" to ${destination}`;
  return new Failure("exists", `${what}: "${printable(delivery.target)}" there is this very file`, {
    hint: "remote_base_path may lead into watch_path, or somebody created a link. Correct the path, or remove the link.",
  });
}

function targetOf(item: Item): string {
  return item.delivery.target;
}
