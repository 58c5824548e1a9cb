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
import { hashSources } from "./check_source.ts";
import { decideExisting, worthHashing } from "./decide_existing.ts";
import { refuseNamesakes } from "./folded_names.ts";
import { guarded } from "../guarded.ts";
import { asking, hashing } from "./prove.ts";
import { giveUp, type Item, open, type Way } from "../way.ts";

/** One round for all targets, a second one only where a file of the same size is there. */
export async function adoptExisting(items: readonly Item[], way: Way, signal: AbortSignal): Promise<void> {
  const asked = open(items);
  if (asked.length === 0) return;
  const stats = await guarded(asking(way), signal, (end) => way.session.survey(asked.map(targetOf), end));
  const there = asked.map((item, index) => ({ item, stat: stats[index] ?? null })).filter(({ stat }) => stat);
  if (there.length > 0) await decide(there, way, signal);
}

interface Occupied {
  readonly item: Item;
  readonly stat: Stat | null;
}

async function decide(there: readonly Occupied[], way: Way, signal: AbortSignal): Promise<void> {
  const alike = there.filter(({ item, stat }) => worthHashing(stat, item.delivery.source.size)).map(({ item }) => item);
  await hashSources(alike, way, signal);
  const hashed = alike.filter((item) => item.sha256 !== null);
  const digests = hashed.length === 0
    ? []
    : await guarded(hashing(hashed, way), signal, (end) => way.session.digest(hashed.map(targetOf), end));
  const adopted: Adopted[] = [];
  const foundOf = new Map(hashed.map((item, index) => [item, digests[index] ?? null]));

  for (const { item, stat } of there) {
    if (item.outcome !== null) continue;
    const sent = { bytes: item.delivery.source.size, sha256: item.sha256 };
    const target = printable(targetOf(item));
    const decision = decideExisting({ target, stat, found: foundOf.get(item) ?? null, sent }, way.destination.onConflict);
    if (stat?.identity !== undefined && stat.identity === item.delivery.source.identity) {
      giveUp(item, itself(item, way));
    } else if (decision.decision === "adopt") {
      adopted.push({ item, receipt: verify(sent, decision.found, way.session.proof, way.system.now()) });
    } else if (decision.decision === "refuse") {
      const { code, message, hint } = decision.failure;
      const what = `Cannot send "${printable(item.delivery.source.path)}" to ${way.destination.name}`;
      giveUp(item, new Failure(code, `${what}: ${message}`, { hint }));
    }
  }
  const same = new Set(adopted.map(({ item }) => item));
  await refuseNamesakes(there.filter(({ item }) => !same.has(item)), way, signal);
  await adopt(adopted, way, signal);
}

interface Adopted {
  readonly item: Item;
  readonly receipt: Receipt;
}

async function adopt(adopted: readonly Adopted[], way: Way, signal: AbortSignal): Promise<void> {
  if (adopted.length === 0) return;
  // Nobody knows whether it has reached the disk: whoever named it may have been cut off before.
  const guard = { ...asking(way), what: `flush files at ${way.destination.name}` };
  await guarded(guard, signal, (end) => way.session.flush(adopted.map(({ item }) => targetOf(item)), end));
  for (const { item, receipt } of adopted) item.outcome = { receipt };
}

/**
 * What is gone at its source may have arrived before: its publication's answer was lost, and then somebody removed the source.
 * The remembered hash tells.
 */
export async function adoptGone(items: readonly Item[], way: Way, signal: AbortSignal): Promise<void> {
  const gone = items.filter(({ sha256, outcome }) =>
    sha256 !== null && outcome !== null && "failure" in outcome && outcome.failure.code === "source_gone"
  );
  if (gone.length === 0) return;
  try {
    await adoptArrived(gone, way, signal);
  } catch (error) {
    // Nobody could be asked: it is not known that they did not arrive.
    for (const item of gone) item.outcome = { failure: failureRecord(error) };
    throw error;
  }
}

async function adoptArrived(gone: readonly Item[], way: Way, signal: AbortSignal): Promise<void> {
  const stats = await guarded(asking(way), signal, (end) => way.session.survey(gone.map(targetOf), end));
  const alike = gone.filter((item, index) => worthHashing(stats[index] ?? null, item.delivery.source.size));
  if (alike.length === 0) return;
  const digests = await guarded(hashing(alike, way), signal, (end) => way.session.digest(alike.map(targetOf), end));
  const { onConflict } = way.destination;
  const adopted = alike.flatMap((item, index): Adopted[] => {
    const sent = { bytes: item.delivery.source.size, sha256: item.sha256 };
    const stat = { bytes: sent.bytes, kind: "file" as const };
    const decision = decideExisting({ target: targetOf(item), stat, found: digests[index] ?? null, sent }, onConflict);
    if (decision.decision !== "adopt") return [];
    return [{ item, receipt: verify(sent, decision.found, way.session.proof, way.system.now()) }];
  });
  await adopt(adopted, way, signal);
}

/** A second name of the source is no copy: it would go, or be written into, with it. */
function itself({ delivery }: Item, way: Way): Failure {
  const what = `Cannot send "${printable(delivery.source.path)}" to ${way.destination.name}`;
  return new Failure("exists", `${what}: "${printable(delivery.target)}" there is this very file`, {
    hint: "remote_base_path may lead into watch_path, or somebody created a link. Correct the path, or remove the link.",
  });
}

function targetOf(item: Item): string {
  return item.delivery.target;
}
