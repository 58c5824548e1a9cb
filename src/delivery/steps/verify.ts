/**
 * Makes the receipts: compares the staged files with what was read at the source, at the configured level. A receipt claims only
 * what was really compared.
 */
import { Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { verify, type WeakerProof } from "../../domain/receipt.ts";
import { type Batch, giveUp, type Item, sizeOf, undecided } from "../batch.ts";
import { hashSources, recheckSources } from "./check.ts";

/** Gives every item its receipt or its failure. One round trip to the destination, whatever the number of items. */
export async function verifyStaged(batch: Batch, signal: AbortSignal): Promise<void> {
  const { context: { destination, system }, session, writers } = batch;
  const items = undecided(batch.items);
  if (items.length === 0) return;
  const hashSent = async () => {
    // What was sent before it was known that no program writes to it is hashed now.
    await writers.over();
    if (destination.verify === "checksum") await hashSources(items, batch.context, signal);
  };
  const [found] = await Promise.all([digestsOf(items, batch, signal), hashSent()]);
  await recheckSources({ ...batch, items }, signal);
  const level = destination.verify === "checksum" ? session.proof : destination.verify;
  items.forEach((item, index) => {
    if (item.outcome !== null) return;
    try {
      const sent = { bytes: item.delivery.source.size, sha256: item.sha256 };
      item.receipt = verify(sent, found[index] ?? null, level, system.now());
    } catch (error) {
      const { code, message, hint } = failureRecord(error);
      const what = `Cannot verify "${printable(item.delivery.source.path)}" at ${destination.name}`;
      giveUp(item, new Failure(code, `${what}: ${message}`, { hint }));
    }
  });
}

/** What the destination has under the staging names, as far as the configured level compares it. */
async function digestsOf(
  items: readonly Item[],
  { context, session }: Batch,
  signal: AbortSignal,
): Promise<readonly ({ readonly bytes: number; readonly sha256: string | null; readonly shownBy?: WeakerProof } | null)[]> {
  const paths = items.map((item) => item.staged);
  switch (context.destination.verify) {
    case "checksum": {
      const unknown = items.filter(({ there }) => there === null);
      const digests = unknown.length === 0
        ? []
        : await session.digest(unknown.map(({ staged }) => staged), sizeOf(unknown), signal);
      const found = new Map(unknown.map((item, index) => [item, digests[index] ?? null]));
      return items.map((item) => item.there ?? found.get(item) ?? null);
    }
    case "size":
      return (await session.survey(paths, signal)).map((stat) => stat && { bytes: stat.bytes, sha256: null });
    case "none":
      return [];
  }
  context.destination.verify satisfies never;
}
