/**
 * Sends the pieces of a batch to their staging names, while their sources are hashed here at the same time.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { Destination } from "../../domain/job.ts";
import { printable } from "../../domain/names/printable.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import type { Parcel } from "../../methods/method.ts";
import { hashSources, outlastRacy } from "./check_source.ts";
import { crashPoint } from "../crash_point.ts";
import { guarded } from "../guarded.ts";
import { files } from "./prove.ts";
import { giveUp, open, type Piece, type Way } from "../way.ts";

/** So much on its way says that the connection works, even if it breaks before the file is whole. */
const TELLING_BYTES = 1024 * 1024;

/** Waits for its turn, then puts all pieces in one call. Pieces that were not put are given up. */
export async function put(pieces: readonly Piece[], way: Way, signal: AbortSignal): Promise<void> {
  const fitting = keepRoom(pieces, way);
  if (fitting.length === 0) return;
  // Without a hash nothing but their facts tells of a rewrite.
  if (way.destination.verify !== "checksum") await outlastRacy(fitting, way, signal);
  using _lane = await place(way.lanes, signal);
  using _slot = await place(way.slots, signal);
  const end = new AbortController();
  const stop = () => end.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const hashing = way.destination.verify === "checksum" ? hashSources(fitting, way, end.signal) : Promise.resolve();
    hashing.catch(() => undefined); // Heard below, unless sending fails first.
    await send(fitting, way, signal);
    await hashing;
  } finally {
    end.abort(new Failure("stopped", "The batch is over"));
    signal.removeEventListener("abort", stop);
  }
}

async function send(pieces: readonly Piece[], way: Way, signal: AbortSignal): Promise<void> {
  const parcels = pieces.map((piece): Parcel => {
    const leftover = way.attempts.leftover(piece.delivery);
    return { source: piece.delivery.source, staged: piece.staged, ...(leftover === undefined ? {} : { leftover }) };
  });
  const paths = pieces.map((piece) => piece.staged);
  const guard = {
    what: `send ${files(pieces.length)} to ${way.destination.name}`,
    timeoutMs: way.destination.timeoutMs,
    clock: way.system,
    ask: async (end: AbortSignal) => (await way.session.survey(paths, end)).reduce((sum, found) => sum + (found?.bytes ?? 0), 0),
  };
  for (const piece of pieces) way.underway.begin(piece.delivery);
  try {
    const outcomes = await guarded(guard, signal, (end, alive) =>
      way.session.put(parcels, (index, bytes) => {
        alive();
        const piece = pieces[index];
        if (!piece || bytes <= 0) return;
        crashPoint("during_put", way.system);
        way.underway.at(piece.delivery, bytes);
        if (bytes >= TELLING_BYTES) way.moved();
      }, end));
    pieces.forEach((piece, index) => {
      const outcome = outcomes[index];
      if (!outcome) giveUp(piece, new Error("the method gave no outcome for a parcel"));
      else if (!outcome.put) piece.outcome ??= { failure: outcome.failure };
    });
  } finally {
    for (const piece of pieces) way.underway.end(piece.delivery);
  }
}

/** The pieces that fit into the free space there; the others wait for more. */
function keepRoom(pieces: readonly Piece[], way: Way): readonly Piece[] {
  let room = way.roomBytes();
  if (room === null) return pieces;
  for (const piece of pieces) {
    const { source } = piece.delivery;
    if (source.size + way.destination.copySafetyMarginBytes <= room) {
      room -= source.size;
      continue;
    }
    giveUp(piece, doesNotFit(source, way.destination));
  }
  return open(pieces);
}

/** The file waits for more free space. */
export function doesNotFit({ path }: Pick<SourceFile, "path">, { name }: Pick<Destination, "name">): Failure {
  return new Failure("disk_full", `Cannot send "${printable(path)}" to ${name}: not enough free space`, {
    hint: "Free some space there; delivery resumes automatically. See minimum_free_space_gb and copy_safety_margin_gb.",
  });
}

async function place(places: Way["lanes"], signal: AbortSignal): Promise<Disposable> {
  const release = await places.acquire(signal);
  return { [Symbol.dispose]: release };
}
