/**
 * Questions about images: one version of a file with all of its deliveries. Answered in the order of an index where there is one, so
 * that the first page of a million images is no burden.
 */
import type { History, ImageQuery } from "../history.ts";
import type { Database, Row, Value } from "./database.ts";
import { type Conditions, deliveryConditions, versionConditions } from "./history_queries.ts";
import { number, SELECT_DELIVERY, toDeliveryRow } from "./rows.ts";

type ImageQueries = Pick<History, "images" | "countImages" | "imageOf" | "neighbours">;

export function imageQueries(db: Database): ImageQueries {
  return {
    images: (wanted) =>
      db.snapshot(() => {
        const { from, where, values } = imagesOf(wanted);
        const sql = `SELECT v.id FROM ${from} WHERE ${where} ORDER BY ${
          orderOf(wanted, wanted.descending ?? false)
        } LIMIT ? OFFSET ?`;
        const ids = db.all(sql, ...values, wanted.limit ?? -1, wanted.offset ?? 0).map((row) => number(row, "id"));
        const rows = db.all(DELIVERIES_OF, JSON.stringify(ids));
        const images = Map.groupBy(rows, (row) => number(row, "version_id"));
        return ids.map((id) => (images.get(id) ?? []).map(toDeliveryRow));
      }),
    countImages(wanted) {
      const { where, values } = imagesOf({ ...wanted, sort: "queued_at" });
      return number(
        db.get(isAll(wanted) ? COUNT_ALL : `SELECT count(*) AS n FROM versions v WHERE ${where}`, ...values) as Row,
        "n",
      );
    },
    imageOf: (id) => db.all(SAME_IMAGE, id).map(toDeliveryRow),
    neighbours: (id, wanted) =>
      db.snapshot(() => {
        const descending = wanted.descending ?? false;
        return { former: neighbour(db, id, wanted, !descending), next: neighbour(db, id, wanted, descending) };
      }),
  };
}

/** The first delivery of the nearest image before or after. */
function neighbour(db: Database, id: number, wanted: ImageQuery, before: boolean): number | null {
  const place = placeOf(wanted);
  const own = db.get(`SELECT ${place.join(", ")} FROM ${LAST_OF} WHERE ${IS_LAST} AND v.id = ${VERSION_OF}`, id);
  if (own === undefined) return null;
  const { from, where, values } = imagesOf(wanted);
  const beyond = `(${place.join(", ")}) ${before ? "<" : ">"} (${place.map(() => "?").join(", ")})`;
  const found = db.get(
    `SELECT (SELECT min(id) FROM deliveries WHERE version_id = v.id) AS id FROM ${from} WHERE ${where} AND ${beyond}
      ORDER BY ${orderOf(wanted, before)} LIMIT 1`,
    ...values,
    ...Object.values(own) as Value[],
  );
  return found === undefined ? null : number(found, "id");
}

interface Images extends Conditions {
  readonly from: string;
}

function imagesOf(wanted: ImageQuery): Images {
  const { sort: _sort, ...conditions } = wanted;
  const [ofDelivery, ofVersion] = [deliveryConditions(conditions), versionConditions(conditions)];
  // Few rows are found by their own index; of many it is cheaper to ask each image in its order.
  const some = areFew(wanted)
    ? `v.id IN (SELECT d.version_id FROM deliveries d WHERE ${ofDelivery.where})`
    : `EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id AND ${ofDelivery.where})`;
  const [from, last] = wanted.sort === "delivered_at" ? [LAST_OF, IS_LAST] : ["versions v", "1"];
  return { from, where: `${last} AND ${some} AND ${ofVersion.where}`, values: [...ofDelivery.values, ...ofVersion.values] };
}

function areFew({ states, trouble, gone, night, ids }: ImageQuery): boolean {
  return trouble === true || gone === true || night !== undefined || ids !== undefined ||
    states !== undefined && !states.includes("delivered");
}

function isAll(wanted: ImageQuery): boolean {
  const { sort: _sort, ...conditions } = wanted;
  return deliveryConditions(conditions).where === "1" && versionConditions(conditions).where === "1";
}

/** What images are sorted by. Versions are numbered in the order of admission; unlike the clock the numbers never jump. */
function placeOf({ sort = "queued_at" }: ImageQuery): readonly string[] {
  return {
    queued_at: ["v.id"],
    delivered_at: ["l.delivered_at", "l.id"],
    path: ["v.path", "v.id"],
    size: ["v.size", "v.id"],
  }[sort];
}

function orderOf(wanted: ImageQuery, descending: boolean): string {
  return placeOf(wanted).map((key) => `${key} ${descending ? "DESC" : "ASC"}`).join(", ");
}

/** An image with its last delivery, read along the index of deliveries. What is not delivered has no neighbours in that order. */
const LAST_OF = "deliveries l JOIN versions v ON v.id = l.version_id";
const IS_LAST = `NOT EXISTS (SELECT 1 FROM deliveries o WHERE o.version_id = l.version_id
  AND (coalesce(o.delivered_at, 0), o.id) > (coalesce(l.delivered_at, 0), l.id))`;

const VERSION_OF = "(SELECT version_id FROM deliveries WHERE id = ?)";

const DELIVERIES_OF = `${SELECT_DELIVERY}, d.version_id FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.version_id IN (SELECT value FROM json_each(?)) ORDER BY d.id`;

const SAME_IMAGE = `${SELECT_DELIVERY} FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.version_id = ${VERSION_OF} ORDER BY d.id`;

const COUNT_ALL = "SELECT count(DISTINCT version_id) AS n FROM deliveries";
