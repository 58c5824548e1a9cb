/**
 * What a mirror replaces by a newer version goes where removed files go: to the trash, or for good. Publishing keeps it beside the newer
 * one first, so no name is ever without its file; only what was delivered under that name before is taken away from there.
 */
import ms from "ms";
import type { Destination } from "../../config/settings.ts";
import type { Delivery } from "../../domain/delivery.ts";
import { failureRecord, isOutage } from "../../domain/failure.ts";
import { formerName } from "../../domain/names/file_name.ts";
import { printable } from "../../domain/names/printable.ts";
import { type MirrorState, NEW_MIRROR, type OutboxLedger } from "../../ledger/outbox_ledger.ts";
import { inTrash, trashFolder } from "../../methods/removal.ts";
import type { Batch, Item } from "../batch.ts";
import type { DestinationContext } from "../destination_context.ts";
import type { TimedSession } from "../timed_session.ts";

export interface Replaced {
  readonly item: Item;
  /** The name that the replaced version was kept under; null where nobody has heard of one. */
  readonly former: string | null;
}

export function isMirror({ destination }: Pick<DestinationContext, "destination">): boolean {
  return destination.deleteDestinationFiles && destination.onConflict === "version";
}

/** Takes away the versions that these have replaced. @throws {Failure} of the destination as a whole: it has to be done again. */
export async function takeReplaced(
  replaced: readonly Replaced[],
  { context, session }: Pick<Batch, "context" | "session">,
  signal: AbortSignal,
): Promise<void> {
  const { ledger, system, emit, destination } = context;
  const { job, name, keepDeletedMs } = destination;
  const tell = (level: "info" | "warning", message: string) => emit({ type: "notice", level, message });
  const candidates = replaced.flatMap(({ item, former }) => {
    const before = ledger.replacedBy(item.delivery);
    const names = former !== null ? [former] : FIRST.map((number) => formerName(item.delivery.target, number));
    return before === null ? [] : names.map((name): Delivery => ({ ...before, target: name }));
  });
  if (candidates.length === 0) return;
  try {
    const { same } = await lookThere(candidates, session, signal);
    if (same.length === 0) return;
    const { clockMs } = clockAt(ledger.mirrorOf(job, name) ?? NEW_MIRROR, system.now(), null);
    const items = removalsTo(newTrash(destination, ledger, system, clockMs), same);
    const outcomes = await session.remove(items, signal);
    outcomes.forEach((outcome, index) => {
      const { path, to } = items[index]!;
      const kept = to === null ? "" : `: it is kept as "${printable(to)}" for ${ms(keepDeletedMs, { long: true })}`;
      if (outcome.removed) tell("info", `Removed the replaced "${printable(path)}" at ${name}${kept}`);
      else tell("warning", `The replaced "${printable(path)}" stays at ${name}: ${outcome.failure.message}`);
    });
  } catch (error) {
    const failure = failureRecord(error);
    if (isOutage(failure)) throw error;
    tell("warning", `A previous version stays at ${name} beside the newer one: ${failure.message}`);
  }
}

/** A new folder of the trash of a destination; null where what is removed is not kept. */
export function newTrash(
  { job, name, keepDeletedMs }: Destination,
  ledger: Pick<OutboxLedger, "addTrash">,
  clock: Parameters<typeof trashFolder>[0],
  clockMs: number,
): string | null {
  if (keepDeletedMs === 0) return null;
  const folder = trashFolder(clock);
  // First: a folder that nobody knows of would never be emptied.
  ledger.addTrash(job, name, folder, clockMs);
  return folder;
}

export function removalsTo(folder: string | null, deliveries: readonly Delivery[]) {
  return deliveries.map(({ target, source }) => ({
    path: target,
    bytes: source.size,
    to: folder === null ? null : inTrash(folder, target),
  }));
}

/** How the files at a destination compare with what was delivered. */
export async function lookThere(
  deliveries: readonly Delivery[],
  session: Pick<TimedSession, "digest" | "survey">,
  signal: AbortSignal,
) {
  const bytes = deliveries.reduce((sum, { source }) => sum + source.size, 0);
  const targets = deliveries.map(({ target }) => target);
  const found = await session.digest(targets, bytes, signal);
  const stats = found.includes(null) ? await session.survey(targets, signal) : [];
  const kindOf = ({ source, state }: Delivery, index: number) => {
    const digest = found[index];
    if (digest == null) return stats[index] === null ? "absent" : "changed";
    const sha256 = state.state === "delivered" ? state.receipt.sha256 : null;
    return digest.bytes === source.size && digest.sha256 === sha256 ? "same" : "changed";
  };
  const kinds = Map.groupBy(deliveries.keys(), (index) => kindOf(deliveries[index]!, index));
  const of = (kind: "absent" | "same" | "changed") => (kinds.get(kind) ?? []).map((index) => deliveries[index]!);
  return { absent: of("absent"), same: of("same"), changed: of("changed") };
}

/** The numbers that a version may have got which was kept before anybody heard of it. */
const FIRST = Array.from({ length: 20 }, (_, index) => index + 1);

/**
 * The clock of the trash: it goes with the wall clock, but never faster than time can have passed for certain, so that a wall clock
 * that is set forward empties no trash. `passedMs` since the last call of this process; null at its first call.
 */
export function clockAt(
  { clockMs, wallMs }: Pick<MirrorState, "clockMs" | "wallMs">,
  wall: number,
  passedMs: number | null,
): Pick<MirrorState, "clockMs" | "wallMs"> {
  const most = passedMs === null ? DAY : passedMs + MINUTE;
  const delta = wallMs === 0 ? 0 : Math.min(most, Math.max(0, wall - wallMs));
  return { clockMs: clockMs + delta, wallMs: wall };
}

const MINUTE = 60_000;
const DAY = 86_400_000;
