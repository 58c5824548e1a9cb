/**
 * Removes delivered files from one destination, because their sources were deleted: only those whose bytes there are still the
 * delivered ones, and that no other delivery has put there as well.
 */
import ms from "ms";
import { chunks } from "../../domain/chunks.ts";
import type { Delivery } from "../../domain/delivery.ts";
import { type Destination, serverOf } from "../../config/settings.ts";
import { Failure, type FailureRecord, isOutage } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import type { OutboxLedger } from "../../ledger/outbox_ledger.ts";
import { inTrash } from "../../methods/removal.ts";
import type { System } from "../../system/system.ts";
import { crashPoint } from "../crash_point.ts";
import { demandKnownPlace } from "../mount.ts";
import type { Outbox } from "../outbox.ts";
import { lookThere, removalsTo } from "./replaced.ts";
import { nameKey } from "../../domain/names/file_name.ts";

export interface RemovingTools {
  readonly system: System;
  readonly ledger: OutboxLedger;
  readonly emit: Emit;
  /** All destinations of all jobs: some may have the same folder. */
  readonly everywhere: () => readonly Destination[];
}

const AT_ONCE = 200;

interface Ended {
  readonly delivery: Delivery;
  readonly message: string;
  readonly hint?: string;
}

/**
 * Removes these from the destination of an outbox; returns how many were. `folder` is one of the trash; null removes for good.
 *
 * @throws {Failure} what the destination says: what was not recorded is looked at again.
 */
export async function removeThere(
  { outbox: { destination, reserve }, session, deliveries: all, folder }: {
    readonly outbox: Outbox;
    readonly session: NonNullable<ReturnType<Outbox["session"]>>;
    readonly deliveries: readonly Delivery[];
    readonly folder: string | null;
  },
  { system, ledger, emit, everywhere }: RemovingTools,
  signal: AbortSignal,
): Promise<number> {
  let removed = 0;
  for (const some of chunks(all, AT_ONCE)) {
    signal.throwIfAborted();
    removed += await removeSome(some);
  }
  return removed;

  async function removeSome(some: readonly Delivery[]): Promise<number> {
    const ended: Ended[] = [];
    const leave = (delivery: Delivery, why: string) => {
      const source = printable(delivery.source.absolutePath);
      emit({ type: "notice", level: "warning", message: `"${source}" was deleted, but stays at ${destination.name}: ${why}` });
      ended.push({ delivery, message: `It was deleted at the source, but stays at ${destination.name}: ${why}` });
    };
    // Nothing of ours may be given one of these names meanwhile.
    using reserved = reserve(some.map(({ target }) => target));
    const free = some.filter(({ target }) => reserved.has(target));
    const claimed = await claimedByOthers(free);
    for (const delivery of free) {
      if (claimed.has(delivery.target)) leave(delivery, "another delivered file has the same name there");
    }
    const looked = await lookThere(free.filter(({ target }) => !claimed.has(target)), session, signal);
    ended.push(...await findAbsent(looked.absent));
    for (const delivery of looked.changed) {
      leave(delivery, "it was changed there since it was delivered. Remove it yourself if it is not needed");
    }
    // Hashing may have taken long: a source that is there again keeps its copy.
    const gone: Delivery[] = [];
    for (const delivery of looked.same) {
      if (await system.facts(delivery.source.absolutePath).then((facts) => facts === null, () => false)) gone.push(delivery);
    }
    const items = removalsTo(folder, gone);
    crashPoint("before_removal", system);
    const outcomes = await session.remove(items, signal);
    crashPoint("after_removal", system);
    let outage: FailureRecord | undefined;
    gone.forEach((delivery, index) => {
      const [outcome, to = null] = [outcomes[index], items[index]?.to];
      // Not for ever: it is looked at again when the destination is back.
      if (outcome && !outcome.removed && isOutage(outcome.failure) && outcome.failure.code !== "permission_denied") {
        return void (outage ??= outcome.failure);
      }
      if (!outcome?.removed) return outcome && leave(delivery, outcome.failure.message);
      const forGood = { delivery, message: `It was deleted at the source, and removed at ${destination.name}` };
      ended.push(to === null ? forGood : toTrash(delivery, destination, to));
      const where = to === null ? "" : `; it is kept as "${printable(to)}" for ${span(destination)}`;
      emit({ type: "removed_there", delivery, where });
    });
    ledger.recordRemovals(ended.map(({ delivery: { id }, message, hint = "" }) => ({ id, message, hint })), system.now());
    if (outage !== undefined) throw new Failure(outage.code, outage.message, outage);
    return outcomes.filter(({ removed }) => removed).length;
  }

  /**
   * Of what was not found, what is not there now either, when the right disk is known to be mounted: it may have been away for a moment.
   * It may also have been moved to the trash by a process that ended before it could record it.
   */
  async function findAbsent(missed: readonly Delivery[]): Promise<Ended[]> {
    if (missed.length === 0) return [];
    await demandKnownPlace(session, { destination, ledger }, signal);
    const now = await session.survey(missed.map(({ target }) => target), signal);
    const absent = missed.filter((_, index) => now[index] === null);
    const ended = new Map<Delivery, Ended>(
      absent.map((delivery) => [
        delivery,
        { delivery, message: `It was deleted at the source, and was no longer at ${destination.name}` },
      ]),
    );
    const folders = absent.length === 0 ? [] : ledger.trash(destination.job, destination.name).slice(-LAST_FOLDERS);
    for (const { folder } of folders) {
      const paths = absent.map(({ target }) => inTrash(folder, target));
      const stats = await session.survey(paths, signal);
      absent.forEach((delivery, index) => {
        if (stats[index]?.bytes === delivery.source.size) ended.set(delivery, toTrash(delivery, destination, paths[index]!));
      });
    }
    return [...ended.values()];
  }

  /**
   * Targets of these deliveries that belong to other ones as well: of this destination, and of all that may have the same folder. Names that
   * the destination takes for one count as one.
   */
  async function claimedByOthers(deliveries: readonly Delivery[]): Promise<ReadonlySet<string>> {
    const claims = claimsOf(deliveries);
    const alone = deliveries.map(({ target }) => target).filter((target) => !claims.get(target)?.has(target));
    const doubtful = alone.flatMap((target) => {
      const spelled = claims.get(target);
      return spelled === undefined ? [] : [{ target, other: unclaimedSpelling(target, spelled) }];
    });
    const asked = doubtful.filter(({ other }) => other !== null);
    const stats = asked.length === 0 ? [] : await session.survey(asked.map(({ other }) => other!), signal);
    // A spelling that nobody has used leads to a file only where the destination takes several for one.
    const distinct = new Set(asked.filter((_, index) => stats[index] === null).map(({ target }) => target));
    return new Set([...claims.keys()].filter((target) => !distinct.has(target)));
  }

  /** By target, how other deliveries spell its name; none where nobody has it in any spelling. */
  function claimsOf(deliveries: readonly Delivery[]): Map<string, Set<string>> {
    // Former versions of a file had its name as well; those that are removed together claim nothing from each other.
    const keyOf = ({ source: { job, path } }: Pick<Delivery, "source">, at: string) => JSON.stringify([job, at, path]);
    const mine = new Set(all.map((delivery) => keyOf(delivery, destination.name)));
    const claims = new Map<string, Set<string>>();
    const here = folderOf(destination);
    for (const other of everywhere()) {
      if (hostOf(other) !== hostOf(destination)) continue;
      const there = folderOf(other);
      // The same place, seen from the other base path.
      const wanted = deliveries.map(({ target }) => ({ target, path: `${here}${target}` }))
        .filter(({ path }) => path.startsWith(there)).map(({ target, path }) => ({ target, seen: path.slice(there.length) }));
      if (wanted.length === 0) continue;
      const targetsOf = Map.groupBy(wanted, ({ seen }) => nameKey(seen));
      for (const claimant of ledger.claimants(other.job, other.name, wanted.map(({ seen }) => seen))) {
        if (mine.has(keyOf(claimant, other.name))) continue;
        for (const { target, seen } of targetsOf.get(nameKey(claimant.target)) ?? []) {
          const spelled = seen === claimant.target ? target : `${there}${claimant.target}`.slice(here.length);
          claims.set(target, (claims.get(target) ?? new Set()).add(spelled));
        }
      }
    }
    return claims;
  }
}

/** The folders of the trash that the last removals may have been made into. */
const LAST_FOLDERS = 3;

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

/** The same name with the case of one letter changed; null where that tells nothing: accents may be the only difference. */
function unclaimedSpelling(target: string, claimed: ReadonlySet<string>): string | null {
  const composed = target.normalize();
  if ([...claimed].some((other) => other.normalize() === composed)) return null;
  for (let at = target.length - 1; at > target.lastIndexOf("/"); at--) {
    const letter = target.charAt(at);
    const swapped = letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase();
    const other = target.slice(0, at) + swapped + target.slice(at + 1);
    if (other !== target && nameKey(other) === nameKey(target) && !claimed.has(other)) return other;
  }
  return null;
}

function hostOf({ transport }: Destination): string {
  return serverOf(transport)?.toLowerCase() ?? "";
}

function folderOf({ basePath }: Destination): string {
  return `${basePath.replace(/\/+$/, "")}/`;
}
