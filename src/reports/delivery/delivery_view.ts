/** A row of the ledger as the page shows it. */
import { fits } from "../../formats/fits/fits.ts";
import type { DeliveryRow } from "../../ledger/history.ts";
import { deliveryJson } from "./delivery_json.ts";

/** A delivery as the page shows it: the promised shape of history, and what only the page needs. */
export type DeliveryView = ReturnType<typeof deliveryView>;
/** An image with where it is: a row of History. */
export type ImageView = ReturnType<typeof imageView>;
/** The values of header cards by keyword. */
export type CardValues = NonNullable<DeliveryRow["cards"]>;

export function deliveryView(row: DeliveryRow) {
  const { id, source, night, state } = row.delivery;
  return {
    ...deliveryJson(row),
    night,
    /** Path below the watched folder, `/` between the parts: what to show where `path` is too long. */
    name: source.path,
    /** OBJECT, FILTER, EXPTIME, DATE-OBS, IMAGETYP, … as far as the file has them. */
    cards: row.cards,
    /** Where a preview may be had; null for files that are no FITS. Named also where the file has gone meanwhile. */
    preview: hasPreview(source.path) ? `/api/preview/${id}.png` : null,
    /** When a deferred delivery is tried again, ISO 8601; null otherwise. */
    retry_at: state.state === "deferred" ? new Date(state.retryAt).toISOString() : null,
  };
}

/** All deliveries of an image, at least one, in the order of the configuration when it was admitted; the ID of the first stands for the image. */
export function imageView(rows: readonly DeliveryRow[]) {
  const views = rows.map(deliveryView);
  const { id, job, path, name, size, night, cards, preview, warning, queued_at } = views[0]!;
  const deliveries = views.map(({ id, destination, state, proof, error, warning, delivered_at, retry_at }) => {
    return { id, destination, state, proof, error, warning, delivered_at, retry_at };
  });
  return { id, job, path, name, size, night, cards, preview, warning, queued_at, deliveries };
}

/** True for names of FITS files, gzipped ones among them. */
export function hasPreview(path: string): boolean {
  return fits.claims(path.slice(path.lastIndexOf("/") + 1).toLowerCase().replace(/\.gz$/, ""));
}

/** The first of each file, `most` of them: a file that went to three destinations is shown once. */
export function eachFileOnce(rows: readonly DeliveryRow[], most: number): DeliveryView[] {
  const files = Map.groupBy(rows, ({ delivery: { source } }) => `${source.job}\0${source.path}`);
  return [...files.values()].slice(0, most).map(([first]) => deliveryView(first!));
}
