/**
 * Sends the items of a batch to their staging names, while their sources are hashed here at the same time.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import type { Destination } from "../../domain/job.ts";
import { printable } from "../../domain/names/printable.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import type { Upload } from "../../methods/method.ts";
import { hashSources, outlastRacy } from "./check.ts";
import { crashPoint } from "../crash_point.ts";
import { withWatchdog } from "../watchdog.ts";
import { files } from "./verify.ts";
import { type Batch, giveUp, type Item, undecided } from "../batch.ts";

/** So much on its way says that the connection works, even if it breaks before the file is whole. */
const TELLING_BYTES = 1024 * 1024;

/** Waits for its turn, then puts all items in one call. Items that were not put are given up. */
export async function put(items: readonly Item[], batch: Batch, signal: AbortSignal): Promise<void> {
  const fitting = keepRoom(items, batch);
  if (fitting.length === 0) return;
  // Without a hash nothing but their facts tells of a rewrite.
  if (batch.destination.verify !== "checksum") await outlastRacy(fitting, batch, signal);
  using _lane = await batch.parallelTransfers.acquire(signal);
  using _slot = await batch.concurrentSyncs.acquire(signal);
  const end = new AbortController();
  const stop = () => end.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const hashing = batch.destination.verify === "checksum" ? hashSources(fitting, batch, end.signal) : Promise.resolve();
    hashing.catch(() => undefined); // Heard below, unless sending fails first.
    await send(fitting, batch, signal);
    await hashing;
  } finally {
    end.abort(new Failure("stopped", "The batch is over"));
    signal.removeEventListener("abort", stop);
  }
}

async function send(items: readonly Item[], batch: Batch, signal: AbortSignal): Promise<void> {
  const uploads = items.map((item): Upload => {
    const leftover = batch.attempts.leftover(item.delivery);
    return { source: item.delivery.source, staged: item.staged, ...(leftover === undefined ? {} : { leftover }) };
  });
  const paths = items.map((item) => item.staged);
  const watchdog = {
    what: `send ${files(items.length)} to ${batch.destination.name}`,
    timeoutMs: batch.destination.timeoutMs,
    clock: batch.system,
    ask: async (end: AbortSignal) =>
      (await batch.session.survey(paths, end)).reduce((sum, found) => sum + (found?.bytes ?? 0), 0),
  };
  for (const item of items) batch.transfers.begin(item.delivery);
  try {
    const outcomes = await withWatchdog(watchdog, signal, (end, alive) =>
      batch.session.put(uploads, (index, bytes) => {
        alive();
        const item = items[index];
        if (!item || bytes <= 0) return;
        crashPoint("during_put", batch.system);
        batch.transfers.at(item.delivery, bytes);
        if (bytes >= TELLING_BYTES) batch.moved();
      }, end));
    items.forEach((item, index) => {
      const outcome = outcomes[index];
      if (!outcome) giveUp(item, new Error("the method gave no outcome for a upload"));
      else if (!outcome.put) item.outcome ??= { failure: outcome.failure };
    });
  } finally {
    for (const item of items) batch.transfers.end(item.delivery);
  }
}

/** The items that fit into the free space there; the others wait for more. */
function keepRoom(items: readonly Item[], batch: Batch): readonly Item[] {
  let room = batch.roomBytes();
  if (room === null) return items;
  for (const item of items) {
    const { source } = item.delivery;
    if (source.size + batch.destination.copySafetyMarginBytes <= room) {
      room -= source.size;
      continue;
    }
    giveUp(item, doesNotFit(source, batch.destination));
  }
  return undecided(items);
}

/** The file waits for more free space. */
export function doesNotFit({ path }: Pick<SourceFile, "path">, { name }: Pick<Destination, "name">): Failure {
  return new Failure("disk_full", `Cannot send "${printable(path)}" to ${name}: not enough free space`, {
    hint: "Free some space there; delivery resumes automatically. See minimum_free_space_gb and copy_safety_margin_gb.",
  });
}
