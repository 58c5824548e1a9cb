/**
 * The intake's half of the ledger: which files are new, and their admission.
 *
 * The highest revision of a path is what stands at the source. A file is known when that revision has its
 * fingerprint and a delivery for every destination; one whose delivery was given up because the source was gone, or for a
 * newer version that never came, is not known, so that a file that is there after all is delivered after all.
 *
 * @module
 */
import type { Delivery } from "../../domain/delivery.ts";
import { type FileFacts, fingerprint } from "../../domain/source_file.ts";
import type { Database, Row } from "./database.ts";
import type { Admission, Ledger } from "../ledger.ts";
import { number, STATE_COLUMNS, stateValues, text, textOrNull } from "./rows.ts";
import { SUPERSEDED } from "../superseded.ts";

/** How many paths are looked up by one statement: memory stays small, the cost per path too. */
const CHUNK = 5_000;

/** `unknown` reads one moment; `admit` and `recheck` are one transaction each, durable on return. */
export function intakeQueries(db: Database): Pick<Ledger, "unknown" | "admit" | "admittedAt" | "recheck"> {
  function unknown(job: string, files: readonly FileFacts[], destinations: readonly string[]) {
    const fresh: FileFacts[] = [];
    const recheck: FileFacts[] = [];
    const wanted = JSON.stringify([...new Set(destinations)]);
    const needed = new Set(destinations).size;
    db.snapshot(() => {
      for (let start = 0; start < files.length; start += CHUNK) {
        const chunk = files.slice(start, start + CHUNK);
        const known = new Map<string, Row>();
        for (const row of db.all(NEWEST, wanted, job, JSON.stringify(chunk.map((file) => file.path)))) {
          known.set(text(row, "path"), row);
        }
        for (const file of chunk) {
          const row = known.get(file.path);
          if (row === undefined || row["fingerprint"] !== fingerprint(file) || number(row, "admitted") < needed) fresh.push(file);
          else if (Math.trunc(number(row, "ctime_ms")) !== Math.trunc(file.ctimeMs)) recheck.push(file);
        }
      }
    });
    return { fresh, recheck };
  }

  function admit(admissions: readonly Admission[], now: number): Delivery[] {
    return counted(() => admissions.flatMap((admission) => admitOne(admission, null, now)));
  }

  function admittedAt(job: string, path: string, size: number): number | null {
    const row = db.get(
      "SELECT admitted_at FROM versions WHERE job = ? AND path = ? AND size = ? ORDER BY revision DESC LIMIT 1",
      job,
      path,
      size,
    );
    return row === undefined ? null : number(row, "admitted_at");
  }

  function recheck(admission: Admission, sha256: string, now: number): Delivery[] {
    return counted(() => {
      const newest = newestOf(admission);
      if (newest === null || newest.fingerprint !== fingerprint(admission.source)) return admitOne(admission, sha256, now);
      const differs = newest.sha256 !== null && newest.sha256 !== sha256;
      // A hash that was misread, while all that arrived is what stands here, makes no new version.
      const others = differs ? NOT_THESE_BYTES : DELIVERED_OTHERWISE;
      if (db.get(others, newest.id, sha256) !== undefined) return addVersion(admission, newest, sha256, now);
      db.run(SAME_BYTES, admission.source.ctimeMs, sha256, rereadAt(admission), newest.id);
      return addDeliveries(admission, newest, now);
    });
  }

  /** Runs an admission in one transaction and adds what is new to the totals. */
  function counted(work: () => Added[]): Delivery[] {
    return db.transaction(() => {
      const added = work();
      const totals = new Map<string, { job: string; destination: string; number: number }>();
      for (const { delivery: { source: { job }, destination }, isNew } of added) {
        const key = JSON.stringify([job, destination]);
        const total = totals.get(key) ?? { job, destination, number: 0 };
        if (isNew) totals.set(key, { ...total, number: total.number + 1 });
      }
      for (const { job, destination, number } of totals.values()) db.run(ADD_TO_TOTAL, job, destination, number);
      return added.map(({ delivery }) => delivery);
    });
  }

  function admitOne(admission: Admission, sha256: string | null, now: number): Added[] {
    const newest = newestOf(admission);
    if (newest?.fingerprint === fingerprint(admission.source)) return addDeliveries(admission, newest, now);
    return addVersion(admission, newest, sha256, now);
  }

  function newestOf({ source }: Admission): Newest | null {
    const row = db.get(
      "SELECT id, revision, fingerprint, sha256 FROM versions WHERE job = ? AND path = ? ORDER BY revision DESC LIMIT 1",
      source.job,
      source.path,
    );
    if (row === undefined) return null;
    return {
      id: number(row, "id"),
      revision: number(row, "revision"),
      fingerprint: text(row, "fingerprint"),
      sha256: textOrNull(row, "sha256"),
    };
  }

  function addVersion(admission: Admission, former: Newest | null, sha256: string | null, now: number): Added[] {
    const { source, night, cards } = admission;
    const revision = (former?.revision ?? 0) + 1;
    const id = db.insert(
      `INSERT INTO versions (job, path, revision, absolute_path, size, mtime_ms, ctime_ms, identity, fingerprint, sha256,
         night, cards, admitted_at, reread_at, warning) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      source.job,
      source.path,
      revision,
      source.absolutePath,
      source.size,
      source.mtimeMs,
      source.ctimeMs,
      source.identity,
      fingerprint(source),
      sha256,
      night,
      cards === undefined ? null : JSON.stringify(cards),
      Math.trunc(now),
      rereadAt(admission),
      admission.warning ?? null,
    );
    // The former bytes are gone.
    if (former !== null) db.run("UPDATE versions SET reread_at = NULL WHERE id = ?", former.id);
    return addDeliveries(admission, { id, revision }, now);
  }

  /** Adds the deliveries that the version does not have yet, and revives those that were given up although the file is there. */
  function addDeliveries(admission: Admission, version: Pick<Newest, "id" | "revision">, now: number): Added[] {
    const { source, targets, night } = admission;
    const added: Added[] = [];
    for (const { destination, target, method } of targets) {
      const queuedAt = Math.trunc(now);
      const waits = { source, destination, method, attempts: 0, state: { state: "queued" } } as const;
      const row = db.get(
        "SELECT id, state, failure_code, target, night, queued_at FROM deliveries WHERE version_id = ? AND destination = ?",
        version.id,
        destination,
      );
      if (row === undefined) {
        const id = db.insert(ADD, version.id, source.job, destination, night, method, target, source.mtimeMs, queuedAt);
        added.push({ isNew: true, delivery: { ...waits, id, target, night, queuedAt } });
      } else if (row["state"] === "failed" && (row["failure_code"] === "source_gone" || row["failure_code"] === "superseded")) {
        const id = number(row, "id");
        db.run(REVIVE, method, id);
        const stored = { target: text(row, "target"), night: text(row, "night"), queuedAt: number(row, "queued_at") };
        added.push({ isNew: false, delivery: { ...waits, id, ...stored } });
      }
    }
    if (version.revision > 1) {
      for (const { delivery: { destination } } of added) {
        const { job, path, absolutePath } = source;
        const superseded = stateValues({ state: "failed", failure: SUPERSEDED }, now);
        db.run(SUPERSEDE_OLDER, ...superseded, destination, job, path, absolutePath, job, path);
      }
    }
    return added;
  }

  return { unknown, admit, admittedAt, recheck };
}

function rereadAt({ racyUntil }: Admission): number | null {
  return racyUntil === undefined ? null : Math.ceil(racyUntil);
}

interface Added {
  readonly delivery: Delivery;
  /** False for one that was there and is tried again. */
  readonly isNew: boolean;
}

interface Newest {
  readonly id: number;
  readonly revision: number;
  readonly fingerprint: string;
  readonly sha256: string | null;
}

const SAME_BYTES = "UPDATE versions SET ctime_ms = ?, sha256 = ?, reread_at = ? WHERE id = ?";

/** The newest version of each path of a list, with how many of the wanted destinations it is admitted for. */
const NEWEST = `
  WITH wanted AS MATERIALIZED (SELECT value AS destination FROM json_each(?))
  SELECT v.path, v.fingerprint, v.ctime_ms, (
      SELECT count(*) FROM wanted w JOIN deliveries d ON d.version_id = v.id AND d.destination = w.destination
      WHERE d.state <> 'failed' OR d.failure_code NOT IN ('source_gone', 'superseded')
    ) AS admitted
  FROM (SELECT ? AS job) j, json_each(?) p
  JOIN versions v ON v.id = (
    SELECT n.id FROM versions n WHERE n.job = j.job AND n.path = p.value ORDER BY n.revision DESC LIMIT 1
  )`;

const ADD = `
  INSERT INTO deliveries (version_id, job, destination, night, method, target, sort_ms, queued_at, state, attempts)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'queued', 0)`;

// The target stays as it was first admitted: it is frozen.
const REVIVE = `UPDATE deliveries SET state = 'queued', attempts = 0, method = ?,
  failure_code = NULL, failure_next = NULL, failure_message = NULL, failure_hint = NULL WHERE id = ?`;

const ADD_TO_TOTAL = `INSERT INTO totals (job, destination, number) VALUES (?, ?, ?)
  ON CONFLICT DO UPDATE SET number = number + excluded.number`;

/** A delivery of the version whose proof is for other bytes. */
const DELIVERED_OTHERWISE = `SELECT 1 FROM deliveries
  WHERE version_id = ? AND state = 'delivered' AND receipt_sha256 <> ? LIMIT 1`;

/** A delivery of the version that is not proven to be of these bytes. */
const NOT_THESE_BYTES = `SELECT 1 FROM deliveries
  WHERE version_id = ? AND NOT (state = 'delivered' AND receipt_sha256 IS ?) LIMIT 1`;

/** Gives up what waits of older versions of a path, where the newer one goes to the same destination. */
const SUPERSEDE_OLDER = `
  UPDATE deliveries SET ${STATE_COLUMNS}
  WHERE state IN ('queued', 'deferred') AND destination = ? AND version_id IN (
    SELECT id FROM versions WHERE job = ? AND path = ? AND absolute_path = ? AND revision < (
      SELECT max(revision) FROM versions WHERE job = ? AND path = ?))`;
