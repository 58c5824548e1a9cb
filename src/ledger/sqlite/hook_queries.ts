/** Events kept for hooks, noted by triggers: a crash between a record and its note cannot lose one. */
import type { HookNote, OutboxLedger } from "../outbox_ledger.ts";
import type { Database, Row } from "./database.ts";
import { number, SELECT_DELIVERY, text, toDelivery } from "./rows.ts";

const trigger = (noTrouble: string) =>
  `CREATE TRIGGER hooks_record AFTER UPDATE OF state ON deliveries
  WHEN NEW.state IN ('delivered', 'failed') AND NEW.state <> OLD.state
    AND coalesce(NEW.failure_code, '') NOT IN (${noTrouble})
    AND EXISTS (SELECT 1 FROM hook_events WHERE event = NEW.state)
  BEGIN
    INSERT INTO hook_notes (event, at, delivery_id, detail) VALUES (
      NEW.state,
      CAST(unixepoch('subsec') * 1000 AS INTEGER),
      NEW.id,
      CASE NEW.state WHEN 'failed' THEN
        json_object('code', NEW.failure_code, 'message', NEW.failure_message, 'hint', coalesce(NEW.failure_hint, ''))
      END
    );
  END;`;

/** Without a hook, a delivery costs one look at an empty table. */
export const HOOKS_MIGRATION = `
  CREATE TABLE hook_events (event TEXT PRIMARY KEY) STRICT, WITHOUT ROWID;
  CREATE TABLE hook_positions (hook TEXT PRIMARY KEY, note_id INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE hook_notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event TEXT NOT NULL,
    at INTEGER NOT NULL,
    delivery_id INTEGER REFERENCES deliveries (id),
    -- Of a failure, as JSON: its delivery may be delivered when the hook is called. Of a report, its text.
    detail TEXT
  ) STRICT;
  ${trigger("'superseded', 'skipped', 'gone'")}
`;

/** A file that a mirror has removed is not a failure, but the former trigger took it for one. */
export const HOOKS_REMOVED_MIGRATION = `
  DROP TRIGGER hooks_record;
  ${trigger("'superseded', 'skipped', 'gone', 'removed'")}
`;

export function hookQueries(db: Database) {
  const last = () => db.count("SELECT coalesce(max(seq), 0) AS n FROM sqlite_sequence WHERE name = 'hook_notes'");
  return {
    keepForHooks: (events) =>
      void db.transaction(() => {
        db.run("DELETE FROM hook_events");
        for (const event of events) db.run("INSERT INTO hook_events (event) VALUES (?)", event);
      }),
    noteReport: (report, now) =>
      void db.transaction(() =>
        db.run(
          "INSERT INTO hook_notes (event, at, detail) SELECT event, ?, ? FROM hook_events WHERE event = 'report'",
          Math.trunc(now),
          report,
        )
      ),
    hookNotes: (after, limit) => db.all(NOTES, after, limit).map(toNote),
    hookPosition(hook) {
      const row = db.get("SELECT note_id FROM hook_positions WHERE hook = ?", hook);
      return row === undefined ? last() : number(row, "note_id");
    },
    advanceHook: (hook, note) =>
      void db.transaction(() => {
        db.run(SET_POSITION, hook, note);
        db.run("DELETE FROM hook_notes WHERE id <= (SELECT min(note_id) FROM hook_positions)");
      }),
    keepHooks: (hooks) =>
      void db.transaction(() => {
        const names = JSON.stringify(hooks);
        db.run("DELETE FROM hook_positions WHERE hook NOT IN (SELECT value FROM json_each(?))", names);
        db.run("INSERT OR IGNORE INTO hook_positions SELECT value, ? FROM json_each(?)", last(), names);
        db.run("DELETE FROM hook_notes WHERE id <= (SELECT coalesce(min(note_id), ?) FROM hook_positions)", last());
      }),
    hookBacklog: (hook) =>
      db.count("SELECT count(*) AS n FROM hook_notes WHERE id > (SELECT note_id FROM hook_positions WHERE hook = ?)", hook),
    boundHookNotes: (most) =>
      db.transaction(() => {
        const oldest = db.get<{ id: number }>("SELECT id FROM hook_notes ORDER BY id DESC LIMIT 1 OFFSET ?", most);
        if (oldest === undefined) return 0;
        const lost = db.count(LOST, oldest.id);
        db.run("DELETE FROM hook_notes WHERE id <= ?", oldest.id);
        return lost;
      }),
  } satisfies Partial<OutboxLedger>;
}

function toNote(row: Row): HookNote {
  const [id, at, event] = [number(row, "note_id"), number(row, "at"), text(row, "event")];
  if (event === "report") return { id, at, event, text: text(row, "detail") };
  const delivery = toDelivery(row);
  if (event === "delivered") return { id, at, event, delivery };
  return { id, at, event: "failed", delivery, failure: JSON.parse(text(row, "detail")) };
}

// A report has no delivery: its columns are empty, and not read.
const NOTES = `${SELECT_DELIVERY}, n.id AS note_id, n.at, n.event, n.detail
  FROM hook_notes n LEFT JOIN deliveries d ON d.id = n.delivery_id LEFT JOIN versions v ON v.id = d.version_id
  WHERE n.id > ? ORDER BY n.id LIMIT ?`;
const SET_POSITION =
  "INSERT INTO hook_positions VALUES (?, ?) ON CONFLICT (hook) DO UPDATE SET note_id = max(note_id, excluded.note_id)";
/** Notes that are to go although not every hook has been called for them. */
const LOST = "SELECT count(*) AS n FROM hook_notes WHERE id <= ? AND id > (SELECT coalesce(min(note_id), 0) FROM hook_positions)";
