/** A row of the ledger as the page shows it. */
import { fits } from "../../formats/fits/fits.ts";
import type { DeliveryRow } from "../../ledger/history.ts";
import type { DeliveryView, ImageView } from "../api_types.ts";
import { deliveryJson } from "./delivery_json.ts";

/** Times become ISO 8601; `preview` names a route for every FITS file, also where the file has gone meanwhile. */
export function deliveryView(row: DeliveryRow): DeliveryView {
  const { id, source, night, state } = row.delivery;
  return {
    ...deliveryJson(row),
    night,
    name: source.path,
    cards: row.cards,
    preview: hasPreview(source.path) ? `/api/preview/${id}.png` : null,
    retry_at: state.state === "deferred" ? new Date(state.retryAt).toISOString() : null,
  };
}

/** All deliveries of an image, at least one, as a row of History. */
export function imageView(rows: readonly DeliveryRow[]): ImageView {
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
  const seen = new Set<string>();
  return rows.filter(({ delivery: { source } }) => {
    const key = `${source.job}\0${source.path}`;
    return !seen.has(key) && seen.add(key);
  }).slice(0, most).map(deliveryView);
}
