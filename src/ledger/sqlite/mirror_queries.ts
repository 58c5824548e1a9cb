/** What mirrors know and remember. */
import { nameKey } from "../../domain/names/file_name.ts";
import type { OutboxLedger } from "../outbox_ledger.ts";
import type { Database } from "./database.ts";
import { markLost } from "./outbox_queries.ts";
import { number, SELECT_DELIVERY, text, textOrNull, toDelivery } from "./rows.ts";

export function mirrorQueries(db: Database) {
  return {
    keptPaths: (job, destinations, after, limit) => db.all(KEPT_PATHS, job, after, JSON.stringify(destinations), limit),
    keptDeliveries: (job, destination, paths) => db.all(KEPT_DELIVERIES, JSON.stringify(paths), job, destination).map(toDelivery),
    replacedBy({ id }) {
      const row = db.get(REPLACED_BY, id);
      return row === undefined ? null : toDelivery(row);
    },
    claimants(job, destination, targets) {
      const keys = new Set(targets.map(nameKey));
      // SQLite knows the case of ASCII letters only.
      const others = targets.some((target) => !isAscii(target)) ? 1 : 0;
      return db.all(CLAIMANTS, job, destination, JSON.stringify(targets), others).map(toDelivery)
        .filter(({ target }) => keys.has(nameKey(target)));
    },
    recordRemovals: (removals, now) =>
      void db.transaction(() => {
        for (const { id, message, hint } of removals) {
          markLost(db, [id], { code: "removed", next: "never", message, hint }, now);
        }
      }),
    mirrorOf(job, destination) {
      const row = db.get("SELECT * FROM mirrors WHERE job = ? AND destination = ?", job, destination);
      if (row === undefined) return null;
      const reason = textOrNull(row, "held_reason");
      return {
        root: text(row, "root"),
        accepted: number(row, "accepted"),
        held: reason === null ? null : { files: number(row, "held_files"), reason },
        clockMs: number(row, "clock_ms"),
        wallMs: number(row, "wall_ms"),
      };
    },
    rememberMirror: (job, destination, { root, accepted, held, clockMs, wallMs }) =>
      void db.transaction(() =>
        db.run(
          REMEMBER,
          ...[job, destination, root, accepted, held?.files ?? 0, held?.reason ?? null],
          ...[Math.trunc(clockMs), Math.trunc(wallMs)],
        )
      ),
    trash: (job, destination) =>
      db.all(
        "SELECT folder, born_ms AS bornMs FROM trash WHERE job = ? AND destination = ? ORDER BY born_ms, folder",
        job,
        destination,
      ),
    addTrash: (job, destination, folder, bornMs) =>
      void db.transaction(() =>
        db.run("INSERT OR IGNORE INTO trash VALUES (?, ?, ?, ?)", job, destination, folder, Math.trunc(bornMs))
      ),
    forgetTrash: (job, destination, folders) =>
      void db.transaction(() => db.run(FORGET_TRASH, job, destination, JSON.stringify(folders))),
  } satisfies Partial<OutboxLedger>;
}

/** No newer version has taken the place of this one there, or still may: those that failed never had the name. */
const IN_PLACE = `NOT EXISTS (SELECT 1 FROM versions n JOIN deliveries e ON e.version_id = n.id AND e.destination = d.destination
  WHERE n.job = v.job AND n.path = v.path AND n.revision > v.revision
    AND (e.state <> 'failed' OR e.failure_code IN ('removed', 'gone') OR n.removed_at IS NOT NULL))`;

const KEPT_PATHS = `SELECT v.path, v.absolute_path AS absolutePath, max(v.revision) FROM versions v
  WHERE v.job = ? AND v.path > ? AND v.removed_at IS NULL AND EXISTS (
    SELECT 1 FROM json_each(?) w JOIN deliveries d ON d.version_id = v.id AND d.destination = w.value
    WHERE d.state = 'delivered' AND ${IN_PLACE})
  GROUP BY v.path ORDER BY v.path LIMIT ?`;

const KEPT_DELIVERIES = `${SELECT_DELIVERY} FROM json_each(?) p CROSS JOIN versions v ON v.job = ? AND v.path = p.value
  CROSS JOIN deliveries d ON d.version_id = v.id AND d.destination = ?
  WHERE d.state = 'delivered' AND v.removed_at IS NULL AND ${IN_PLACE} ORDER BY d.id`;

const REPLACED_BY = `${SELECT_DELIVERY} FROM deliveries m JOIN versions n ON n.id = m.version_id
  JOIN versions v ON v.job = n.job AND v.path = n.path AND v.revision < n.revision
  JOIN deliveries d ON d.version_id = v.id AND d.destination = m.destination AND d.target = m.target
  WHERE m.id = ? AND d.state = 'delivered' ORDER BY v.revision DESC LIMIT 1`;

const CLAIMANTS = `${SELECT_DELIVERY} FROM deliveries d JOIN versions v ON v.id = d.version_id
  WHERE d.job = ? AND d.destination = ? AND d.state <> 'failed'
    AND (lower(d.target) IN (SELECT lower(value) FROM json_each(?)) OR ? AND d.target GLOB '*[^' || char(1) || '-' || char(127) || ']*')`;

function isAscii(text: string): boolean {
  // deno-lint-ignore no-control-regex
  return /^[\x01-\x7f]*$/.test(text);
}

const REMEMBER = `INSERT OR REPLACE INTO mirrors (job, destination, root, accepted, held_files, held_reason, clock_ms, wall_ms)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?)`;

const FORGET_TRASH = "DELETE FROM trash WHERE job = ? AND destination = ? AND folder IN (SELECT value FROM json_each(?))";
