/**
 * Which names of delivered files belong to other deliveries as well: of this destination, and of all that may have the same folder. Names
 * that the destination takes for one count as one.
 *
 * @module
 */
import type { Delivery } from "../../domain/delivery.ts";
import { type Destination, serverOf } from "../../config/settings.ts";
import { nameKey } from "../../domain/names/name_key.ts";
import type { MirrorLedger } from "../../ledger/mirror_ledger.ts";
import type { Session } from "../../methods/method.ts";

/** Who else may have put something there. */
interface Others {
  /** All that are being removed: they claim nothing from each other. */
  readonly together: readonly Delivery[];
  readonly ledger: Pick<MirrorLedger, "claimants">;
  /** All destinations of all jobs: some may have the same folder. */
  readonly everywhere: () => readonly Destination[];
}

/** Targets of these deliveries that others have, or will have. */
export async function claimedByOthers(
  deliveries: readonly Delivery[],
  destination: Destination,
  others: Others,
  session: Pick<Session, "survey">,
  signal: AbortSignal,
): Promise<ReadonlySet<string>> {
  const claims = claimsOf(deliveries, destination, others);
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
function claimsOf(
  deliveries: readonly Delivery[],
  destination: Destination,
  { together, ledger, everywhere }: Others,
): Map<string, Set<string>> {
  // Former versions of a file had its name as well.
  const keyOf = ({ source: { job, path } }: Pick<Delivery, "source">, at: string) => JSON.stringify([job, at, path]);
  const mine = new Set(together.map((delivery) => keyOf(delivery, destination.name)));
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
