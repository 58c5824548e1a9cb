/**
 * Sends the report of the night every morning to a webhook. A webhook that does not answer is tried again some times; delivery never
 * waits for it.
 */
import { deadline } from "../../async/deadline.ts";
import { failureRecord } from "../../domain/failure.ts";
import type { Destination, ReportSettings } from "../../config/settings.ts";
import { rolloverMinutes } from "../../domain/night/night.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import type { System } from "../../system/system.ts";
import { notPickedUp, reasonsFrom } from "./not_picked_up.ts";
import { type Delivered, type Look, morningReport } from "./morning_report.ts";
import { type MorningReport, verdictOf } from "./morning_json.ts";
import { nightToReport } from "../night/night_summary.ts";
import { fleetReport } from "../fleet/fleet_report.ts";
import { fleetReportText, fleetVerdict } from "../fleet/fleet_report_text.ts";
import { judged } from "../overview/facts.ts";
import type { DaemonState } from "../page_source.ts";
import { reportText } from "./report_text.ts";
import { reasonOf } from "../overview/status_report.ts";

/** What is reported; `emit` says whether it was sent. */
interface ReportScheduleTools {
  readonly source: DaemonState;
  readonly system: Pick<System, "now" | "sleep" | "walk" | "askRemote">;
  readonly emit: Emit;
}

/** The clock is read this often: a computer that slept notices at the next reading. */
const LOOK_MS = 30_000;
const ANSWER_MS = 30_000;
/** One with the hour that comes twice. */
const LONGEST_DAY_MS = 25 * 3_600_000;
/** Pauses between tries, seconds. */
const PAUSES = [5, 30, 120, 600] as const;
const AT_ONCE = 500;

/** Sends one report a day while it has settings; a time that is past today is left to tomorrow. */
export function reportSchedule(tools: ReportScheduleTools) {
  let running: { readonly settings: string; readonly end: AbortController; readonly over: Promise<void> } | null = null;
  return {
    /** Makes these settings the ones in force; null for no report. */
    adopt(settings: ReportSettings | null): void {
      if (running?.settings === JSON.stringify(settings)) return;
      running?.end.abort();
      running = null;
      if (settings === null) return;
      const end = new AbortController();
      running = { settings: JSON.stringify(settings), end, over: everyMorning(settings, tools, end.signal) };
    },
    /** Resolves when nothing is being sent any more. */
    async stop(): Promise<void> {
      running?.end.abort();
      await running?.over;
    },
  };
}

async function everyMorning({ at, to, fleet }: ReportSettings, tools: ReportScheduleTools, signal: AbortSignal): Promise<void> {
  const { system } = tools;
  let due = nextTime(at, system.now());
  while (!signal.aborted) {
    await system.sleep(Math.min(LOOK_MS, Math.max(0, due - system.now())), signal);
    // The clock was set back.
    if (due - system.now() > LONGEST_DAY_MS) due = nextTime(at, system.now());
    if (signal.aborted || system.now() < due) continue;
    due = nextTime(at, system.now());
    await tell(
      to,
      async () => {
        const report = await reportNow(tools.source, system, signal);
        return { text: reportText(report), verdict: verdictOf(report), data: { report } };
      },
      tools,
      signal,
    );
    if (!fleet) continue;
    await tell(
      to,
      async () => {
        const report = fleetReport(await tools.source.fleet(), system.now());
        return { text: fleetReportText(report), verdict: fleetVerdict(report), data: { fleet: report } };
      },
      tools,
      signal,
    );
  }
}

/** A report as it is told to hooks and sent. */
interface Message {
  /** Chat services show it and ignore the rest. */
  readonly text: string;
  /** In a sentence, for the log. */
  readonly verdict: string;
  /** For programs, besides the text. */
  readonly data: object;
}

async function tell(
  to: string | null,
  make: () => Promise<Message>,
  { emit, system }: ReportScheduleTools,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  try {
    const { text, verdict, data } = await make();
    emit({ type: "report", text });
    if (to === null) return;
    await send(to, JSON.stringify({ text, ...data }), system, signal);
    emit({ type: "notice", level: "info", message: `Report sent: ${verdict}` });
  } catch (error) {
    if (signal.aborted) return;
    // The address is a secret of the webhook's owner.
    const message = failureRecord(error).message.replace(/^Internal error: /, "");
    const reason = to === null ? message : message.replaceAll(to, "…");
    emit({ type: "notice", level: "warning", message: `Cannot send the report: ${reason}` });
  }
}

/** The next moment after `now` at which this computer's clock shows the time of day; milliseconds since 1970 UTC. */
export function nextTime(at: string, now: number): number {
  const minutes = rolloverMinutes(at) ?? 0;
  const date = new Date(now);
  date.setHours(0, minutes, 0, 0);
  if (date.getTime() > now) return date.getTime();
  // By the calendar, not by 24 hours, and by the time of day, not by today's: the clock may change meanwhile, and skip it today.
  date.setDate(date.getDate() + 1);
  return date.setHours(0, minutes, 0, 0);
}

/** The report of the latest night, by the sessions that are open anyway. */
export async function reportNow(
  source: DaemonState,
  system: Pick<System, "now" | "sleep" | "walk">,
  signal: AbortSignal,
): Promise<MorningReport> {
  const jobs = source.jobs().map(({ job }) => job);
  const now = system.now();
  const { status } = judged(source, now);
  const reasons = reasonsFrom(status);
  return await morningReport(nightToReport(source.ledger, jobs, now), {
    ledger: source.ledger,
    system,
    jobs,
    now,
    headline: status.headline,
    notPickedUp: (night, saw) => notPickedUp(night, { ledger: source.ledger, system, jobs, why: reasons.ofFile, saw }, signal),
    whyWaiting: reasons.ofWaiting,
    look: (destination, delivered) => look(source, destination, delivered, signal),
  });
}

/** By the session that is open anyway. */
async function look(
  source: DaemonState,
  destination: Destination,
  delivered: Delivered,
  signal: AbortSignal,
): Promise<Look> {
  const at = source.destinations().find(({ destination: { job, name } }) => job === destination.job && name === destination.name);
  try {
    for await (const rows of delivered.pieces(AT_ONCE)) {
      const found = await at?.survey(rows.map(({ delivery }) => delivery.target), signal) ?? null;
      if (found === null) return { looked: false, problem: at && reasonOf(at.state) || "it is not connected" };
      delivered.found(rows, rows.map(({ delivery: { source: { size } } }, index) => absence(size, found[index] ?? null)));
    }
  } catch (error) {
    return { looked: false, problem: failureRecord(error).message };
  }
  return { looked: true, hashed: false };
}

/** Why what is at a target is not what was delivered there, or null. */
export function absence(size: number, there: { readonly bytes: number; readonly kind: string } | null): string | null {
  if (there === null) return "it is no longer there";
  if (there.kind !== "file") return `a ${there.kind} is in its place`;
  return there.bytes === size ? null : `${size} bytes were delivered, ${there.bytes} are there`;
}

async function send(to: string, body: string, system: ReportScheduleTools["system"], signal: AbortSignal): Promise<void> {
  for (const pause of [...PAUSES, null]) {
    try {
      using limit = deadline(ANSWER_MS, system, signal, new Error("no response within 30 seconds"));
      const headers = { "content-type": "application/json" };
      const { status } = await system.askRemote(to, { method: "POST", headers, body }, limit.signal);
      if (status >= 200 && status < 300) return;
      throw new Error(`it responded with status ${status}`);
    } catch (error) {
      if (pause === null || signal.aborted) throw error;
    }
    await system.sleep(pause * 1000, signal);
  }
}
