/** Heartbeats: one record for each computer, written every minute, and what others read in them. */
import * as z from "zod";
import { type BeatReport, type FleetMember, toBeatReport } from "../domain/fleet.ts";
import type { StatusReport } from "../reports/overview/status_json.ts";
import type { LiveReport } from "../reports/daemon_control.ts";
import type { FleetSums } from "../reports/fleet/fleet_sums.ts";
import { HEARTBEATS } from "./collections.ts";
import { daemons, type Identity } from "./accounts.ts";
import { type PocketbaseServer, timeOf } from "./pocketbase_server.ts";
import { nonsense, ServerFailure, understood } from "./server_failure.ts";

/** How often one is written. */
export const BEAT_MS = 60_000;
/** After so many that did not come, a computer is offline. */
export const MISSED = 3;

/** More would not fit into a record where names are long. */
const MOST_DESTINATIONS = 100;

/** What a heartbeat tells of this computer. */
export function beatReport(
  { status, live, sums, clockAheadMs, mayDo }: {
    readonly status: StatusReport;
    readonly live: LiveReport;
    readonly sums: FleetSums;
    readonly clockAheadMs: number | null;
    readonly mayDo: readonly string[];
  },
): BeatReport {
  const { deliveries, started_at, url } = status;
  const troubledFirst = status.destinations.toSorted((one, other) =>
    Number(one.state === "open") - Number(other.state === "open")
  );
  return {
    started_at,
    page: url,
    waiting: sums.waiting,
    failed: deliveries.failed,
    delivered: deliveries.delivered,
    oldest_waiting: live.oldestWaiting === null ? null : new Date(live.oldestWaiting).toISOString(),
    destinations: troubledFirst.slice(0, MOST_DESTINATIONS)
      .map(({ job, name, state, queued, sending, deferred, free_bytes }) => ({
        job,
        name,
        state,
        waiting: queued + sending + deferred,
        free_bytes,
      })),
    night: sums.night,
    clock_ahead_seconds: clockAheadMs === null ? null : Math.round(clockAheadMs / 100) / 10,
    may_do: mayDo,
  };
}

/** What is written. */
export interface Beat {
  readonly version: string;
  readonly level: string;
  readonly headline: string;
  readonly every_seconds: number;
  readonly report: BeatReport;
  /** Why the server's jobs are not used; empty if they are. */
  readonly config_error: string;
  /** Which process writes it. */
  readonly instance: string;
}

const RECORDS = `/api/collections/${HEARTBEATS}/records`;
/** What the server says of a record that it has written. */
const written = z.object({ id: z.string(), updated: z.unknown().optional(), beats: z.number().nullable().catch(null) });

/** Writes the record of this computer. */
export function beatWriter(server: PocketbaseServer) {
  /** Of the record; null until it is known. */
  let id: string | null = null;
  /** How many heartbeats it had when this process last wrote one; null while that is not known. */
  let beats: number | null = null;
  /** Whether somebody else has written one since. */
  let isShared = false;
  /** The other daemon that was last seen in it, and how many heartbeats ago. */
  let other: { readonly instance: string; readonly beatsAgo: number } | null = null;

  async function send(method: "POST" | "PATCH", to: string, body: unknown, signal: AbortSignal): Promise<number> {
    const former = beats;
    // Without an answer, nobody knows whether this one counts.
    beats = null;
    const query = { fields: "id,updated,beats" };
    const answer = understood(written, await server.ask(to, { method, query, body }, signal), server.url);
    const at = timeOf(answer.updated);
    if (at === 0) throw nonsense(server.url);
    ({ id, beats } = answer);
    isShared = former !== null && (beats ?? 0) > former + 1;
    return at;
  }

  return {
    id: (): string | null => id,
    /** Another daemon that writes the same record, because it has the same account; null if none did lately. @throws {Failure} */
    async otherDaemon(own: string, signal: AbortSignal): Promise<string | null> {
      const wasShared = isShared;
      isShared = false;
      other = other === null || other.beatsAgo >= MISSED ? null : { ...other, beatsAgo: other.beatsAgo + 1 };
      if (wasShared && id !== null) {
        const query = { fields: "instance" };
        const { instance } = await server.ask<{ instance: unknown }>(`${RECORDS}/${id}`, { query }, signal);
        if (typeof instance === "string" && instance !== own) other = { instance, beatsAgo: 0 };
      }
      return other?.instance ?? null;
    },
    /** Returns when the server says that it wrote it, by its clock. @throws {Failure} */
    async write(beat: Beat, { id: daemon }: Identity, signal: AbortSignal): Promise<number> {
      const counted = { ...beat, "beats+": 1 };
      if (id !== null) {
        try {
          return await send("PATCH", `${RECORDS}/${id}`, counted, signal);
        } catch (error) {
          // Somebody has removed it, or the account is another one now.
          if (!(error instanceof ServerFailure) || error.status !== 404) throw error;
          id = null;
        }
      }
      const [own] = await server.all<{ id: string }>(HEARTBEATS, { filter: `daemon = "${daemon}"`, fields: "id" }, signal);
      return own === undefined
        ? await send("POST", RECORDS, { daemon, beats: 1, ...beat }, signal)
        : await send("PATCH", `${RECORDS}/${own.id}`, counted, signal);
    },
  };
}

/** What a record of another computer says is not trusted to have its shape, nor to be in its bounds. */
const beatRecord = z.object({
  daemon: z.string().catch(""),
  updated: z.string().catch(""),
  version: z.string().max(64).catch(""),
  level: z.enum(["bad", "warning", "unknown", "busy", "good"]).catch("unknown"),
  headline: z.string().max(500).catch(""),
  // Nobody writes them less often: with a longer period, it would take days until a computer counts as offline.
  every_seconds: z.number().min(0.1).max(BEAT_MS / 1000).catch(BEAT_MS / 1000),
  report: z.unknown(),
  config_error: z.string().max(2000).catch(""),
});

type BeatRecord = z.output<typeof beatRecord>;

const WORST_FIRST = ["offline", "bad", "warning", "unknown", "busy", "good"] as const;

/** The state of all computers at this moment, the worst first. Ages are told by the server's clock, which wrote the heartbeats. @throws {Failure} */
export async function fleetNow(server: PocketbaseServer, signal: AbortSignal): Promise<readonly FleetMember[]> {
  await server.renew(signal);
  const known = await daemons(server, signal);
  return await readFleet(known, await server.clock(signal), server, signal);
}

/** All computers, the worst first; `serverNow` is the server's clock, milliseconds since 1970 UTC. */
export async function readFleet(
  known: readonly Identity[],
  serverNow: number,
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<readonly FleetMember[]> {
  const beats = new Map(
    (await server.all(HEARTBEATS, {}, signal)).map((written) => beatRecord.parse(written)).map((beat) => [beat.daemon, beat]),
  );
  const members = known.map(({ id, name }) => memberOf(name, beats.get(id), serverNow));
  const rank = ({ level }: FleetMember) => WORST_FIRST.indexOf(level);
  return members.sort((one, other) => rank(one) - rank(other) || (one.name < other.name ? -1 : 1));
}

function memberOf(name: string, beat: BeatRecord | undefined, now: number): FleetMember {
  if (beat === undefined) {
    const unknown = { version: null, seen_at: null, seconds_ago: null, config_error: null, report: null };
    return { name, level: "unknown", headline: "It has never reported", ...unknown };
  }
  const seenAt = timeOf(beat.updated);
  const { level: own, every_seconds: every } = beat;
  // The server's clock may have been set back: what was heard in the future is no sign of life.
  const isOffline = Math.abs(now - seenAt) > MISSED * every * 1000;
  // A daemon of an older version calls itself well all the same.
  const level = beat.config_error !== "" && (own === "good" || own === "busy") ? "warning" : own;
  return {
    name,
    level: isOffline ? "offline" : level,
    headline: beat.headline,
    version: beat.version,
    seen_at: new Date(seenAt).toISOString(),
    seconds_ago: Math.max(0, Math.round((now - seenAt) / 1000)),
    config_error: beat.config_error === "" ? null : beat.config_error,
    report: toBeatReport(beat.report),
  };
}
