/**
 * Removes delivered files from one destination, because their sources were deleted: only those whose bytes there are still the
 * delivered ones, and that no other delivery has put there as well.
 *
 * @module
 */
import ms from "ms";
import { chunks } from "../../domain/chunks.ts";
import type { Delivery } from "../../domain/delivery.ts";
import { type Destination, serverOf } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import type { MirrorLedger } from "../../ledger/mirror_ledger.ts";
import { inTrash } from "../../methods/removal.ts";
import type { System } from "../../system/system.ts";
import { crashPoint } from "../crash_point.ts";
import type { Outbox } from "../outbox.ts";
import type { OutboxSystem } from "../destination_context.ts";

/** What removing needs. */
export interface RemovingTools {
  readonly system: OutboxSystem & Pick<System, "facts" | "now">;
  readonly ledger: MirrorLedger;
  readonly emit: Emit;
  /** All destinations of all jobs: some may have the same folder. */
  readonly everywhere: () => readonly Destination[];
}

type Session = NonNullable<ReturnType<Outbox["session"]>>;

/** The removals that were found for a destination. */
export interface Removing {
  readonly outbox: Outbox;
  readonly session: Session;
  readonly deliveries: readonly Delivery[];
  /** The folder of the trash; null removes for good. */
  readonly folder: string | null;
}

const AT_ONCE = 200;

/** Removes them; returns how many were. @throws {Failure} what the destination says: what was not recorded is looked at again. */
export async function removeThere(removing: Removing, tools: RemovingTools, signal: AbortSignal): Promise<number> {
  const { outbox: { destination } } = removing;
  const claimed = claimedByOthers(removing.deliveries, destination, tools);
  let removed = 0;
  for (const some of chunks(removing.deliveries, AT_ONCE)) {
    signal.throwIfAborted();
    removed += await removeSome({ ...removing, deliveries: some }, claimed, tools, signal);
  }
  return removed;
}

/** What is known of a removal at its end; null where it is looked at again. */
interface Ended {
  readonly delivery: Delivery;
  readonly message: string;
  readonly hint?: string;
}

async function removeSome(
  { outbox, session, deliveries, folder }: Removing,
  claimed: ReadonlySet<string>,
  tools: RemovingTools,
  signal: AbortSignal,
): Promise<number> {
  const { system, ledger, emit } = tools;
  const { destination } = outbox;
  const ended: Ended[] = [];
  const leave = (delivery: Delivery, why: string) => {
    emit({
      type: "notice",
      level: "warning",
      message: `${quoted(delivery)} was deleted, but stays at ${destination.name}: ${why}`,
    });
    ended.push({ delivery, message: `It was deleted at the source, but stays at ${destination.name}: ${why}` });
  };
  // Nothing of ours may be given one of these names meanwhile.
  using reserved = outbox.reserve(deliveries.map(({ target }) => target));
  const mine: Delivery[] = [];
  for (const delivery of deliveries) {
    if (!reserved.has(delivery.target)) continue;
    if (claimed.has(delivery.target)) leave(delivery, "another delivered file has the same name there");
    else mine.push(delivery);
  }
  const bytes = mine.reduce((sum, { source }) => sum + source.size, 0);
  const found = await session.digest(mine.map(({ target }) => target), bytes, signal);
  const same: Delivery[] = [];
  mine.forEach((delivery, index) => {
    const { source, state } = delivery;
    const digest = found[index];
    if (digest == null) {
      ended.push({ delivery, message: `It was deleted at the source, and was no longer at ${destination.name}` });
    } else if (state.state === "delivered" && digest.bytes === source.size && digest.sha256 === state.receipt.sha256) {
      same.push(delivery);
    } else leave(delivery, "it was changed there since it was delivered. Remove it yourself if it is not needed");
  });
  // Hashing may have taken long: a source that is there again keeps its copy.
  const gone: Delivery[] = [];
  for (const delivery of same) if (await isGone(delivery, system)) gone.push(delivery);
  const items = gone.map(({ target, source }) => ({
    path: target,
    bytes: source.size,
    to: folder === null ? null : inTrash(folder, target),
  }));
  crashPoint("before_removal", system);
  const outcomes = await session.remove(items, signal);
  crashPoint("after_removal", system);
  let removed = 0;
  gone.forEach((delivery, index) => {
    const outcome = outcomes[index];
    if (outcome?.removed) {
      removed += 1;
      const to = items[index]?.to ?? null;
      ended.push(to === null ? forGood(delivery, destination) : toTrash(delivery, destination, to));
      const where = to === null ? "" : `; it is kept as "${printable(to)}" for ${span(destination)}`;
      emit({ type: "removed_there", delivery, where });
    } else if (outcome !== undefined) leave(delivery, outcome.failure.message);
  });
  ledger.recordRemovals(ended.map(({ delivery: { id }, message, hint = "" }) => ({ id, message, hint })), system.now());
  return removed;
}

function forGood(delivery: Delivery, { name }: Destination): Ended {
  return { delivery, message: `It was deleted at the source, and removed at ${name}` };
}

function toTrash(delivery: Delivery, destination: Destination, to: string): Ended {
  const path = printable(`${destination.basePath.replace(/\/$/, "")}/${to}`);
  return {
    delivery,
    message: `It was deleted at the source, and removed at ${destination.name}, where it lies in "${path}" for ${
      span(destination)
    }`,
    hint: "To restore it, move it back from there: to the watched folder, or to its place at the destination.",
  };
}

function span({ keepDeletedMs }: Destination): string {
  return ms(keepDeletedMs, { long: true });
}

/** The source's name leads nowhere, while its folder can be looked at. */
async function isGone({ source }: Delivery, system: Pick<System, "facts">): Promise<boolean> {
  return await system.facts(source.absolutePath).then((facts) => facts === null, () => false);
}

/** Targets that other deliveries have, or will have: of this destination, and of all that may have the same folder. */
function claimedByOthers(
  deliveries: readonly Delivery[],
  destination: Destination,
  { ledger, everywhere }: RemovingTools,
): ReadonlySet<string> {
  // Former versions of a file had its name as well.
  const keyOf = ({ source: { job, path } }: Pick<Delivery, "source">, at: string) => JSON.stringify([job, at, path]);
  const mine = new Set(deliveries.map((delivery) => keyOf(delivery, destination.name)));
  const claimed = new Set<string>();
  const here = folderOf(destination);
  for (const other of everywhere()) {
    if (hostOf(other) !== hostOf(destination)) continue;
    const there = folderOf(other);
    // The same place, seen from the other base path.
    const wanted = new Map(
      deliveries.map(({ target }) => `${here}${target}`).filter((path) => path.startsWith(there))
        .map((path) => [path.slice(there.length), path.slice(here.length)]),
    );
    if (wanted.size === 0) continue;
    for (const claimant of ledger.claimants(other.job, other.name, [...wanted.keys()])) {
      if (!mine.has(keyOf(claimant, other.name))) claimed.add(wanted.get(claimant.target)!);
    }
  }
  return claimed;
}

function hostOf({ transport }: Destination): string {
  return serverOf(transport)?.toLowerCase() ?? "";
}

function folderOf({ basePath }: Destination): string {
  return `${basePath.replace(/\/+$/, "")}/`;
}

function quoted({ source }: Delivery): string {
  return `"${printable(source.absolutePath)}"`;
}
