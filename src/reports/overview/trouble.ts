/** Everything a person should look at, worst first, each with what helps: the findings of the overview, one by one. */
import { bracketed } from "../../domain/names/printable.ts";
import { causeOf, failedBecause, ownCauseOf } from "../../domain/failure.ts";
import type { Counts, DeliveryRow, History } from "../../ledger/history.ts";
import { type Destination, loginOf } from "../../config/settings.ts";
import { shellQuote } from "../../methods/shell/shell_quote.ts";
import { unmatchedText } from "../../intake/watch/known_files.ts";
import { counted, jobsText, listed } from "../../domain/words.ts";
import { waitingOf } from "../../ledger/orphans.ts";
import type { DestinationNow, JobNow } from "../page_source.ts";
import { notSentText, pausedText, waits } from "./headline.ts";
import { ACCEPT_REMOVED, type Finding, type Overview, severityOf } from "./overview.ts";
import type { DestinationState } from "../../domain/delivery.ts";

/** Something a person should look at, with what helps. */
export interface TroubleItem {
  /** Stable while it is the same trouble. */
  readonly key: string;
  /** Which {@linkcode TroubleCause}. */
  readonly cause: string;
  readonly kind: "daemon" | "destination" | "job" | "delivery" | "file";
  readonly severity: "warning" | "bad";
  /** What: the name of the destination or job, or the path. */
  readonly what: string;
  readonly where: string;
  readonly message: string;
  readonly hint: string;
  /** When it began; null where that is not known. */
  readonly since: number | null;
  /** What the page can do about it; null where only a person can. */
  readonly action:
    | { readonly do: "retry"; readonly ids: readonly number[] }
    | { readonly do: "resume"; readonly destination: string }
    | { readonly do: "scan" | "accept_removed"; readonly job: string }
    | null;
}

/** What several items have in common, so that one sentence and one remedy do for all of them. */
export interface TroubleCause {
  /** That of its items' `cause`. */
  readonly key: string;
  readonly severity: TroubleItem["severity"];
  /** `nas and freya cannot be reached`, `A different file of that name exists at the destination`. */
  readonly title: string;
  /** What to do, in short; empty where only the items say it. */
  readonly hint: string;
  /** When the first of them began; null where that is not known. */
  readonly since: number | null;
  /** Images that wait because of it. */
  readonly waiting: number;
  /** Items, those included that are not listed. */
  readonly count: number;
}

/** All that a person should look at, worst first. */
export interface TroubleList {
  readonly items: readonly TroubleItem[];
  readonly causes: readonly TroubleCause[];
  /** May be more than `items`, which are at most 500. */
  readonly count: number;
}

/** What the items name. */
interface TroubleParts {
  readonly ledger: Pick<History, "query" | "failedByCode" | "waitingImages">;
  readonly jobs: readonly JobNow[];
  readonly destinations: readonly Affected[];
}

type Affected = DestinationNow & { readonly counts: Counts; readonly since: number | null };

/** Why deliveries failed, whether or not they are among the items. */
type FailedReason = ReturnType<History["failedByCode"]>[number];

/** The first `most`. */
export function troubleOf({ findings, counts }: Overview, parts: TroubleParts, most: number): TroubleList {
  const places = counts.failed === 0 ? [] : parts.destinations.map(({ destination: { job, name } }) => ({ job, name }));
  // Those that somebody sends to, the newest first.
  const failed = places.flatMap(({ job, name: destination }) =>
    parts.ledger.query({ job, destination, trouble: true, descending: true, limit: most })
  ).sort((a, b) => b.delivery.id - a.delivery.id).slice(0, most);
  const items = findings.flatMap((finding) => {
    // What is only worth knowing is listed as well.
    const severity = severityOf(finding) === "bad" ? "bad" : "warning";
    return itemsOf(finding, parts, failed).map((item): TroubleItem => ({ ...item, severity }));
  });
  const causes = causesOf(items, places.flatMap(({ job, name }) => parts.ledger.failedByCode(job, name)), parts);
  return { items: items.slice(0, most), causes, count: items.length + counts.failed - failed.length };
}

type Item = Omit<TroubleItem, "severity">;

function itemsOf(finding: Finding, parts: TroubleParts, failed: readonly DeliveryRow[]): Item[] {
  const jobsNamed = (name: string) => parts.jobs.filter(({ job }) => job.name === name);
  switch (finding.is) {
    case "on_hold":
    case "backing_off":
    case "paused":
      return parts.destinations.filter(({ destination: { job, name } }) => job === finding.job && name === finding.destination)
        .flatMap((one) => destinationItem(one, parts));
    case "not_watched":
      return jobsNamed(finding.job).map(({ job, failure }) =>
        ofJob(job, "not watched", failure?.message ?? "The folder is not watched yet", failure?.hint ?? "", {
          do: "scan",
          job: job.name,
        })
      );
    case "unmatched":
      return jobsNamed(finding.job).flatMap(({ job, unmatched }) => {
        if (unmatched === null) return [];
        const { message, hint } = unmatchedText(job, unmatched);
        return [ofJob(job, "patterns", message, hint)];
      });
    case "events_missing":
      return jobsNamed(finding.job).map(({ job, eventsMissing }) => ofJob(job, "events", eventsMissing ?? "", ""));
    case "not_sent":
      return jobsNamed(finding.job).flatMap(fileItems);
    case "failed":
      return failed.filter((row) => !isLost(row)).flatMap(deliveryItem);
    case "lost":
      return failed.filter(isLost).filter(({ delivery: { source, destination } }) =>
        source.job === finding.job && destination === finding.destination
      ).flatMap(deliveryItem);
    case "unreadable":
    case "changed": {
      const files = counted(finding.count, "delivered file");
      const [message, hint] = finding.is === "unreadable"
        ? [
          `The audit could not read ${files} there`,
          "Check the permissions and the disk there. To see which: image-transfer audit",
        ]
        : [
          `${files} ${finding.count === 1 ? "was" : "were"} changed there since delivery, perhaps on purpose`,
          "They are left alone. To see which: image-transfer audit",
        ];
      return [ofDestination(finding, `audit ${finding.is}`, message, hint)];
    }
    case "missing": {
      const { expected, gone } = finding;
      const message = `${gone} of the ${expected} images of tonight are no longer there`;
      const hint = "History lists them. To send them again: image-transfer verify --retry";
      return [ofDestination(finding, "missing", message, hint)];
    }
    case "removals_held": {
      const hint = `The destination keeps everything. If the files were deleted on purpose, run: ${finding.accept}`;
      return [ofDestination(finding, "removals", `Nothing is removed there: ${finding.reason}`, hint)];
    }
    case "jobs_rejected":
      return [{
        key: "server's jobs",
        cause: "server's jobs",
        kind: "daemon",
        what: "Jobs of the PocketBase server are not used here",
        where: "its configuration",
        message: finding.reason,
        hint: "To see why, and what would change that, run: image-transfer pocketbase status",
        ...ALONE,
      }];
    case "removed_on_server":
      return jobsNamed(finding.job).map(({ job }) => {
        const message = "The PocketBase server no longer has this job. It runs as before until you accept that.";
        const hint = `If that is right, end it here, or run: ${ACCEPT_REMOVED} ${shellQuote(job.name)}`;
        return ofJob(job, "removed on the server", message, hint, { do: "accept_removed", job: job.name });
      });
    case "orphaned": {
      const { destination, counts } = finding.orphan;
      const all = waitingOf(counts) + counts.failed;
      const waiting = waits(all, "image");
      const failed = counts.failed === 0 ? "" : ` (${counts.failed} of them failed)`;
      const message = `${waiting} for a destination that is no longer configured${failed}`;
      const hint = `Configure it again to resume delivery, or give them up: image-transfer forget ${shellQuote(destination)}`;
      return [ofDestination(finding.orphan, "orphans", message, hint)];
    }
    case "stopped": {
      const { code, message, hint } = finding.trouble;
      const what = ownCauseOf(code).text;
      return [{ key: "daemon", cause: "daemon", kind: "daemon", what, where: "itself", message, hint, ...ALONE }];
    }
    case "not_running":
    case "misconfigured":
      // Only a command finds these: a page is shown by a running daemon, which keeps the configuration it has.
      return [];
    default:
      return finding satisfies never;
  }
}

/** Nobody knows since when, and only a person can do something about it. */
const ALONE = { since: null, action: null } as const;

/** Keys of the API that are called otherwise than the cause. */
const KEYS: Readonly<Record<string, string>> = { "not watched": "job", "removed on the server": "removed", orphans: "orphan" };

function ofJob(
  { name, watchPath }: JobNow["job"],
  cause: string,
  message: string,
  hint: string,
  action: Item["action"] = null,
): Item {
  const key = `${KEYS[cause] ?? cause} ${name}`;
  return { key, cause, kind: "job", what: name, where: watchPath, message, hint, ...ALONE, action };
}

function ofDestination(
  { job, destination }: { readonly job: string; readonly destination: string },
  cause: string,
  message: string,
  hint: string,
): Item {
  const key = `${KEYS[cause] ?? cause} ${job}/${destination}`;
  return { key, cause, kind: "destination", what: destination, where: `of job ${job}`, message, hint, ...ALONE };
}

function isLost({ delivery: { state } }: DeliveryRow): boolean {
  return state.state === "failed" && (state.failure.code === "damaged" || state.failure.code === "vanished");
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
    key: keyOf(destination),
    cause: causeKey(state) ?? state.state,
    kind: "destination",
    what: destination.name,
    where: isShared ? `${placeOf(destination)}, job ${destination.job}` : placeOf(destination),
    ...said,
    since,
    action: { do: "resume", destination: destination.name },
  }];
}

function keyOf({ job, name }: Affected["destination"]): string {
  return `destination ${job}/${name}`;
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

/** Where a destination is, for people: `observer@freya:/data/images`, or the folder. */
export function placeOf({ transport, basePath }: Pick<Destination, "transport" | "basePath">, path = basePath): string {
  if (transport.method === "rclone") return `${transport.remote}:${path === "." ? "" : path}`;
  const login = loginOf(transport);
  if (login === null) return path;
  return `${login.user === null ? "" : `${login.user}@`}${bracketed(login.host)}:${path}`;
}

// Trouble by cause: one full disk with four thousand waiting images is one cause, and so is one reason that a hundred deliveries have.

/** Worst first, then in the order of the items. */
function causesOf(
  items: readonly TroubleItem[],
  failed: readonly FailedReason[],
  { destinations, ledger }: TroubleParts,
): TroubleCause[] {
  const keys = [...new Set([...items.map(({ cause }) => cause), ...failed.map(({ code }) => `failed ${code}`)])];
  return keys.map((key) => {
    const mine = items.filter(({ cause }) => cause === key);
    const counted = failed.filter(({ code }) => `failed ${code}` === key);
    const affected = destinations.filter(({ destination, state }) =>
      causeKey(state) === key && mine.some(({ key: item }) => item === keyOf(destination))
    );
    const since = [...mine.map((one) => one.since), ...counted.map((one) => one.since)].filter((at) => at !== null);
    return {
      key,
      severity: mine[0]?.severity ?? "bad",
      ...wordsOf(mine, counted, affected),
      since: since.length === 0 ? null : Math.min(...since),
      waiting: waitingImages(affected.map(({ destination: { job, name }, counts }) => ({ job, name, counts })), ledger),
      count: counted.length === 0 ? mine.length : counted.reduce((sum, { count }) => sum + count, 0),
    };
  }).sort((a, b) => Number(b.severity === "bad") - Number(a.severity === "bad"));
}

/** Of the destinations, the key of what keeps them from taking files; null where nothing does. */
function causeKey(state: DestinationState): string | null {
  if (state.state === "paused") return `paused by ${state.by}`;
  return "failure" in state ? `${state.state}${causeOf(state.failure.code, "", true).text}` : null;
}

function wordsOf(
  items: readonly TroubleItem[],
  failed: readonly FailedReason[],
  affected: readonly Affected[],
): Pick<TroubleCause, "title" | "hint"> {
  const [first] = affected;
  if (first !== undefined) {
    const names = [...new Set(affected.map(({ destination }) => destination.name))];
    const isOne = names.length === 1;
    if (first.state.state === "paused") {
      return { title: pausedText(names, first.state.by), hint: "Resume to send files again." };
    }
    const { text, advice } = causeOf("failure" in first.state ? first.state.failure.code : "internal", listed(names), isOne);
    return { title: text, hint: advice };
  }
  const [reason] = failed;
  if (reason !== undefined) {
    return { title: failedBecause(reason.code) ?? items[0]?.message ?? "Deliveries failed", hint: items[0]?.hint ?? "" };
  }
  const [item] = items;
  return { title: (TITLES[item?.cause ?? ""] ?? (() => item?.message ?? ""))(items.map(({ what }) => what)), hint: "" };
}

/** What items of a cause have in common, by what they name; else the message of the first. */
const TITLES: Readonly<Record<string, (what: readonly string[]) => string>> = {
  daemon: ([what]) => what!,
  "server's jobs": ([what]) => what!,
  incomplete: ({ length }) => notSentText([{ incomplete: length, rejected: 0, folders: 0 }])[0]!,
  refused: ({ length }) => notSentText([{ incomplete: 0, rejected: length, folders: 0 }])[0]!,
  folder: ({ length }) => notSentText([{ incomplete: 0, rejected: length, folders: length }])[0]!,
  "not watched": (jobs) => `The folder of ${listed(jobs)} is not watched`,
  patterns: (jobs) => `No file of ${listed(jobs)} matches the patterns`,
  missing: () => "Delivered images are no longer at their destination",
  removals: (names) => `Removals from ${listed(names)} are waiting for you to accept them`,
  "removed on the server": (jobs) => `${jobsText(jobs)} removed on the server`,
  orphans: (names) => `Images are waiting for ${listed(names)}, which is no longer configured`,
};

// How many images wait: one that waits for two destinations is two deliveries and one image.

/** More are not counted one by one: they are taken to wait for the same destinations, as in an outage they do. */
const MOST_COUNTED = 20_000;

/** Images that wait for at least one of these destinations. */
export function waitingImages(
  places: readonly { readonly job: string; readonly name: string; readonly counts: Counts }[],
  ledger: Pick<History, "waitingImages">,
): number {
  const waiting = places.filter(({ counts }) => waitingOf(counts) > 0);
  return [...Map.groupBy(waiting, ({ job }) => job)].reduce((sum, [job, mine]) => {
    const numbers = mine.map(({ counts }) => waitingOf(counts));
    const isCounted = mine.length > 1 && numbers.reduce((all, one) => all + one, 0) <= MOST_COUNTED;
    return sum + (isCounted ? ledger.waitingImages(job, mine.map(({ name }) => name)) : Math.max(...numbers));
  }, 0);
}
