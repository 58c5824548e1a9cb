/** The headers of a FITS file, for the details of an image. */
import { readHeaderCards } from "../../formats/fits/cards.ts";
import type { DeliveryRow } from "../../ledger/history.ts";
import { sameFile, sameInode } from "../../domain/source_file.ts";
import type { System } from "../../system/system.ts";
import type { HeaderReport } from "../../reports/api_types.ts";
import { hasPreview } from "../../reports/delivery/delivery_view.ts";

/** Reads at most what the first ten HDUs' headers take. */
export async function headerReport(
  { delivery: { id, source }, cards }: DeliveryRow,
  system: Pick<System, "facts" | "read">,
): Promise<HeaderReport> {
  const report = { id, path: source.absolutePath, kept: cards ?? {}, hdus: [], problem: "" };
  if (!hasPreview(source.path)) return { ...report, problem: "The file name is not that of a FITS file." };
  const facts = await system.facts(source.absolutePath).catch(() => null);
  if (facts?.kind !== "file" || !sameInode(facts, source)) return { ...report, problem: "The file is no longer at its source." };
  try {
    const hdus = await readHeaderCards(
      (offset, length) => system.read(sameFile({ ...facts, absolutePath: source.absolutePath }), offset, length),
      facts.size,
    );
    return { ...report, hdus, problem: hdus.length === 0 ? "The file does not begin with a FITS header." : "" };
  } catch (error) {
    return { ...report, problem: error instanceof Error ? error.message : String(error) };
  }
}
