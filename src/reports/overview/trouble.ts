/** Everything a person should look at, worst first, each with what helps: the findings of the overview, one by one. */
import { ownCauseOf } from "../../domain/failure.ts";
import type { Counts, DeliveryRow, History } from "../../ledger/history.ts";
import { type Destination, loginOf } from "../../config/settings.ts";
import { shellQuote } from "../../methods/shell/shell_quote.ts";
import { unmatchedText } from "../../intake/watch/known_files.ts";
import { counted } from "../../domain/words.ts";
import { type Orphan, waitingOf } from "../../ledger/orphans.ts";
import type { TroubleItem, TroubleList } from "../api_types.ts";
import type { DestinationNow, JobNow } from "../page_source.ts";
import { causeKey, causesOf, type FailedReason } from "./trouble_causes.ts";
import { ACCEPT_REMOVED, type Finding, type Missing, type Overview, severityOf } from "./overview.ts";

/** What the items name. */
interface TroubleParts {
  readonly ledger: Pick<History, "query" | "failedByCode" | "waitingImages">;
  readonly jobs: readonly JobNow[];
  readonly destinations: readonly Affected[];
}

type Affected = DestinationNow & { readonly counts: Counts; readonly since: number | null };

/** The first `most`. */
export function troubleOf({ findings, counts }: Overview, parts: TroubleParts, most: number): TroubleList {
  const failed = counts.failed === 0 ? [] : failedOf(parts, most);
  const items = findings.flatMap((finding) => {
    // What is only worth knowing is listed as well.
    const severity = severityOf(finding) === "bad" ? "bad" : "warning";
    return itemsOf(finding, parts, failed).map((item): TroubleItem => ({ ...item, severity }));
  });
  const causes = causesOf(items, counts.failed > 0 ? failedReasons(parts) : [], parts);
  return { items: items.slice(0, most), causes, count: items.length + counts.failed - failed.length };
}

/** The failed ones that somebody sends to, the newest first. */
function failedOf({ ledger, destinations }: TroubleParts, most: number): DeliveryRow[] {
  return destinations.flatMap(({ destination: { job, name } }) =>
    ledger.query({ job, destination: name, trouble: true, descending: true, limit: most })
  ).sort((a, b) => b.delivery.id - a.delivery.id).slice(0, most);
}

function failedReasons({ ledger, destinations }: TroubleParts): FailedReason[] {
  return destinations.flatMap(({ destination: { job, name } }) => ledger.failedByCode(job, name));
}

type Item = Omit<TroubleItem, "severity">;

function itemsOf(finding: Finding, parts: TroubleParts, failed: readonly DeliveryRow[]): Item[] {
  switch (finding.is) {
    case "on_hold":
    case "backing_off":
    case "paused":
      return parts.destinations.filter(({ destination: { job, name } }) => job === finding.job && name === finding.destination)
        .flatMap((one) => destinationItem(one, parts));
    case "not_watched":
      return jobNamed(finding.job, parts).map(notWatchedItem);
    case "unmatched":
      return jobNamed(finding.job, parts).flatMap(unmatchedItem);
    case "events_missing":
      return jobNamed(finding.job, parts).map(eventsMissingItem);
    case "not_sent":
      return jobNamed(finding.job, parts).flatMap(fileItems);
    case "failed":
      return failed.filter((row) => !isLost(row)).flatMap(deliveryItem);
    case "lost":
      return failed.filter((row) => isLost(row) && isAt(row, finding)).flatMap(deliveryItem);
    case "unreadable":
    case "changed":
      return [auditItem(finding)];
    case "missing":
      return [missingItem(finding.missing)];
    case "removals_held":
      return [heldItem(finding)];
    case "jobs_rejected":
      return [rejectedItem(finding.reason)];
    case "removed_on_server":
      return jobNamed(finding.job, parts).map(removedItem);
    case "orphaned":
      return [orphanItem(finding.orphan)];
    case "stopped":
      return [ownItem(finding.trouble)];
    case "not_running":
    case "misconfigured":
      // Only a command finds these: a page is shown by a running daemon, which keeps the configuration it has.
      return [];
    default:
      return finding satisfies never;
  }
}

function ownItem({ code, message, hint }: Extract<Finding, { is: "stopped" }>["trouble"]): Item {
  return {
    key: "daemon",
    cause: "daemon",
    kind: "daemon",
    what: ownCauseOf(code).text,
    where: "itself",
    message,
    hint,
    since: null,
    action: null,
  };
}

function isLost({ delivery: { state } }: DeliveryRow): boolean {
  return state.state === "failed" && (state.failure.code === "damaged" || state.failure.code === "vanished");
}

function isAt({ delivery }: DeliveryRow, { job, destination }: { readonly job: string; readonly destination: string }): boolean {
  return delivery.source.job === job && delivery.destination === destination;
}

function auditItem({ is, job, destination, count }: Extract<Finding, { is: "unreadable" | "changed" }>): Item {
  const files = counted(count, "delivered file");
  return {
    key: `audit ${is} ${job}/${destination}`,
    cause: `audit ${is}`,
    kind: "destination",
    what: destination,
    where: `of job ${job}`,
    message: is === "unreadable"
      ? `The audit could not read ${files} there`
      : `${files} ${count === 1 ? "was" : "were"} changed there since delivery, perhaps on purpose`,
    hint: is === "unreadable"
      ? "Check the permissions and the disk there. To see which: image-transfer audit"
      : "They are left alone. To see which: image-transfer audit",
    since: null,
    action: null,
  };
}

function jobNamed(name: string, { jobs }: TroubleParts): JobNow[] {
  return jobs.filter(({ job }) => job.name === name);
}

function notWatchedItem({ job, failure }: JobNow): Item {
  return {
    key: `job ${job.name}`,
    cause: "not watched",
    kind: "job",
    what: job.name,
    where: job.watchPath,
    message: failure?.message ?? "The folder is not watched yet",
    hint: failure?.hint ?? "",
    since: null,
    action: { do: "scan", job: job.name },
  };
}

function destinationItem({ destination, state, since }: Affected, { destinations }: TroubleParts): Item[] {
  if (state.state === "open" || state.state === "closed") return [];
  const isShared = destinations.some((other) =>
    other.destination.name === destination.name && other.destination.job !== destination.job
  );
  const said = state.state === "paused"
    ? { message: `Paused by ${state.by}`, hint: "Resume it to send files again." }
    : { message: state.failure.message, hint: state.failure.hint };
  return [{
    key: `destination ${destination.job}/${destination.name}`,
    cause: causeKey(state) ?? state.state,
    kind: "destination",
    what: destination.name,
    where: isShared ? `${placeOf(destination)}, job ${destination.job}` : placeOf(destination),
    ...said,
    since,
    action: { do: "resume", destination: destination.name },
  }];
}

function deliveryItem({ delivery: { id, source, destination, queuedAt, state } }: DeliveryRow): Item[] {
  if (state.state !== "failed") return [];
  return [{
    key: `delivery ${id}`,
    cause: `failed ${state.failure.code}`,
    kind: "delivery",
    what: source.absolutePath,
    where: destination,
    message: state.failure.message,
    hint: state.failure.hint,
    since: queuedAt,
    action: { do: "retry", ids: [id] },
  }];
}

function fileItems({ job, waiting }: JobNow): Item[] {
  return waiting.filter(({ reason }) => reason === "incomplete" || reason === "refused").map((
    { path, reason, detail, hint, since, isFolder },
  ) => ({
    key: `file ${job.name}/${path}`,
    cause: isFolder ? "folder" : reason,
    kind: "file",
    what: path,
    where: job.name,
    message: reason === "incomplete" ? `The file is incomplete: ${detail}` : detail,
    hint,
    since,
    action: { do: "scan", job: job.name },
  }));
}

function eventsMissingItem({ job, eventsMissing }: JobNow): Item {
  return {
    key: `events ${job.name}`,
    cause: "events",
    kind: "job",
    what: job.name,
    where: job.watchPath,
    message: eventsMissing ?? "",
    hint: "",
    since: null,
    action: null,
  };
}

function unmatchedItem({ job, unmatched }: JobNow): Item[] {
  if (unmatched === null) return [];
  return [{
    key: `patterns ${job.name}`,
    cause: "patterns",
    kind: "job",
    what: job.name,
    where: job.watchPath,
    ...unmatchedText(job, unmatched),
    since: null,
    action: null,
  }];
}

function missingItem({ job, destination, expected, gone }: Missing): Item {
  return {
    key: `missing ${job}/${destination}`,
    cause: "missing",
    kind: "destination",
    what: destination,
    where: `of job ${job}`,
    message: `${gone} of the ${expected} images of tonight are no longer there`,
    hint: "History lists them. To send them again: image-transfer verify --retry",
    since: null,
    action: null,
  };
}

function heldItem({ job, destination, reason, accept }: Extract<Finding, { is: "removals_held" }>): Item {
  return {
    key: `removals ${job}/${destination}`,
    cause: "removals",
    kind: "destination",
    what: destination,
    where: `of job ${job}`,
    message: `Nothing is removed there: ${reason}`,
    hint: `The destination keeps everything. If the files were deleted on purpose, run: ${accept}`,
    since: null,
    action: null,
  };
}

function rejectedItem(reason: string): Item {
  return {
    key: "server's jobs",
    cause: "server's jobs",
    kind: "daemon",
    what: "Jobs of the PocketBase server are not used here",
    where: "its configuration",
    message: reason,
    hint: "To see why, and what would change that, run: image-transfer pocketbase status",
    since: null,
    action: null,
  };
}

function removedItem({ job }: JobNow): Item {
  return {
    key: `removed ${job.name}`,
    cause: "removed on the server",
    kind: "job",
    what: job.name,
    where: job.watchPath,
    message: "The PocketBase server no longer has this job. It runs as before until you accept that.",
    hint: `If that is right, end it here, or run: ${ACCEPT_REMOVED} ${shellQuote(job.name)}`,
    since: null,
    action: { do: "accept_removed", job: job.name },
  };
}

function orphanItem({ job, destination, counts }: Orphan): Item {
  const all = waitingOf(counts) + counts.failed;
  const failed = counts.failed === 0 ? "" : ` (${counts.failed} of them failed)`;
  return {
    key: `orphan ${job}/${destination}`,
    cause: "orphans",
    kind: "destination",
    what: destination,
    where: `of job ${job}`,
    message: `${
      all === 1 ? "1 image is waiting" : `${all} images are waiting`
    } for a destination that is no longer configured${failed}`,
    hint: `Configure it again to resume delivery, or give them up: image-transfer forget ${shellQuote(destination)}`,
    since: null,
    action: null,
  };
}

/** Where a destination is, for people: `observer@freya:/data/images`, or the folder. */
export function placeOf({ transport, basePath }: Pick<Destination, "transport" | "basePath">, path = basePath): string {
  if (transport.method === "rclone") return `${transport.remote}:${path === "." ? "" : path}`;
  const login = loginOf(transport);
  if (login === null) return path;
  return `${login.user === null ? "" : `${login.user}@`}${login.host}:${path}`;
}
