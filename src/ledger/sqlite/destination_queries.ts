/**
 * What is remembered about destinations: their devices (per job and destination), who paused them (per name), and the names there;
 * and when jobs with a schedule last ran.
 */
import { nameKey } from "../../domain/names/name_key.ts";
import type { OutboxLedger } from "../outbox_ledger.ts";
import type { Database } from "./database.ts";
import { number, text } from "./rows.ts";

export function destinationQueries(
  db: Database,
): Pick<
  OutboxLedger,
  | "deviceOf"
  | "rememberDevice"
  | "unflushed"
  | "rememberUnflushed"
  | "lastRun"
  | "rememberRun"
  | "pausedBy"
  | "setPaused"
  | "namesakes"
> {
  return {
    deviceOf(job, destination) {
      const row = db.get("SELECT device FROM destinations WHERE job = ? AND name = ?", job, destination);
      return row === undefined ? null : text(row, "device");
    },
    rememberDevice: (job, destination, device) =>
      void db.transaction(() =>
        db.run("INSERT OR REPLACE INTO destinations (job, name, device) VALUES (?, ?, ?)", job, destination, device)
      ),
    unflushed(job, destination) {
      const row = db.get("SELECT value FROM meta WHERE key = ?", unflushedKey(job, destination));
      return row === undefined ? [] : JSON.parse(text(row, "value"));
    },
    rememberUnflushed(job, destination, targets) {
      const key = unflushedKey(job, destination);
      db.transaction(() =>
        targets.length === 0
          ? db.run("DELETE FROM meta WHERE key = ?", key)
          : db.run("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", key, JSON.stringify(targets))
      );
    },
    lastRun(job) {
      const row = db.get("SELECT begun_at FROM runs WHERE job = ?", job);
      return row === undefined ? null : number(row, "begun_at");
    },
    rememberRun: (job, at) =>
      void db.transaction(() => db.run("INSERT OR REPLACE INTO runs (job, begun_at) VALUES (?, ?)", job, Math.trunc(at))),
    pausedBy(destination) {
      const row = db.get("SELECT paused_by FROM pauses WHERE destination = ?", destination);
      return row === undefined ? null : text(row, "paused_by");
    },
    setPaused: (destination, by) =>
      void db.transaction(() =>
        by === null
          ? db.run("DELETE FROM pauses WHERE destination = ?", destination)
          : db.run("INSERT OR REPLACE INTO pauses (destination, paused_by) VALUES (?, ?)", destination, by)
      ),
    namesakes(job, destination, target) {
      // LIKE ignores the case of ASCII letters; whatever else may differ is any text, a letter before a combining accent included.
      const pattern = target.replaceAll(/[!%_]/g, "!$&").replaceAll(/.?\P{ASCII}+/gsu, "%");
      return db.all(NAMESAKES, job, destination, pattern).map((row) => text(row, "target"))
        .filter((other) => other !== target && nameKey(other) === nameKey(target));
    },
  };
}

function unflushedKey(job: string, destination: string): string {
  return `unflushed ${JSON.stringify([job, destination])}`;
}

const NAMESAKES = `SELECT DISTINCT target FROM deliveries
  WHERE job = ? AND destination = ? AND state = 'delivered' AND target LIKE ? ESCAPE '!'`;
