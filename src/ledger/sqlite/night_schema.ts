/**
 * The second migration: the sums of every night, kept by triggers, so that a page that is open all night reads a few rows instead of
 * a hundred thousand.
 */
import type { History, NightFrame, NightPoint, NightTotals } from "../history.ts";
import type { Database } from "./database.ts";
import { FILTER, TARGET } from "./history_queries.ts";
import { text, toSource } from "./rows.ts";

/**
 * Whether a row of `deliveries` counts: versions replaced before they were sent, files skipped on purpose, and those that a mirror
 * removed do not.
 */
const counts = (row: string) =>
  `(NOT (${row}.state = 'failed' AND coalesce(${row}.failure_code, '') IN ('superseded', 'skipped', 'removed')))`;
const delivered = (row: string) => `(${row}.state = 'delivered')`;
const proven = (row: string) => `(${row}.state = 'delivered' AND ${row}.receipt_level IN ('checksum', 'read_back'))`;
const failed = (row: string) => `(${row}.state = 'failed' AND ${counts(row)})`;
const bytes = (row: string) => `coalesce(${row}.receipt_bytes, 0)`;
const SUMS = { expected: counts, delivered, proven, failed, bytes } as const;

/** Adds what a row has become, less what it was. */
const change = (what: (column: (row: string) => string) => string) =>
  `UPDATE nights SET ${Object.entries(SUMS).map(([name, column]) => `${name} = ${name} + ${what(column)}`).join(", ")}
    WHERE night = NEW.night AND job = NEW.job AND destination = NEW.destination;`;

/**
 * No other delivery of the version counts in that night: with this one the file comes or goes. The plus keeps SQLite from reading
 * the whole night for every delivery.
 */
const ALONE = `NOT EXISTS (SELECT 1 FROM deliveries e
      WHERE e.version_id = NEW.version_id AND +e.night = NEW.night AND e.id <> NEW.id AND ${counts("e")})`;
const file = (sign: "+" | "-", when = "1") =>
  `UPDATE night_files SET files = files ${sign} 1, bytes = bytes ${sign} (SELECT size FROM versions WHERE id = NEW.version_id)
    WHERE night = NEW.night AND ${when} AND ${ALONE};`;

const NIGHT_TRIGGERS = `
  CREATE TRIGGER nights_admit AFTER INSERT ON deliveries BEGIN
    INSERT INTO nights VALUES (NEW.night, NEW.job, NEW.destination, NEW.id, 0, 0, 0, 0, 0) ON CONFLICT DO NOTHING;
    INSERT INTO night_files VALUES (NEW.night, 0, 0) ON CONFLICT DO NOTHING;
    ${change((column) => column("NEW"))}
    ${file("+", counts("NEW"))}
  END;

  -- Claiming a delivery and putting it back changes no sum.
  CREATE TRIGGER nights_record AFTER UPDATE OF state, failure_code, receipt_level, receipt_bytes ON deliveries
  WHEN OLD.state IN ('delivered', 'failed') OR NEW.state IN ('delivered', 'failed') BEGIN
    ${change((column) => `${column("NEW")} - ${column("OLD")}`)}
  END;
  CREATE TRIGGER nights_file_comes AFTER UPDATE OF state, failure_code ON deliveries
  WHEN ${counts("NEW")} AND NOT ${counts("OLD")} BEGIN
    ${file("+")}
  END;
  CREATE TRIGGER nights_file_goes AFTER UPDATE OF state, failure_code ON deliveries
  WHEN ${counts("OLD")} AND NOT ${counts("NEW")} BEGIN
    ${file("-")}
  END;
`;

const SUMS_OF_ALL = `INSERT INTO nights
    SELECT night, job, destination, min(id), ${Object.values(SUMS).map((column) => `sum(${column("d")})`).join(", ")}
    FROM deliveries d GROUP BY night, job, destination;
  INSERT INTO night_files
    SELECT n.night, count(v.id), coalesce(sum(v.size), 0)
    FROM (SELECT DISTINCT night FROM nights) n
      LEFT JOIN (SELECT DISTINCT night, version_id FROM deliveries d WHERE ${counts("d")}) c ON c.night = n.night
      LEFT JOIN versions v ON v.id = c.version_id
    GROUP BY n.night;`;

/** Makes the sums anew. */
export const FILL_NIGHTS = `DELETE FROM nights; DELETE FROM night_files; ${SUMS_OF_ALL}`;

/** Rows of `deliveries` are never deleted, and keep their night, job and destination. */
export const NIGHTS_MIGRATION = `
  CREATE TABLE nights (
    night TEXT NOT NULL,
    job TEXT NOT NULL,
    destination TEXT NOT NULL,
    -- The first delivery, for the order in which they are shown.
    first_id INTEGER NOT NULL,
    expected INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    proven INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (night, job, destination)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE night_files (
    night TEXT PRIMARY KEY,
    files INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  ${SUMS_OF_ALL}

  ${NIGHT_TRIGGERS}
`;

/** Makes the triggers anew: those of before do not know what a mirror removes. There is no such row yet. */
export const REMOVED_MIGRATION = `
  DROP TRIGGER nights_admit; DROP TRIGGER nights_record; DROP TRIGGER nights_file_comes; DROP TRIGGER nights_file_goes;
  ${NIGHT_TRIGGERS}`;

// Questions about one night: its sums, which `night_schema.ts` keeps, and its deliveries as bare numbers, page by page, so that a
// plot of fifty thousand files holds up nothing.

/** The first two leave out what was superseded or skipped, so the points of a night add up to its totals. */
export function nightQueries(db: Database) {
  return {
    nightTotals: (night) =>
      db.snapshot(() => {
        const seen = db.get<Pick<NightTotals, "files" | "bytes">>(SEEN, night) ?? { files: 0, bytes: 0 };
        return { ...seen, places: db.all(PLACES, night) };
      }),
    nightUndelivered: (night) => db.get<ReturnType<History["nightUndelivered"]>>(UNDELIVERED, night)!,
    nightPoints: (night, after, limit) => db.all<NightPoint>(POINTS, night, after, limit),
    nightFrames: (night, first, last, limit) => db.all<NightFrame>(FRAMES, first, last, night, limit),
    flagged: (night, limit) =>
      db.snapshot(() => ({
        count: db.count(COUNT_FLAGGED, night),
        files: db.all(FLAGGED, night, limit).map((row) => ({ source: toSource(row), warning: text(row, "warning") })),
      })),
  } satisfies Partial<History>;
}

const SEEN = "SELECT files, bytes FROM night_files WHERE night = ?";

const PLACES = `SELECT job, destination, expected, delivered, proven, failed, bytes FROM nights
  WHERE night = ? AND expected > 0 ORDER BY first_id`;

const UNDELIVERED = `SELECT count(*) AS images, coalesce(sum(failed), 0) AS failed FROM (
    SELECT max(d.state = 'failed') AS failed FROM deliveries d INDEXED BY deliveries_night
    WHERE d.night = ? AND d.state <> 'delivered' AND ${counts("d")} GROUP BY d.version_id
  )`;

const POINTS =
  `SELECT d.id, d.version_id AS versionId, d.job, d.destination, v.size, d.queued_at AS queuedAt, d.delivered_at AS deliveredAt
  FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.night = ? AND d.id > ? AND ${counts("d")} ORDER BY d.id LIMIT ?`;

const FRAMES = `SELECT v.id AS versionId, v.job, v.path, ${TARGET} AS target, ${FILTER} AS filter,
  CAST(coalesce(json_extract(v.cards, '$.EXPTIME'), json_extract(v.cards, '$.EXPOSURE')) AS REAL) AS exposure
  FROM versions v WHERE v.id BETWEEN ? AND ? AND v.night = ? ORDER BY v.id LIMIT ?`;

const FLAGGED_VERSIONS = `FROM versions v INDEXED BY versions_flagged WHERE v.night = ? AND v.warning IS NOT NULL
  AND EXISTS (SELECT 1 FROM deliveries d WHERE d.version_id = v.id)`;

const COUNT_FLAGGED = `SELECT count(*) AS n ${FLAGGED_VERSIONS}`;

const FLAGGED = `SELECT v.* ${FLAGGED_VERSIONS} ORDER BY v.id LIMIT ?`;
