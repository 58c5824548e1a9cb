/**
 * Keeps `on_conflict: overwrite` from replacing another file than the one that is meant: where the destination ignores the case of
 * letters or the composition of accents, two files of the source have one name there.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { nameKey, otherSpellings } from "../../domain/names/name_key.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Stat } from "../../methods/method.ts";
import { guarded } from "../guarded.ts";
import { asking } from "./prove.ts";
import { giveUp, open, type Piece, type Way } from "../way.ts";

/** A piece whose name is taken by other bytes. */
export interface Taken {
  readonly piece: Piece;
  readonly stat: Stat | null;
}

/** Gives up those whose name leads to another delivered file there. Asks further only where one spelling leads to what another does. */
export async function refuseNamesakes(taken: readonly Taken[], way: Way, signal: AbortSignal): Promise<void> {
  if (way.destination.onConflict !== "overwrite") return;
  const files = taken.filter(({ piece, stat }) => piece.outcome === null && stat?.kind === "file");
  const spelled = files.flatMap(({ piece, stat }) =>
    otherSpellings(piece.delivery.target).map((other) => ({ piece, bytes: stat?.bytes, other }))
  );
  if (spelled.length === 0) return;
  const found = await guarded(asking(way), signal, (end) => way.session.survey(spelled.map(({ other }) => other), end));
  const alike = spelled.filter(({ bytes }, index) => found[index]?.kind === "file" && found[index]?.bytes === bytes);
  for (const piece of new Set(alike.map(({ piece }) => piece))) {
    const { source, target, destination } = piece.delivery;
    const [namesake] = way.ledger.namesakes(source.job, destination, target);
    if (namesake === undefined || !await isOneFile(target, namesake, way, signal)) continue;
    const names = `"${printable(target)}" and "${printable(namesake)}"`;
    giveUp(
      piece,
      new Failure(
        "exists",
        `Cannot send "${
          printable(source.path)
        }" to ${destination}: ${names} are the same name there, and the latter would be lost`,
        { hint: "Rename one of the two, or set on_conflict: version, which keeps both." },
      ),
    );
  }
}

async function isOneFile(one: string, other: string, way: Way, signal: AbortSignal): Promise<boolean> {
  const [a, b] = await guarded(asking(way), signal, (end) => way.session.digest([one, other], end));
  return a != null && b != null && a.sha256 === b.sha256;
}

/**
 * Puts off those whose namesake is on its way in this or another batch: only what stands there already is known. The result gives the
 * names back.
 */
export function takeNames(pieces: readonly Piece[], way: Pick<Way, "destination" | "names">): Disposable {
  const mine: string[] = [];
  if (way.destination.onConflict === "overwrite") {
    for (const piece of open(pieces)) {
      const { target } = piece.delivery;
      const holder = way.names.get(nameKey(target));
      if (holder === undefined) {
        way.names.set(nameKey(target), target);
        mine.push(nameKey(target));
      } else if (holder !== target) {
        const message = `Cannot send "${printable(target)}" yet: "${
          printable(holder)
        }" is being sent, which may be the same name there`;
        giveUp(piece, new Failure("exists", message, { next: "later", hint: "It is sent afterwards." }));
        if (piece.outcome !== null && "failure" in piece.outcome) piece.outcome = { ...piece.outcome, counts: false };
      }
    }
  }
  return { [Symbol.dispose]: () => mine.forEach((name) => way.names.delete(name)) };
}
