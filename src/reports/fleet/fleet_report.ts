/**
 * The morning report over the fleet: how the night of every computer went, from its last heartbeat, the worst first. A computer that is
 * offline is unknown, never well: what it did after its last heartbeat nobody can tell.
 */
import type { FleetMember, FleetNow } from "../../domain/fleet.ts";

/** `report --fleet --json`, and what a webhook is sent as `fleet`: a shape that scripts depend on. Sizes in bytes, times ISO 8601 in UTC. */
export interface FleetReport {
  readonly made_at: string;
  readonly all_well: boolean;
  /** The nights that the computers tell of, the first one first: more than one only where their sites or clocks differ. */
  readonly nights: readonly string[];
  /** Of the computers that are not unknown. */
  readonly images: FleetImages;
  /** How many of them are well. */
  readonly well: number;
  readonly computers: readonly FleetNight[];
}

export interface FleetImages {
  readonly seen: number;
  /** At all of their destinations. */
  readonly delivered: number;
  /** Being sent at this moment by a computer that is well: nothing holds them up. */
  readonly on_the_way: number;
  /** Waiting for at least one destination. */
  readonly held: number;
  /** Failed, incomplete or rejected: they need a person. */
  readonly missing: number;
  /** Of all deliveries. */
  readonly bytes: number;
}

/** The night of one computer. */
export interface FleetNight {
  readonly name: string;
  /**
   * `unknown`: offline, never heard of, or too old to tell. `missing`: images need a person. `held`: images wait. `attention`: all
   * images are delivered, and something else is wrong.
   */
  readonly verdict: "unknown" | "missing" | "held" | "attention" | "well";
  /** Why it is not well; empty where it is. */
  readonly reason: string;
  readonly offline_since: string | null;
  /** `YYYYMMDD`; null where it has not told. */
  readonly night: string | null;
  /** Of an unknown computer, what it told last. Null where it has not told. */
  readonly images: FleetImages | null;
  /** When the oldest delivery that waits was queued. */
  readonly oldest_waiting: string | null;
  readonly clock_ahead_seconds: number | null;
  readonly version: string | null;
}

const WORST_FIRST = ["unknown", "missing", "held", "attention", "well"] as const satisfies readonly FleetNight["verdict"][];
/** What is known of others is older than three heartbeats. */
const STALE_MS = 180_000;

/** @param now milliseconds since 1970 UTC; `fleet` is null where the server has never answered. */
export function fleetReport(fleet: FleetNow | null, now: number): FleetReport {
  const isStale = fleet === null || now - fleet.at > STALE_MS;
  const computers = (fleet?.members ?? []).map((member) => nightOf(member, isStale, now))
    .sort((one, other) =>
      WORST_FIRST.indexOf(one.verdict) - WORST_FIRST.indexOf(other.verdict) || (one.name < other.name ? -1 : 1)
    );
  const known = computers.filter(({ verdict }) => verdict !== "unknown");
  const sum = (of: keyof FleetImages) => known.reduce((total, { images }) => total + (images?.[of] ?? 0), 0);
  const well = computers.filter(({ verdict }) => verdict === "well").length;
  return {
    made_at: new Date(now).toISOString(),
    all_well: well > 0 && well === computers.length,
    nights: [...new Set(known.flatMap(({ night }) => night ?? []))].sort(),
    images: {
      seen: sum("seen"),
      delivered: sum("delivered"),
      on_the_way: sum("on_the_way"),
      held: sum("held"),
      missing: sum("missing"),
      bytes: sum("bytes"),
    },
    well,
    computers,
  };
}

function nightOf(member: FleetMember, isStale: boolean, now: number): FleetNight {
  const { name, level, seen_at, report, version } = member;
  const night = report?.night ?? null;
  const moves = isOnTheWay(member, now);
  const images = night === null ? null : {
    seen: night.files + night.not_sent,
    delivered: night.files_delivered,
    on_the_way: moves ? night.files_waiting : 0,
    held: moves ? 0 : night.files_waiting,
    missing: night.files_failed + night.not_sent,
    bytes: night.bytes,
  };
  return {
    name,
    ...judged(member, images, isStale),
    offline_since: level === "offline" ? seen_at : null,
    night: night?.night ?? null,
    images,
    oldest_waiting: report?.oldest_waiting ?? null,
    clock_ahead_seconds: report?.clock_ahead_seconds ?? null,
    version,
  };
}

/** What waits has not waited long, and by its own word nothing is wrong with the computer. */
function isOnTheWay({ level, report }: FleetMember, now: number): boolean {
  if (level !== "good" && level !== "busy") return false;
  if (report === null || report.oldest_waiting === null) return true;
  const aheadMs = (report.clock_ahead_seconds ?? 0) * 1000;
  return now - (Date.parse(report.oldest_waiting) - aheadMs) < ON_THE_WAY_MS;
}

/** Who waits longer is held up by something, whatever the computer says. */
const ON_THE_WAY_MS = 600_000;

function judged(
  { level, headline, config_error }: FleetMember,
  images: FleetImages | null,
  isStale: boolean,
): Pick<FleetNight, "verdict" | "reason"> {
  if (isStale) return { verdict: "unknown", reason: "the PocketBase server has not answered this computer for three minutes" };
  if (level === "offline") return { verdict: "unknown", reason: "offline" };
  if (images === null) {
    return { verdict: "unknown", reason: level === "unknown" ? "it has never reported" : "its version does not tell" };
  }
  const trouble = level === "good" || level === "busy" ? "" : headline;
  if (images.missing > 0) return { verdict: "missing", reason: trouble };
  if (images.held > 0) return { verdict: "held", reason: trouble };
  if (trouble !== "") return { verdict: "attention", reason: trouble };
  return config_error === null
    ? { verdict: "well", reason: "" }
    : { verdict: "attention", reason: `its jobs on the server are not used: ${config_error}` };
}
