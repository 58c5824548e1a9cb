/**
 * Everything a person should look at, worst first, each with what helps.
 *
 * @module
 */
import { type Destination, loginOf } from "../../config/settings.ts";
import { shellQuote } from "../../methods/shell/shell_quote.ts";
import { unmatchedText } from "../../intake/watch/unmatched.ts";
import { type Orphan, waitingOf } from "../../ledger/orphans.ts";
import type { DeliveryRow } from "../../ledger/history.ts";
import type { TroubleItem } from "../api_types.ts";
import type { DestinationNow, JobNow } from "../page_source.ts";

/** Lists it; `failed` are the failed deliveries that are trouble, `orphans` what waits for destinations that were removed. */
export function troubleOf(
  jobs: readonly JobNow[],
  destinations: readonly DestinationNow[],
  failed: readonly DeliveryRow[],
  orphans: readonly Orphan[],
): TroubleItem[] {
  const items = [
    ...jobs.flatMap(jobTrouble),
    ...destinations.flatMap(destinationTrouble),
    ...failed.flatMap(deliveryTrouble),
    ...jobs.flatMap(fileTrouble),
    ...jobs.flatMap(patternTrouble),
    ...orphans.flatMap(orphanTrouble),
  ];
  return [...items.filter(({ severity }) => severity === "bad"), ...items.filter(({ severity }) => severity === "warning")];
}

function jobTrouble({ job, failure }: JobNow): TroubleItem[] {
  if (failure === null) return [];
  return [{
    key: `job ${job.name}`,
    kind: "job",
    severity: "bad",
    what: job.name,
    where: job.watchPath,
    message: failure.message,
    hint: failure.hint,
    since: null,
    action: { do: "scan", job: job.name },
  }];
}

function destinationTrouble({ destination, state }: DestinationNow): TroubleItem[] {
  if (state.state === "open") return [];
  const common = {
    key: `destination ${destination.job}/${destination.name}`,
    kind: "destination" as const,
    what: destination.name,
    where: placeOf(destination),
    since: null,
    action: { do: "resume" as const, destination: destination.name },
  };
  if (state.state === "paused") {
    return [{
      ...common,
      severity: "warning",
      message: `Paused by ${state.by}`,
      hint: "Resume it to send files again.",
    }];
  }
  const { message, hint } = state.failure;
  return [{ ...common, severity: state.state === "on_hold" ? "bad" : "warning", message, hint }];
}

function deliveryTrouble({ delivery: { id, source, destination, queuedAt, state } }: DeliveryRow): TroubleItem[] {
  if (state.state !== "failed") return [];
  return [{
    key: `delivery ${id}`,
    kind: "delivery",
    severity: "bad",
    what: source.absolutePath,
    where: destination,
    message: state.failure.message,
    hint: state.failure.hint,
    since: queuedAt,
    action: { do: "retry", ids: [id] },
  }];
}

function fileTrouble({ job, waiting }: JobNow): TroubleItem[] {
  return waiting.filter(({ reason }) => reason === "incomplete" || reason === "refused").map((
    { path, reason, detail, hint, since },
  ) => ({
    key: `file ${job.name}/${path}`,
    kind: "file",
    severity: "warning",
    what: path,
    where: job.name,
    message: reason === "incomplete" ? `The file is incomplete: ${detail}` : detail,
    hint,
    since,
    action: { do: "scan", job: job.name },
  }));
}

function patternTrouble({ job, unmatched }: JobNow): TroubleItem[] {
  if (unmatched === null) return [];
  return [{
    key: `patterns ${job.name}`,
    kind: "job",
    severity: "warning",
    what: job.name,
    where: job.watchPath,
    ...unmatchedText(job, unmatched),
    since: null,
    action: null,
  }];
}

function orphanTrouble({ job, destination, counts }: Orphan): TroubleItem[] {
  const waiting = waitingOf(counts);
  if (waiting === 0) return [];
  return [{
    key: `orphan ${job}/${destination}`,
    kind: "destination",
    severity: "warning",
    what: destination,
    where: `of job ${job}`,
    message: `${
      waiting === 1 ? "1 image is waiting" : `${waiting} images are waiting`
    } for a destination that is no longer configured`,
    hint: `Configure it again to resume delivery, or give them up: image-transfer forget ${shellQuote(destination)}`,
    since: null,
    action: null,
  }];
}

/** Where a destination is, for people: `observer@freya:/data/images`, or the folder. */
export function placeOf({ transport, basePath }: Pick<Destination, "transport" | "basePath">, path = basePath): string {
  const login = loginOf(transport);
  if (login === null) return path;
  return `${login.user === null ? "" : `${login.user}@`}${login.host}:${path}`;
}
