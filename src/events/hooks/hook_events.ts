/** What hooks are told of an event. */
import { join } from "@std/path";
import { basename } from "@std/path/posix";
import type { Job } from "../../config/settings.ts";
import { withHint } from "../../domain/failure.ts";
import type { HookEvent } from "../../domain/hook.ts";
import { counted } from "../../domain/words.ts";
import { printable } from "../../domain/names/printable.ts";
import type { TransferEvent } from "../../domain/transfer_event.ts";
import type { HookNote } from "../../ledger/outbox_ledger.ts";

/** An event that need not be kept, for the hooks of its job; null for all others. */
export function passingEvent(event: TransferEvent, jobs: readonly Job[]): HookEvent | null {
  switch (event.type) {
    case "created":
    case "changed":
    case "removed":
    case "ready": {
      const job = jobs.find(({ name }) => name === event.job);
      if (job === undefined) return null;
      const path = join(job.watchPath, event.path);
      const size = event.type === "ready" ? event.size : null;
      return {
        ...nothing(event.type, event.at),
        job: event.job,
        path,
        name: basename(event.path),
        size,
        text: `${WORDS[event.type]}: ${printable(path)}`,
      };
    }
    case "run_started": {
      const job = jobs.find(({ name }) => name === event.job);
      if (job === undefined) return null;
      const text = `Run of job ${event.job} started: ${counted(event.waiting, "delivery", "deliveries")} waiting`;
      return { ...nothing("scheduled", event.at), job: event.job, trigger_type: "scheduled", path: job.watchPath, text };
    }
    case "trouble": {
      if (event.failure === null) return { ...nothing("resumed", event.at), text: "image-transfer is delivering again" };
      const { code, message, hint } = event.failure;
      const text = `image-transfer cannot deliver: ${withHint({ message, hint })}`;
      return { ...nothing("held", event.at), error: { code, message, hint }, text };
    }
    case "destination": {
      const { now, before, name: destination, job } = event;
      if (now.state === "on_hold") {
        // Another message about the same hold is no news.
        if (before.state === "on_hold" && before.failure.code === now.failure.code) return null;
        const { code, message, hint } = now.failure;
        const text = `${destination} is on hold: ${withHint({ message, hint })}`;
        return { ...nothing("held", event.at), job, destination, error: { code, message, hint }, text };
      }
      if (before.state !== "on_hold" || now.state !== "open") return null;
      return { ...nothing("resumed", event.at), job, destination, text: `${destination} is accepting files again` };
    }
    default:
      return null;
  }
}

/** An event that was kept. */
export function keptEvent(note: HookNote): HookEvent {
  if (note.event === "report") return { ...nothing("report", note.at), text: note.text };
  const { source: { job, absolutePath, path, size }, destination, target, method, night, state } = note.delivery;
  const about = { job, path: absolutePath, name: basename(path), size, destination, target, method, night };
  // A line feed in a name must not make lines of its own in a message.
  const shown = printable(about.name);
  if (note.event === "delivered") {
    const sha256 = state.state === "delivered" ? state.receipt.sha256 : null;
    return { ...nothing("delivered", note.at), ...about, sha256, text: `${shown} is on ${destination}` };
  }
  const { message, hint } = note.failure;
  // Found by an audit: its message says what became of it.
  const isLost = note.failure.code === "damaged" || note.failure.code === "vanished";
  const text = isLost
    ? `${shown}: ${withHint({ message, hint })}`
    : `${shown} could not be delivered to ${destination}: ${withHint({ message, hint })}`;
  return { ...nothing("failed", note.at), ...about, error: note.failure, text };
}

function nothing(event: HookEvent["event"], at: number): Omit<HookEvent, "text"> {
  return {
    event,
    at: new Date(at).toISOString(),
    job: null,
    trigger_type: "file_change",
    path: null,
    name: null,
    size: null,
    destination: null,
    target: null,
    method: null,
    sha256: null,
    night: null,
    error: null,
  };
}

const WORDS = { created: "Created", changed: "Changed", removed: "Removed", ready: "Finished" } as const;
