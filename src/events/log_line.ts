/**
 * What the log says of an event. The two phrases `Successfully transferred` and `Failed to transfer` stand in no
 * other line: people count them with grep.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { type Delivery, triesOf } from "../domain/delivery.ts";
import type { DestinationState } from "../domain/destination_state.ts";
import { isTrouble } from "../domain/failure.ts";
import { pathField, printable } from "../domain/names/printable.ts";
import type { TransferEvent } from "../domain/transfer_event.ts";
import { withoutName } from "../domain/names/without_name.ts";

/** The least urgent first. */
export type LogLevel = "trace" | "debug" | "info" | "warning" | "error";

/** One line of the log; `fields` go into JSON lines only. */
export interface LogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
  /** Only for internal errors: their stack is written. */
  readonly error?: unknown;
}

/** The line for an event, or null where the log has nothing to say. */
export function logLine(event: TransferEvent): LogLine | null {
  switch (event.type) {
    case "started":
      return line("info", `image-transfer ${event.version} started (process ${event.pid})`);
    case "stopping":
      return line("info", `Stopping: ${event.reason}`);
    case "stopped":
      return line("info", "Stopped");
    case "reloaded":
      return line("info", "Configuration reloaded");
    case "reload_refused":
      return line("error", `Configuration not reloaded, keeping the current configuration: ${oneLine(event.message)}`);
    case "watching":
      return line(
        "info",
        `Watching ${pathField(event.folder)} (job ${event.job}, by ${event.how === "poll" ? "polling" : "events"})`,
      );
    case "not_watching":
      return line("error", `Job ${event.job}: ${withHint(event.failure)}`);
    case "scanned":
      return line(
        "debug",
        `Scanned job ${event.job}: ${event.files} ${event.files === 1 ? "file" : "files"}, ${event.admitted} new, in ${
          Math.round(event.milliseconds)
        } ms`,
      );
    case "created":
    case "changed":
    case "removed":
      return line("debug", `File ${event.type}: ${pathField(event.path)}`, { job: event.job });
    case "growing":
      return line(
        "debug",
        `Still being written: ${pathField(event.path)}, ${size(event.size)}${
          event.declared ? ` of ${size(event.declared)}` : ""
        }`,
      );
    case "incomplete":
      return line(
        "warning",
        `Incomplete, ${event.sent ? "sent anyway" : "not sent"}: ${pathField(event.path)}: ${printable(event.reason)}`,
        { job: event.job },
      );
    case "ready":
      return line("debug", `Finished at the source: ${pathField(event.path)}, ${size(event.size)}`, { job: event.job });
    case "refused":
      return line(
        "error",
        `Rejected ${pathField(event.path)} (job ${event.job}): ${
          withHint({ ...event.failure, message: withoutName(event.failure.message, event.path) })
        }`,
      );
    case "queued":
    case "sending":
      return line(
        event.type === "queued" ? "trace" : "debug",
        `${event.type === "queued" ? "Queued for" : "Sending to"} ${event.delivery.destination}: ${pathOf(event.delivery)}`,
        fieldsOf(event.delivery),
      );
    case "deferred":
      return deferredLine(event.delivery);
    case "delivered":
      return line("info", `Successfully transferred ${pathOf(event.delivery)}`, fieldsOf(event.delivery));
    case "failed":
      return failedLine(event.delivery);
    case "progress":
      return null;
    case "removed_source":
      return line("info", `Removed at the source after verified delivery to every destination: ${pathField(event.path)}`, {
        job: event.job,
      });
    case "destination":
      return destinationLine(event.name, event.now, event.before);
    case "session":
      return line("debug", `Connected to ${event.name}: ${printable(event.about)}`);
    case "swept":
      return line(
        "info",
        `Removed what ${event.count} interrupted ${event.count === 1 ? "attempt" : "attempts"} left at ${event.name}`,
      );
    case "notice":
      return {
        level: event.level,
        message: printable(event.message),
        ...(event.error === undefined ? {} : { error: event.error }),
      };
    default:
      return event satisfies never;
  }
}

function deferredLine(delivery: Delivery): LogLine | null {
  if (delivery.state.state !== "deferred") return null;
  const { failure, retryAt } = delivery.state;
  // An outage is told once, by the destination; a thousand waiting files need no line each.
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
    case "open":
      return before.state === "open" ? null : line("info", `Destination ${name} is accepting files again`);
    case "backing_off":
      // Told once an outage, not at each try.
      return line(
        before.state === "backing_off" ? "debug" : "warning",
        `Destination ${name} ${WAY.has(now.failure.code) ? "cannot be reached" : "is unavailable"}: ${withHint(now.failure)}`,
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
const WAY: ReadonlySet<string> = new Set(["unreachable", "interrupted", "timeout", "stopped"]);

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
