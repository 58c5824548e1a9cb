/**
 * The morning report: what a night's images came to. Well is a night only when every image that was seen is delivered, proven, and
 * still there. It is read in small pieces with pauses: a report of a hundred thousand files holds up no delivery, and needs little memory.
 */
import { chunks } from "../../domain/chunks.ts";
import type { Delivery } from "../../domain/delivery.ts";
import type { Destination, Job } from "../../config/settings.ts";
import { isTrouble } from "../../domain/failure.ts";
import { checkedIn } from "../../domain/audit.ts";
import type { DeliveryRow, History, NightTotals } from "../../ledger/history.ts";
import type { System } from "../../system/system.ts";
import { configuredOrder } from "../night/night_summary.ts";
import type { Headline } from "../overview/status_json.ts";
import { faultsOf, type MorningReport, type ReportAudit, type ReportDestination } from "./morning_json.ts";
import type { NotPickedUp, Reasons, Why } from "./not_picked_up.ts";
import { frameGaps, type FrameNumbers } from "./frame_gaps.ts";

/** How a look at a destination came out. */
export type Look = { readonly looked: true; readonly hashed: boolean } | { readonly looked: false; readonly problem: string };

/** What was delivered to a destination and should be there now, every target once. */
export interface Delivered {
  /** All of it, piece by piece, at most `atOnce` at a time; to be gone through once. */
  pieces(atOnce: number): AsyncIterable<readonly DeliveryRow[]>;
  /** Hears for each row of a piece, in order, why it is not there as delivered, or null. */
  found(rows: readonly DeliveryRow[], reasons: readonly (string | null)[]): void;
}

/** What the report is made of. */
export interface ReportTools {
  readonly ledger: Pick<History, "each" | "flagged" | "nightTotals" | "counts" | "auditOf">;
  /** Ids of what nights after this one replaced at a destination; not given where there is no night after it. */
  readonly replacedLater?: (job: string, destination: string) => readonly number[];
  readonly system: Pick<System, "sleep">;
  readonly jobs: readonly Job[];
  /** Why a destination that no job has cannot be asked: that it is not configured any more, unless given. */
  readonly notAmongJobs?: string;
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
  /** Entries of each list; a hundred unless given. */
  readonly mostListed?: number;
  /** Of the daemon that runs. */
  readonly headline?: Headline;
  /** The images of the night that the ledger does not know; `saw` is called for each. */
  readonly notPickedUp: (night: string, saw: (job: string, path: string) => void) => Promise<NotPickedUp>;
  /** What keeps deliveries waiting at this moment. */
  readonly whyWaiting: Reasons["ofWaiting"];
  /** Asked once for each destination that is configured and has files of the night; never throws. */
  readonly look: (destination: Destination, delivered: Delivered) => Promise<Look>;
}

const MOST_SLOWEST = 10;
/** Unless somebody wants more. */
const FIRST_LISTED = 100;
/** Rows read without a pause. */
const PIECE = 500;

/** `night` is `YYYYMMDD`. Goes through its deliveries twice, destination by destination. */
export async function morningReport(night: string, tools: ReportTools): Promise<MorningReport> {
  const { mostListed = FIRST_LISTED } = tools;
  const totals = tools.ledger.nightTotals(night);
  const frames = frameGaps();
  const destinations: ReportDestination[] = [];
  const slow: Slow[] = [];
  const undelivered: DeliveryRow[] = [];
  const order = configuredOrder(tools.jobs);
  for (const place of totals.places.toSorted(order)) {
    const seen = await gather(night, place, frames, tools);
    slow.push(...seen.slowest);
    undelivered.push(...seen.undelivered);
    const { job, destination: name, expected, delivered, proven, bytes } = place;
    const replaced = seen.replaced.size;
    const there = await presence(night, place, seen.replaced, tools);
    destinations.push({ job, name, expected, delivered, proven, replaced, bytes, ...there });
  }
  const missed = await tools.notPickedUp(night, frames.saw);
  const gaps = frames.gaps();
  const flagged = tools.ledger.flagged(night, mostListed);
  const audits = auditsOf(tools);
  return {
    night,
    made_at: new Date(tools.now).toISOString(),
    all_well: faultsOf({ not_taken: missed, destinations, gaps, audits }).length === 0,
    headline: tools.headline ?? null,
    seen: { files: totals.files + missed.count, bytes: totals.bytes + missed.bytes },
    not_taken: missed,
    flagged: {
      count: flagged.count,
      files: flagged.files.map(({ source, warning }) => ({ job: source.job, path: source.absolutePath, message: warning })),
    },
    destinations,
    audits,
    gaps,
    slowest: slowestOf(slow),
    undelivered_count: destinations.reduce((sum, { expected, delivered }) => sum + expected - delivered, 0),
    undelivered: undelivered.sort((a, b) => a.delivery.id - b.delivery.id).slice(0, mostListed).map(({ delivery }) => {
      const { id, source, destination, state } = delivery;
      const why = "failure" in state ? null : tools.whyWaiting(source.job, destination);
      return {
        id,
        job: source.job,
        path: source.absolutePath,
        destination,
        // What a killed daemon was sending is not being sent now.
        state: why === null ? state.state : "queued",
        ...whyUndelivered(delivery, why),
      };
    }),
  };
}

function auditsOf({ jobs, ledger }: Pick<ReportTools, "jobs" | "ledger">): ReportAudit[] {
  return jobs.flatMap(({ destinations }) => destinations).flatMap(({ job, name, audit }) => {
    const { damaged = 0, vanished = 0 } = ledger.counts(job, name);
    const run = ledger.auditOf(job, name);
    if (audit === null && damaged + vanished === 0) return [];
    return [{
      job,
      name,
      begun_at: run === null ? null : new Date(run.begunAt).toISOString(),
      checked: run === null ? 0 : checkedIn(run),
      changed: run?.found.changed ?? 0,
      unreadable: run?.found.unreadable ?? 0,
      sent_again: run?.sentAgain ?? 0,
      damaged,
      vanished,
    }];
  });
}

function whyUndelivered({ state }: Delivery, why: Why | null): Why {
  if ("failure" in state) return { message: state.failure.message, hint: state.failure.hint };
  if (why !== null) return { message: `waiting: ${why.message}`, hint: why.hint };
  return { message: state.state === "sending" ? "it is being sent" : "waiting for its turn", hint: "" };
}

type Place = NightTotals["places"][number];
type Slow = MorningReport["slowest"][number];

/** What the ledger's rows alone tell of a destination; `replaced` are those whose target was delivered again later. */
async function gather(night: string, { job, destination }: Place, frames: FrameNumbers, tools: ReportTools) {
  const { ledger, system, mostListed = FIRST_LISTED } = tools;
  const later = new Set(tools.replacedLater?.(job, destination));
  const latest = new Map<string, { readonly id: number; readonly at: number }>();
  const replaced = new Set<number>();
  const undelivered: DeliveryRow[] = [];
  let slowest: Slow[] = [];
  for await (const rows of inPieces(ledger.each({ night, job, destination }), PIECE, system)) {
    const slow = [...slowest];
    for (const row of rows) {
      const { delivery: { id, source, target, queuedAt, state }, deliveredAt } = row;
      if (state.state === "failed" && !isTrouble(state.failure) && state.failure.code !== "gone") continue;
      frames.saw(source.job, source.path);
      if (deliveredAt === null) {
        if (undelivered.length < mostListed) undelivered.push(row);
        continue;
      }
      const before = latest.get(target);
      if (before === undefined || deliveredAt >= before.at) latest.set(target, { id, at: deliveredAt });
      if (before !== undefined) replaced.add(deliveredAt >= before.at ? before.id : id);
      if (later.has(id)) replaced.add(id);
      slow.push({ job, path: source.absolutePath, destination, seconds: Math.max(0, deliveredAt - queuedAt) / 1000 });
    }
    slowest = slowestOf(slow);
  }
  return { replaced, undelivered, slowest };
}

async function presence(
  night: string,
  { job, destination: name, delivered }: Place,
  replaced: ReadonlySet<number>,
  tools: ReportTools,
): Promise<Pick<ReportDestination, "present" | "hashed" | "wrong_count" | "wrong" | "problem">> {
  const unknown = (problem: string) => ({ present: null, hashed: false, wrong_count: 0, wrong: [], problem });
  const destination = tools.jobs.find((one) => one.name === job)?.destinations.find((one) => one.name === name);
  if (destination === undefined) return unknown(tools.notAmongJobs ?? "it is no longer configured");
  const { mostListed = FIRST_LISTED } = tools;
  const wrong: ReportDestination["wrong"][number][] = [];
  let [present, wrongCount] = [0, 0];
  const seen: Delivered = {
    async *pieces(atOnce) {
      const rows = tools.ledger.each({ night, job, destination: name, states: ["delivered"] });
      for await (const piece of inPieces(rows, atOnce, tools.system)) {
        const some = piece.filter(({ delivery: { id } }) => !replaced.has(id));
        if (some.length > 0) yield some;
      }
    },
    found(rows, reasons) {
      for (const [index, { delivery: { source, target } }] of rows.entries()) {
        const reason = reasons[index] ?? null;
        if (reason === null) present++;
        else if (++wrongCount <= mostListed) wrong.push({ path: source.absolutePath, target, reason });
      }
    },
  };
  const look: Look = delivered === 0 ? { looked: true, hashed: false } : await tools.look(destination, seen);
  return look.looked ? { present, hashed: look.hashed, wrong_count: wrongCount, wrong, problem: null } : unknown(look.problem);
}

/** Lets others work after each piece. */
async function* inPieces(
  rows: Iterable<DeliveryRow>,
  atOnce: number,
  system: ReportTools["system"],
): AsyncGenerator<readonly DeliveryRow[]> {
  for (const piece of chunks(rows, atOnce)) {
    yield piece;
    await system.sleep(0);
  }
}

function slowestOf(slow: Slow[]): Slow[] {
  return slow.sort((a, b) => b.seconds - a.seconds).slice(0, MOST_SLOWEST);
}
