/** Pictures and headers of images. */
import type { Hono } from "hono";
import { sameFile, sameInode } from "../../domain/source_file.ts";
import { readHeaderCards } from "../../formats/fits/cards.ts";
import type { DeliveryRow } from "../../ledger/history.ts";
import type { System } from "../../system/system.ts";
import { hasPreview } from "../../reports/delivery/delivery_view.ts";
import { refusal, type WebEnv, type WebTools } from "../server/refusal.ts";

/** Pixels a side: for a contact sheet, for the dialog of an image, for a close look at it. */
const SIDES = [256, 512, 2048] as const;

/** Adds the routes; 404 where there is no picture, 503 with `retry-after` where too many are being made. */
export function previewRoutes(app: Hono<WebEnv>, { source, system }: Pick<WebTools, "source" | "system">): void {
  const rowOf = (id: string) => source.ledger.query({ ids: [Number(id)] })[0];

  app.get("/api/preview/:file{[0-9]{1,12}\\.png}", async (c) => {
    const side = SIDES.find((one) => String(one) === (c.req.query("side") ?? "512"));
    if (side === undefined) return refusal(c, 400, "configuration", `Invalid query: "side" must be one of ${SIDES.join(", ")}`);
    const row = rowOf(c.req.param("file").slice(0, -".png".length));
    if (row === undefined || !hasPreview(row.delivery.source.path)) return c.notFound();
    const { source: file, target } = row.delivery;
    const at = source.destinations().find(({ destination: { job, name } }) =>
      job === file.job && name === row.delivery.destination
    );
    const result = await c.env.previews({ source: file, target, destination: at?.destination ?? null, side });
    if ("busy" in result) {
      c.header("retry-after", "5");
      return refusal(c, 503, "stopped", "Too many previews are being created");
    }
    if ("problem" in result) return refusal(c, 404, "source_unreadable", `No preview available: ${result.problem}`);
    // A version of a file never changes.
    return c.body(result.png, 200, { "content-type": "image/png", "cache-control": "private, max-age=86400" });
  });
  app.get("/api/cards/:id{[0-9]{1,12}}", async (c) => {
    const row = rowOf(c.req.param("id"));
    return row === undefined ? c.notFound() : c.json(await headerReport(row, system));
  });
}

/** The header of an image, as it is in the file. */
export type HeaderReport = Awaited<ReturnType<typeof headerReport>>;

/** The headers of a FITS file, for the details of an image: reads at most what the first ten HDUs' headers take. */
async function headerReport(
  { delivery: { id, source }, cards }: DeliveryRow,
  system: Pick<System, "facts" | "read">,
) {
  const none: Awaited<ReturnType<typeof readHeaderCards>> = [];
  const report = {
    id,
    path: source.absolutePath,
    /** What the ledger has. */
    kept: cards ?? {},
    hdus: none,
    /** Why there are none; empty where there are. */
    problem: "",
  };
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
