/**
 * Keeps `on_conflict: overwrite` from replacing the wrong file: if the destination ignores case or the composition of accents, two
 * source files may have the same name there.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { nameKey, otherSpellings } from "../../domain/names/name_key.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Stat } from "../../methods/method.ts";
import { type Batch, giveUp, type Item, undecided } from "../batch.ts";
import type { DestinationContext } from "../destination_context.ts";

/** Gives up items whose name belongs to another delivered file there. Asks further only if another spelling finds a file. */
export async function refuseNamesakes(
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
    if (namesake === undefined || !await isOneFile(item, namesake, batch, signal)) continue;
    const names = `"${printable(target)}" and "${printable(namesake)}"`;
    const what = `Cannot send "${printable(source.path)}" to ${destination}`;
    const hint = "Rename one of the two, or set on_conflict: version, which keeps both.";
    giveUp(item, new Failure("exists", `${what}: ${names} are the same name there, and the latter would be lost`, { hint }));
  }
}

async function isOneFile(item: Item, other: string, { session }: Batch, signal: AbortSignal): Promise<boolean> {
  const { target, source } = item.delivery;
  const [a, b] = await session.digest([target, other], 2 * source.size, signal);
  return a != null && b != null && a.sha256 === b.sha256;
}

/**
 * Reserves the targets, and puts off the items whose namesake is in this or another batch: the destination cannot be asked about
 * that one yet. Disposing of the result gives the names back.
 */
export function takeNames(items: readonly Item[], { destination, names, removing }: DestinationContext): Disposable {
  const mine: string[] = [];
  for (const item of removing.size === 0 ? [] : undecided(items)) {
    const { target } = item.delivery;
    if (removing.has(nameKey(target))) putOff(item, `the file that was deleted at the source is just being removed there`);
  }
  if (destination.onConflict === "overwrite") {
    for (const item of undecided(items)) {
      const { target } = item.delivery;
      const holder = names.get(nameKey(target));
      if (holder === undefined) {
        names.set(nameKey(target), target);
        mine.push(nameKey(target));
      } else if (holder !== target) {
        putOff(item, `"${printable(holder)}" is being sent, which may be the same name there`);
      }
    }
  }
  return { [Symbol.dispose]: () => mine.forEach((name) => names.delete(name)) };
}

/** It is tried again soon, and no attempt is used up. */
function putOff(item: Item, why: string): void {
  const message = `Cannot send "${printable(item.delivery.target)}" yet: ${why}`;
  giveUp(item, new Failure("exists", message, { next: "later", hint: "It is sent afterwards." }));
  if (item.outcome !== null && "failure" in item.outcome) item.outcome = { ...item.outcome, counts: false };
}
