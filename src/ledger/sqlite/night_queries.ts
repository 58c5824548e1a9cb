/**
 * Questions about one night: its sums, which `night_schema.ts` keeps, and its deliveries as bare numbers, page by page, so that a
 * plot of fifty thousand files holds up nothing.
 *
 * @module
 */
import type { Database } from "./database.ts";
import type { Ledger, NightPoint } from "../ledger.ts";
import { number, numberOrNull, text, toSource } from "./rows.ts";

type Nights = Pick<Ledger, "nightTotals" | "nightPoints" | "flagged">;

/** The first two leave out what was superseded or skipped, so the points of a night add up to its totals. */
export function nightQueries(db: Database): Nights {
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
    flagged: (night, limit) =>
      db.snapshot(() => ({
        count: number(db.get(COUNT_FLAGGED, night) ?? {}, "count"),
        files: db.all(FLAGGED, night, limit).map((row) => ({ source: toSource(row), warning: text(row, "warning") })),
      })),
  };
}

/** Versions that were replaced before they were sent, and files that were left alone on purpose, are no part of the sums. */
const COUNTS = "NOT (d.state = 'failed' AND d.failure_code IN ('superseded', 'skipped'))";

const SEEN = "SELECT files, bytes FROM night_files WHERE night = ?";

const PLACES = `SELECT job, destination, expected, delivered, proven, failed, bytes FROM nights
  WHERE night = ? AND expected > 0 ORDER BY first_id`;

const POINTS = `SELECT d.id, d.version_id, d.job, d.destination, v.size, d.queued_at, d.delivered_at
  FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.night = ? AND d.id > ? AND ${COUNTS} ORDER BY d.id LIMIT ?`;

const COUNT_FLAGGED =
  "SELECT count(*) AS count FROM versions INDEXED BY versions_flagged WHERE night = ? AND warning IS NOT NULL";

const FLAGGED = "SELECT * FROM versions INDEXED BY versions_flagged WHERE night = ? AND warning IS NOT NULL ORDER BY id LIMIT ?";
