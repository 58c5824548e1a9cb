/**
 * Heartbeats: one record for each computer, written every minute, and what others read in them.
 *
 * @module
 */
import * as z from "zod";
import { type BeatReport, type FleetMember, toBeatReport } from "../domain/fleet.ts";
import type { StatusReport } from "../reports/overview/status_json.ts";
import type { LiveReport } from "../reports/daemon_control.ts";
import type { FleetSums } from "../reports/fleet/fleet_sums.ts";
import { HEARTBEATS } from "./collections.ts";
import { daemons, type Identity } from "./accounts.ts";
import type { PocketbaseServer } from "./pocketbase_server.ts";
import { nonsense, ServerFailure } from "./server_failure.ts";

/** How often one is written. */
export const BEAT_MS = 60_000;
/** After so many that did not come, a computer is offline. */
export const MISSED = 3;

/** What a heartbeat is made of. */
export interface BeatParts {
  readonly status: StatusReport;
  readonly live: LiveReport;
  readonly sums: FleetSums;
  readonly clockAheadMs: number | null;
  readonly mayDo: readonly string[];
}

export function beatReport({ status, live, sums, clockAheadMs, mayDo }: BeatParts): BeatReport {
  const { deliveries, destinations, started_at, url } = status;
  return {
    started_at,
    page: url,
    waiting: sums.waiting,
    failed: deliveries.failed,
    delivered: deliveries.delivered,
    oldest_waiting: live.oldestWaiting === null ? null : new Date(live.oldestWaiting).toISOString(),
    destinations: troubledFirst(destinations).slice(0, MOST_DESTINATIONS).map((
      { job, name, state, queued, sending, deferred, free_bytes },
    ) => ({
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

/** More would not fit into a record where names are long. */
const MOST_DESTINATIONS = 100;

function troubledFirst(destinations: StatusReport["destinations"]): StatusReport["destinations"] {
  return destinations.toSorted((one, other) => Number(one.state === "open") - Number(other.state === "open"));
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

/** The record of this computer. */
export interface BeatPlace {
  /** Null until it is known. */
  id: string | null;
  /** How many heartbeats it had when this process last wrote one; null while that is not known. */
  beats: number | null;
  /** Whether somebody else has written one since. */
  isShared: boolean;
  /** The other daemon that was last seen in it, and how many heartbeats ago. */
  other: { readonly instance: string; readonly beatsAgo: number } | null;
}

export function beatPlace(): BeatPlace {
  return { id: null, beats: null, isShared: false, other: null };
}

/** Another daemon that writes the same record, because it has the same account; null if none did lately. @throws {Failure} */
export async function otherDaemon(
  own: string,
  place: BeatPlace,
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<string | null> {
  const { id, isShared, other } = place;
  place.isShared = false;
  place.other = other === null || other.beatsAgo >= MISSED ? null : { ...other, beatsAgo: other.beatsAgo + 1 };
  if (isShared && id !== null) {
    const query = { fields: "instance" };
    const { instance } = await server.ask<{ instance: unknown }>(`${RECORDS}/${id}`, { query }, signal);
    if (typeof instance === "string" && instance !== own) place.other = { instance, beatsAgo: 0 };
  }
  return place.other?.instance ?? null;
}

const RECORDS = `/api/collections/${HEARTBEATS}/records`;

/** Writes the record of this computer; returns when the server says that it did, by its clock. @throws {Failure} */
export async function writeBeat(
  beat: Beat,
  { id: daemon }: Identity,
  place: BeatPlace,
  server: PocketbaseServer,
  signal: AbortSignal,
): Promise<number> {
  const write = async (method: "POST" | "PATCH", to: string, body: unknown) => {
    const former = place.beats;
    // Without an answer, nobody knows whether this one counts.
    place.beats = null;
    const { id, updated, beats } = await server.ask<Written>(to, { method, query: { fields: "id,updated,beats" }, body }, signal);
    const at = timeOf(updated);
    if (at === 0) throw nonsense(server.url);
    place.id = String(id);
    place.beats = typeof beats === "number" ? beats : null;
    place.isShared = former !== null && (place.beats ?? 0) > former + 1;
    return at;
  };
  const counted = { ...beat, "beats+": 1 };
  if (place.id !== null) {
    try {
      return await write("PATCH", `${RECORDS}/${place.id}`, counted);
    } catch (error) {
      // Somebody has removed it, or the account is another one now.
      if (!(error instanceof ServerFailure) || error.status !== 404) throw error;
      place.id = null;
    }
  }
  const [own] = await server.all<{ id: string }>(HEARTBEATS, { filter: `daemon = "${daemon}"`, fields: "id" }, signal);
  return own === undefined
    ? await write("POST", RECORDS, { daemon, beats: 1, ...beat })
    : await write("PATCH", `${RECORDS}/${own.id}`, counted);
}

interface Written {
  readonly id: unknown;
  readonly updated: unknown;
  readonly beats: unknown;
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
    const headline = "It has never reported";
    return {
      name,
      level: "unknown",
      headline,
      version: null,
      seen_at: null,
      seconds_ago: null,
      config_error: null,
      report: null,
    };
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

/** `2026-01-15 20:00:00.123Z`, as PocketBase writes times; 0 if it is none. */
function timeOf(written: unknown): number {
  const time = Date.parse(String(written).replace(" ", "T"));
  return Number.isNaN(time) ? 0 : time;
}
