/**
 * What the log says of an event. The two phrases `Successfully transferred` and `Failed to transfer` stand in no
 * other line: people count them with grep.
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { AUDIT_VERDICTS, type AuditRun, checkedIn, NOTHING_TO_CHECK } from "../domain/audit.ts";
import { type Delivery, type DestinationState, triesOf } from "../domain/delivery.ts";
import { isTrouble, withHint } from "../domain/failure.ts";
import { counted, localTime, span } from "../domain/words.ts";
import { pathField, printable } from "../domain/names/printable.ts";
import { withoutName } from "../domain/names/reason.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";

export type LogLevel = "trace" | "debug" | "info" | "warning" | "error";

/** One line of the log; `fields` go into JSON lines only. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Only for internal errors: their stack is written. */
  readonly error?: unknown;
}

/** The levels, the least urgent first. */
export const LOG_LEVELS: readonly LogLevel[] = ["trace", "debug", "info", "warning", "error"];

/** Events whose lines have the level `debug`, or less. There are several of each file. */
const DETAILS: ReadonlySet<TransferEvent["type"]> = new Set(["ready", "queued", "sending", "growing", "ahead"]);

/** The line for an event, or null where the log has nothing to say. Details that are below the level `least` are left out. */
export function logLine(event: TransferEvent, least: LogLevel = "trace"): LogLine | null {
  if (DETAILS.has(event.type) && LOG_LEVELS.indexOf(least) > LOG_LEVELS.indexOf("debug")) return null;
  return (LINES[event.type] as (event: TransferEvent) => LogLine | null)(event);
}

/** The event of a type, also where several types share one shape. */
type EventOf<T, E = TransferEvent> = E extends { readonly type: infer U } ? T extends U ? E : never : never;

const nothing = () => null;

const LINES: { readonly [T in TransferEvent["type"]]: (event: EventOf<T>) => LogLine | null } = {
  started: ({ version, pid }) => line("info", `image-transfer ${version} started (process ${pid})`),
  stopping: ({ reason }) => line("info", `Stopping: ${reason}`),
  stopped: () => line("info", "Stopped"),
  reloaded: () => line("info", "Configuration reloaded"),
  reload_refused: ({ message }) =>
    line("error", `Configuration not reloaded, keeping the current configuration: ${oneLine(message)}`),
  trouble: ({ failure }) =>
    failure === null
      ? line("info", "Deliveries are recorded again")
      : line("error", `Nothing can be delivered: ${printable(withHint(failure))}`),
  notice: ({ level, message, error }) => ({ level, message: printable(message), ...(error === undefined ? {} : { error }) }),

  watching: ({ folder, job, how }) =>
    line("info", `Watching ${pathField(folder)} (job ${job}, by ${how === "poll" ? "polling" : "events"})`),
  not_watching: ({ job, failure }) => line("error", `Job ${job}: ${printable(withHint(failure))}`),
  scanned: ({ job, files, admitted, milliseconds }) =>
    line("debug", `Scanned job ${job}: ${counted(files, "file")}, ${admitted} new, in ${Math.round(milliseconds)} ms`),
  created: fileEvent,
  changed: fileEvent,
  removed: fileEvent,
  growing: ({ path, size, declared }) => {
    const of = declared ? ` of ${formatBytes(declared)}` : "";
    return line("debug", `Still being written: ${pathField(path)}, ${formatBytes(size)}${of}`);
  },
  ahead: ({ path, bytes, destination }) => {
    const what = `Sent while it is still being written: ${pathField(path)}`;
    return line("debug", `${what}, ${formatBytes(bytes)} are at ${destination}`, { destination });
  },
  incomplete: ({ job, path, reason, sent }) =>
    line("warning", `Incomplete, ${sent ? "sent anyway" : "not sent"}: ${pathField(path)}: ${printable(reason)}`, { job }),
  ready: ({ job, path, size }) => line("debug", `Finished at the source: ${pathField(path)}, ${formatBytes(size)}`, { job }),
  refused: ({ job, path, failure }) => {
    const why = { ...failure, message: withoutName(failure.message, path) };
    return line("error", `Rejected ${pathField(path)} (job ${job}): ${printable(withHint(why))}`);
  },
  removed_source: ({ job, path }) =>
    line("info", `Removed at the source after verified delivery to every destination: ${pathField(path)}`, { job }),

  queued: ({ delivery }) => aboutDelivery("trace", delivery, `Queued for ${delivery.destination}: ${pathOf(delivery)}`),
  sending: ({ delivery }) => aboutDelivery("debug", delivery, `Sending to ${delivery.destination}: ${pathOf(delivery)}`),
  progress: nothing,
  deferred: ({ delivery }) => {
    if (delivery.state.state !== "deferred") return null;
    const { failure, retryAt } = delivery.state;
    // An outage is reported once, for the destination; a thousand waiting files need no line each.
    const isOutage = failure.code === "unreachable" || failure.next === "hold" || failure.code === "stopped";
    const when = new Date(retryAt).toTimeString().slice(0, 8);
    const what = `Retrying ${pathOf(delivery)} to ${delivery.destination} at ${when}: ${printable(failure.message)}`;
    return aboutDelivery(isOutage ? "debug" : "warning", delivery, what);
  },
  delivered: ({ delivery, found }) => {
    const what = found ? "Already at the destination, verified:" : "Successfully transferred";
    return aboutDelivery("info", delivery, `${what} ${pathOf(delivery)}`);
  },
  failed: ({ delivery }) => {
    if (delivery.state.state !== "failed") return null;
    const { failure } = delivery.state;
    if (isTrouble(failure)) {
      const { code } = failure;
      return aboutDelivery("error", delivery, `Failed to transfer ${pathOf(delivery)}: ${printable(withHint(failure))}`, {
        code,
      });
    }
    const why = printable(failure.message);
    return aboutDelivery("info", delivery, `Not sent to ${delivery.destination}: ${pathOf(delivery)}: ${why}`);
  },

  destination: ({ name, now, before }) => destinationLine(name, now, before),
  session: ({ name, about }) => line("debug", `Connected to ${name}: ${printable(about)}`),
  swept: ({ name, count }) => line("info", `Removed what ${counted(count, "interrupted attempt")} left at ${name}`),
  removed_there: ({ delivery, where }) => {
    const what = `Removed at ${delivery.destination}, because it was deleted at the source: ${pathOf(delivery)}`;
    return aboutDelivery("info", delivery, `${what}${where}`);
  },
  audit_found: ({ delivery, verdict, reason, isSentAgain }) => {
    const isLost = verdict === "damaged" || verdict === "vanished";
    const what = `Audit of ${printable(delivery.destination)}: ${VERDICTS[verdict]}: ${pathOf(delivery)}: ${printable(reason)}`;
    return aboutDelivery(isLost ? "error" : "warning", delivery, `${what}${isSentAgain ? "; it is sent again" : ""}`, {
      verdict,
    });
  },
  audited: (event) => {
    const { job, destination, run } = event;
    const fields = { job, destination, ...run.found, sentAgain: run.sentAgain };
    return line(isAsDelivered(run) ? "info" : "warning", auditedText(event), fields);
  },
  run_started: ({ job, trigger, waiting }) => {
    const why = trigger === "asked" ? "on request" : "by its schedule";
    return line("info", `Run of job ${job} started ${why}: ${counted(waiting, "delivery", "deliveries")} waiting`);
  },
  run_ended: ({ job, delivered, failed, waiting, milliseconds, next }) => {
    const left = waiting === 0 ? "" : `, ${waiting} waiting for the next run`;
    const then = next === null ? "" : `; next run ${localTime(next)}`;
    const what = `Run of job ${job} ended after ${span(milliseconds)}: ${delivered} delivered, ${failed} failed`;
    return line("info", `${what}${left}${then}`);
  },
  report: () => line("debug", "The morning report was made"),
  hook: ({ job, hook, on, result, tries, said }) => {
    const what = `Hook ${printable(hook)} (job ${job}, ${on})`;
    const why = oneLine(said);
    if (result === "ok") return line("debug", why === "" ? `${what} was called` : `${what}: ${why}`);
    if (result === "given_up") return line("error", `${what} failed and is not called again for this event: ${why}`);
    // While its receiver is away, once is enough.
    return line(tries === 1 ? "warning" : "debug", `${what} failed and will be called again: ${why}`);
  },
  pocketbase: nothing,
  log_upload: nothing,
  fleet: nothing,
  server_jobs: nothing,
};

function fileEvent({ type, job, path, isAll }: EventOf<"created">): LogLine {
  return line(isAll ? "info" : "debug", `File ${type}: ${pathField(path)}`, { job });
}

/** What keeps from reaching a destination; all else happened there. */
const AWAY: ReadonlySet<string> = new Set(["unreachable", "interrupted", "timeout", "stopped"]);

function destinationLine(name: string, now: DestinationState, before: DestinationState): LogLine | null {
  switch (now.state) {
    case "closed":
      return line("debug", `Destination ${name} is closed by its schedule`);
    case "open":
      // What the schedule opens is told by the run.
      if (before.state === "closed") return line("debug", `Destination ${name} is open by its schedule`);
      return before.state === "open" ? null : line("info", `Destination ${name} is accepting files again`);
    case "backing_off": {
      const how = AWAY.has(now.failure.code) ? "cannot be reached" : "is unavailable";
      // Told once an outage, not at each try.
      const level = before.state === "backing_off" ? "debug" : "warning";
      return line(level, `Destination ${name} ${how}: ${printable(withHint(now.failure))}`);
    }
    case "on_hold": {
      const isKnown = before.state === "on_hold" && before.failure.code === now.failure.code;
      return line(isKnown ? "debug" : "error", `Destination ${name} is on hold: ${printable(withHint(now.failure))}`);
    }
    case "paused":
      return line("info", `Destination ${name} is paused by ${printable(now.by)}`);
    default:
      return now satisfies never;
  }
}

function line(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): LogLine {
  return fields ? { level, message, fields } : { level, message };
}

function aboutDelivery(level: LogLevel, delivery: Delivery, message: string, more: LogLine["fields"] = {}): LogLine {
  const { id, source, destination, method, target, state } = delivery;
  const proof = state.state === "delivered" ? { proof: state.receipt.level, sha256: state.receipt.sha256 } : {};
  const { job, absolutePath: path, size } = source;
  const fields = { id, job, path, size, destination, method, target, attempts: triesOf(delivery), ...proof, ...more };
  return line(level, message, fields);
}

function pathOf(delivery: Delivery): string {
  return pathField(delivery.source.absolutePath);
}

/** A line for each fault of a configuration becomes one line of the log. */
function oneLine(message: string): string {
  return message.split("\n").map(printable).join("; ");
}

const VERDICTS = {
  damaged: "damaged there",
  vanished: "no longer there",
  changed: "changed there since it was delivered, perhaps on purpose",
  unreadable: "cannot be read there",
} as const;
const FINE: ReadonlySet<string> = new Set(["equal", "unproven"]);

/** `… ended: 1,200 files hashed again, 1 damaged, 2 vanished (3 sent again)`. */
function auditedText({ job, destination, run }: EventOf<"audited">): string {
  const { found, sentAgain } = run;
  const ended = `Audit of ${printable(destination)} (job ${printable(job)}) ended`;
  if (checkedIn(run) === 0) return `${ended}: ${NOTHING_TO_CHECK}`;
  const wrong = AUDIT_VERDICTS.filter((verdict) => !FINE.has(verdict) && found[verdict] > 0)
    .map((verdict) => `${found[verdict]} ${verdict}`).join(", ");
  const rest = isAsDelivered(run) ? "all as delivered" : `${wrong}${sentAgain > 0 ? ` (${sentAgain} sent again)` : ""}`;
  const bySize = found.unproven > 0 ? `, ${found.unproven} by size only` : "";
  return `${ended}: ${counted(checkedIn(run), "file")} hashed again, ${rest}${bySize}`;
}

/** True where an audit has found nothing else. */
function isAsDelivered({ found }: Pick<AuditRun, "found">): boolean {
  return AUDIT_VERDICTS.every((verdict) => FINE.has(verdict) || found[verdict] === 0);
}
