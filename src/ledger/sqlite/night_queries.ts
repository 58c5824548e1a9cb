/**
 * Questions about one night: its sums, which `night_schema.ts` keeps, and its deliveries as bare numbers, page by page, so that a
 * plot of fifty thousand files holds up nothing.
 */
import type { History, NightFrame, NightPoint } from "../history.ts";
import type { Database } from "./database.ts";
import { FILTER, TARGET } from "./history_queries.ts";
import { counts } from "./night_schema.ts";
import { number, numberOrNull, text, toSource } from "./rows.ts";

/** The first two leave out what was superseded or skipped, so the points of a night add up to its totals. */
export function nightQueries(
  db: Database,
): Pick<History, "nightTotals" | "nightUndelivered" | "nightPoints" | "nightFrames" | "flagged"> {
  return {
    nightTotals: (night) =>
      db.snapshot(() => {
        const seen = db.get(SEEN, night) ?? { files: 0, bytes: 0 };
        const places = db.all(PLACES, night).map((row) => ({
          job: text(row, "job"),
          destination: text(row, "destination"),
          expected: number(row, "expected"),
          delivered: number(row, "delivered"),
          proven: number(row, "proven"),
          failed: number(row, "failed"),
          bytes: number(row, "bytes"),
        }));
        return { files: number(seen, "files"), bytes: number(seen, "bytes"), places };
      }),
    nightUndelivered(night) {
      const row = db.get(UNDELIVERED, night) ?? {};
      return { images: number(row, "images"), failed: number(row, "failed") };
    },
    nightPoints: (night, after, limit) =>
      db.all(POINTS, night, after, limit).map((row): NightPoint => ({
        id: number(row, "id"),
        versionId: number(row, "version_id"),
        job: text(row, "job"),
        destination: text(row, "destination"),
        size: number(row, "size"),
        queuedAt: number(row, "queued_at"),
        deliveredAt: numberOrNull(row, "delivered_at"),
      })),
    nightFrames: (night, first, last, limit) =>
      db.all(FRAMES, first, last, night, limit).map((row): NightFrame => ({
        versionId: number(row, "id"),
        job: text(row, "job"),
        path: text(row, "path"),
        target: text(row, "target"),
        filter: text(row, "filter"),
        exposure: numberOrNull(row, "exposure"),
      })),
    flagged: (night, limit) =>
      db.snapshot(() => ({
        count: number(db.get(COUNT_FLAGGED, night) ?? {}, "count"),
        files: db.all(FLAGGED, night, limit).map((row) => ({ source: toSource(row), warning: text(row, "warning") })),
      })),
  };
}

const SEEN = "SELECT files, bytes FROM night_files WHERE night = ?";

const PLACES = `SELECT job, destination, expected, delivered, proven, failed, bytes FROM nights
  WHERE night = ? AND expected > 0 ORDER BY first_id`;

const UNDELIVERED = `SELECT count(*) AS images, coalesce(sum(failed), 0) AS failed FROM (
    SELECT max(d.state = 'failed') AS failed FROM deliveries d INDEXED BY deliveries_night
    WHERE d.night = ? AND d.state <> 'delivered' AND ${counts("d")} GROUP BY d.version_id
  )`;

const POINTS = `SELECT d.id, d.version_id, d.job, d.destination, v.size, d.queued_at, d.delivered_at
  FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.night = ? AND d.id > ? AND ${counts("d")} ORDER BY d.id LIMIT ?`;

const FRAMES = `SELECT v.id, v.job, v.path, ${TARGET} AS target, ${FILTER} AS filter,
  CAST(coalesce(json_extract(v.cards, '$.EXPTIME'), json_extract(v.cards, '$.EXPOSURE')) AS REAL) AS exposure
  FROM versions v WHERE v.id BETWEEN ? AND ? AND v.night = ? ORDER BY v.id LIMIT ?`;

const FLAGGED_VERSIONS = `FROM versions v INDEXED BY versions_flagged WHERE v.night = ? AND v.warning IS NOT NULL
  AND EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id)`;

const COUNT_FLAGGED = `SELECT count(*) AS count ${FLAGGED_VERSIONS}`;

const FLAGGED = `SELECT v.* ${FLAGGED_VERSIONS} ORDER BY v.id LIMIT ?`;
