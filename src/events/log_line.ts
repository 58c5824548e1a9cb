/**
 * What the log says of an event. The two phrases `Successfully transferred` and `Failed to transfer` stand in no
 * other line: people count them with grep.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { auditedText, auditFoundText, isAsDelivered } from "./audit_text.ts";
import { type Delivery, triesOf } from "../domain/delivery.ts";
import type { DestinationState } from "../domain/destination_state.ts";
import { isTrouble } from "../domain/failure.ts";
import { localTime } from "../domain/local_time.ts";
import { counted } from "../domain/names/counted.ts";
import { span } from "../domain/span.ts";
import { pathField, printable } from "../domain/names/printable.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import { withoutName } from "../domain/names/reason.ts";

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

/**
 * The line for an event, or null where the log has nothing to say. Details that are below the level `least` are left out: there are several
 * of each file.
 */
export function logLine(event: TransferEvent, least: LogLevel = "trace"): LogLine | null {
  if (DETAILS.has(event.type) && LOG_LEVELS.indexOf(least) > LOG_LEVELS.indexOf("debug")) return null;
  switch (event.type) {
    case "created":
    case "changed":
    case "removed":
    case "growing":
    case "ahead":
    case "incomplete":
    case "ready":
    case "refused":
    case "removed_source":
      return fileLine(event);
    case "queued":
    case "sending":
    case "deferred":
    case "delivered":
    case "failed":
    case "progress":
      return deliveryLine(event);
    case "destination":
    case "session":
    case "swept":
    case "removed_there":
    case "audit_found":
    case "audited":
      return placeLine(event);
    case "hook":
      return hookLine(event);
    case "pocketbase":
    case "log_upload":
    case "fleet":
    case "server_jobs":
      return null;
    default:
      return daemonLine(event);
  }
}

/** Events whose lines have the level `debug`, or less. */
const DETAILS: ReadonlySet<TransferEvent["type"]> = new Set(["ready", "queued", "sending", "growing", "ahead"]);

/** The events of these types. */
type Of<Type extends TransferEvent["type"], E = TransferEvent> = E extends { readonly type: infer T }
  ? Extract<T, Type> extends never ? never : E
  : never;

/** What happens to a file at its source. */
function fileLine(
  event: Of<"created" | "growing" | "ahead" | "incomplete" | "ready" | "refused" | "removed_source">,
): LogLine {
  const path = pathField(event.path);
  const { job } = event;
  switch (event.type) {
    case "created":
    case "changed":
    case "removed":
      return line(event.isAll ? "info" : "debug", `File ${event.type}: ${path}`, { job });
    case "growing": {
      const declared = event.declared ? ` of ${size(event.declared)}` : "";
      return line("debug", `Still being written: ${path}, ${size(event.size)}${declared}`);
    }
    case "ahead": {
      const { destination, bytes } = event;
      return line("debug", `Sent while it is still being written: ${path}, ${size(bytes)} are at ${destination}`, {
        destination,
      });
    }
    case "incomplete": {
      const what = event.sent ? "sent anyway" : "not sent";
      return line("warning", `Incomplete, ${what}: ${path}: ${printable(event.reason)}`, { job });
    }
    case "ready":
      return line("debug", `Finished at the source: ${path}, ${size(event.size)}`, { job });
    case "refused": {
      const failure = { ...event.failure, message: withoutName(event.failure.message, event.path) };
      return line("error", `Rejected ${path} (job ${job}): ${withHint(failure)}`);
    }
    case "removed_source":
      return line("info", `Removed at the source after verified delivery to every destination: ${path}`, { job });
    default:
      return event satisfies never;
  }
}

function deliveryLine(event: Of<"queued" | "delivered" | "progress">): LogLine | null {
  const { delivery } = event;
  switch (event.type) {
    case "queued":
      return line("trace", `Queued for ${delivery.destination}: ${pathOf(delivery)}`, fieldsOf(delivery));
    case "sending":
      return line("debug", `Sending to ${delivery.destination}: ${pathOf(delivery)}`, fieldsOf(delivery));
    case "deferred":
      return deferredLine(delivery);
    case "delivered":
      return line(
        "info",
        event.found
          ? `Already at the destination, verified: ${pathOf(delivery)}`
          : `Successfully transferred ${pathOf(delivery)}`,
        fieldsOf(delivery),
      );
    case "failed":
      return failedLine(delivery);
    case "progress":
      return null;
    default:
      return event satisfies never;
  }
}

function placeLine(
  event: Of<"destination" | "session" | "swept" | "removed_there" | "audit_found" | "audited">,
): LogLine | null {
  switch (event.type) {
    case "destination":
      return destinationLine(event.name, event.now, event.before);
    case "session":
      return line("debug", `Connected to ${event.name}: ${printable(event.about)}`);
    case "swept": {
      const attempts = event.count === 1 ? "1 interrupted attempt" : `${event.count} interrupted attempts`;
      return line("info", `Removed what ${attempts} left at ${event.name}`);
    }
    case "removed_there": {
      const { delivery } = event;
      const what = `Removed at ${delivery.destination}, because it was deleted at the source: ${pathOf(delivery)}`;
      return line("info", `${what}${event.where}`, fieldsOf(delivery));
    }
    case "audit_found": {
      const isLost = event.verdict === "damaged" || event.verdict === "vanished";
      const what = `${auditFoundText(event)}: ${pathOf(event.delivery)}: ${printable(event.reason)}${
        event.isSentAgain ? "; it is sent again" : ""
      }`;
      return line(isLost ? "error" : "warning", what, { ...fieldsOf(event.delivery), verdict: event.verdict });
    }
    case "audited": {
      const { job, destination, run } = event;
      const level = isAsDelivered(run) ? "info" : "warning";
      return line(level, auditedText(event), { job, destination, ...run.found, sentAgain: run.sentAgain });
    }
    default:
      return event satisfies never;
  }
}

/** What the daemon and the watching of its jobs do. */
function daemonLine(
  event: Of<
    | "started"
    | "stopping"
    | "stopped"
    | "reloaded"
    | "reload_refused"
    | "trouble"
    | "watching"
    | "not_watching"
    | "scanned"
    | "run_started"
    | "run_ended"
    | "report"
    | "notice"
  >,
): LogLine {
  switch (event.type) {
    case "started":
      return line("info", `image-transfer ${event.version} started (process ${event.pid})`);
    case "stopping":
      return line("info", `Stopping: ${event.reason}`);
    case "stopped":
      return line("info", "Stopped");
    case "trouble":
      return event.failure === null
        ? line("info", "Deliveries are recorded again")
        : line("error", `Nothing can be delivered: ${withHint(event.failure)}`);
    case "reloaded":
      return line("info", "Configuration reloaded");
    case "reload_refused":
      return line("error", `Configuration not reloaded, keeping the current configuration: ${oneLine(event.message)}`);
    case "watching": {
      const how = event.how === "poll" ? "polling" : "events";
      return line("info", `Watching ${pathField(event.folder)} (job ${event.job}, by ${how})`);
    }
    case "not_watching":
      return line("error", `Job ${event.job}: ${withHint(event.failure)}`);
    case "scanned": {
      const files = event.files === 1 ? "1 file" : `${event.files} files`;
      const ms = Math.round(event.milliseconds);
      return line("debug", `Scanned job ${event.job}: ${files}, ${event.admitted} new, in ${ms} ms`);
    }
    case "report":
      return line("debug", "The morning report was made");
    case "run_started": {
      const why = event.trigger === "asked" ? "on request" : "by its schedule";
      return line("info", `Run of job ${event.job} started ${why}: ${counted(event.waiting, "delivery", "deliveries")} waiting`);
    }
    case "run_ended":
      return line("info", runEnded(event));
    case "notice": {
      const error = event.error === undefined ? {} : { error: event.error };
      return { level: event.level, message: printable(event.message), ...error };
    }
    default:
      return event satisfies never;
  }
}

function runEnded({ job, delivered, failed, waiting, milliseconds, next }: Of<"run_ended">): string {
  const left = waiting === 0 ? "" : `, ${waiting} waiting for the next run`;
  const then = next === null ? "" : `; next run ${localTime(next)}`;
  return `Run of job ${job} ended after ${span(milliseconds)}: ${delivered} delivered, ${failed} failed${left}${then}`;
}

function hookLine({ job, hook, on, result, tries, said }: Of<"hook">): LogLine {
  const what = `Hook ${printable(hook)} (job ${job}, ${on})`;
  const why = oneLine(said);
  if (result === "ok") return line("debug", why === "" ? `${what} was called` : `${what}: ${why}`);
  if (result === "given_up") return line("error", `${what} failed and is not called again for this event: ${why}`);
  // While its receiver is away, once is enough.
  return line(tries === 1 ? "warning" : "debug", `${what} failed and will be called again: ${why}`);
}

function deferredLine(delivery: Delivery): LogLine | null {
  if (delivery.state.state !== "deferred") return null;
  const { failure, retryAt } = delivery.state;
  // An outage is reported once, for the destination; a thousand waiting files need no line each.
  const level = failure.code === "unreachable" || failure.next === "hold" || failure.code === "stopped" ? "debug" : "warning";
  const when = new Date(retryAt).toTimeString().slice(0, 8);
  return line(
    level,
    `Retrying ${pathOf(delivery)} to ${delivery.destination} at ${when}: ${printable(failure.message)}`,
    fieldsOf(delivery),
  );
}

function failedLine(delivery: Delivery): LogLine | null {
  if (delivery.state.state !== "failed") return null;
  const { failure } = delivery.state;
  if (!isTrouble(failure)) {
    return line(
      "info",
      `Not sent to ${delivery.destination}: ${pathOf(delivery)}: ${printable(failure.message)}`,
      fieldsOf(delivery),
    );
  }
  return line("error", `Failed to transfer ${pathOf(delivery)}: ${withHint(failure)}`, {
    ...fieldsOf(delivery),
    code: failure.code,
  });
}

function destinationLine(name: string, now: DestinationState, before: DestinationState): LogLine | null {
  switch (now.state) {
    case "closed":
      return line("debug", `Destination ${name} is closed by its schedule`);
    case "open":
      // What the schedule opens is told by the run.
      if (before.state === "closed") return line("debug", `Destination ${name} is open by its schedule`);
      return before.state === "open" ? null : line("info", `Destination ${name} is accepting files again`);
    case "backing_off":
      // Told once an outage, not at each try.
      return line(
        before.state === "backing_off" ? "debug" : "warning",
        `Destination ${name} ${AWAY.has(now.failure.code) ? "cannot be reached" : "is unavailable"}: ${withHint(now.failure)}`,
      );
    case "on_hold":
      return line(
        before.state === "on_hold" && before.failure.code === now.failure.code ? "debug" : "error",
        `Destination ${name} is on hold: ${withHint(now.failure)}`,
      );
    case "paused":
      return line("info", `Destination ${name} is paused by ${printable(now.by)}`);
    default:
      return now satisfies never;
  }
}

/** What keeps from reaching a destination; all else happened there. */
const AWAY: ReadonlySet<string> = new Set(["unreachable", "interrupted", "timeout", "stopped"]);

function line(level: LogLevel, message: string, fields?: Readonly<Record<string, unknown>>): LogLine {
  return fields ? { level, message, fields } : { level, message };
}

function pathOf(delivery: Delivery): string {
  return pathField(delivery.source.absolutePath);
}

function fieldsOf(delivery: Delivery): Readonly<Record<string, unknown>> {
  const { id, source, destination, method, target, state } = delivery;
  const proof = state.state === "delivered" ? { proof: state.receipt.level, sha256: state.receipt.sha256 } : {};
  const { job, absolutePath: path, size } = source;
  return { id, job, path, size, destination, method, target, attempts: triesOf(delivery), ...proof };
}

/** A line for each fault of a configuration becomes one line of the log. */
function oneLine(message: string): string {
  return message.split("\n").map(printable).join("; ");
}

function withHint(failure: { readonly message: string; readonly hint: string }): string {
  return printable(failure.hint ? `${failure.message}. ${failure.hint}` : failure.message);
}

function size(bytes: number): string {
  return formatBytes(bytes);
}
