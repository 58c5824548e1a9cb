/** `status` for a tired observer: first whether all is well, then each destination, then running transfers. */
import { NOTHING_TO_CHECK } from "../../domain/audit.ts";
import { counted, localTime, span } from "../../domain/words.ts";
import { wrapped } from "../../domain/wrapped.ts";
import { format as formatBytes } from "@std/fmt/bytes";
import { printable } from "../../domain/names/printable.ts";
import { type Orphan, waitingOf } from "../../ledger/orphans.ts";
import { shellQuote } from "../../methods/shell/shell_quote.ts";
import { amount } from "../../intake/watch/left_aside.ts";
import type { LiveReport } from "../../reports/daemon_control.ts";
import { notSentText } from "../../reports/overview/headline.ts";
import { ACCEPT_REMOVED, isWell, only, type Overview } from "../../reports/overview/overview.ts";
import type { AuditStatus, StatusReport } from "../../reports/overview/status_json.ts";
import { notSentLines } from "./night.ts";

interface StatusAbout {
  readonly live: LiveReport | null;
  readonly overview: Overview;
  /** Milliseconds since 1970 UTC. */
  readonly now: number;
  readonly columns: number;
}

/** The lines, each with its end. Its verdict counts only what can be sent: orphans have a line of their own. */
export function statusText(report: StatusReport, about: StatusAbout): string {
  const { live, overview, now, columns } = about;
  const { running, pid, version, started_at, url, trouble, jobs_rejected } = report;
  const { queued, sending, deferred, delivered, failed, gone = 0 } = overview.counts;
  const counts = [
    `${delivered} delivered`,
    `${sending} being sent`,
    `${queued} queued`,
    ...deferred > 0 ? [`${deferred} waiting to retry`] : [],
    `${failed} failed`,
    ...gone > 0 ? [`${gone} gone from the destination`] : [],
  ];
  const hooks = (report.hooks ?? []).map(({ job, hook, waiting }) => `${printable(hook)} of job ${printable(job)} (${waiting})`);
  const since = started_at === null ? "" : `, up for ${span(now - Date.parse(started_at))}`;
  // What keeps the daemon itself from delivering, and the server's jobs from being used.
  const reasons = [trouble === undefined ? undefined : `${trouble.message}. ${trouble.hint}`, jobs_rejected]
    .filter((reason) => reason !== undefined);
  return [
    ...verdict(report, about),
    ...reasons.flatMap((reason) => wrapped(printable(reason), columns, "  ", HANGING)),
    "",
    ...destinationLines(report, columns),
    "",
    ...jobLines(report, columns, now),
    ...(live?.running ?? []).map(({ destination, bytes, total, files, bytesPerSecond, path }) => {
      const done = `${formatBytes(bytes)} of ${formatBytes(total)} in ${counted(files, "file")}`;
      return `  sending to ${printable(destination)}: ${done}, ${formatBytes(Math.round(bytesPerSecond))}/s  ${printable(path)}`;
    }),
    ...notSentLines(report.jobs.flatMap(({ not_sent }) => not_sent ?? []), columns, NOT_SENT_SHOWN),
    `  ${counts.join(", ")}`,
    ...orphanLines(report, only(overview, "orphaned").map(({ orphan }) => orphan), columns),
    "",
    ...hooks.length === 0 ? [] : [...wrapped(`Events waiting for hooks: ${hooks.join(", ")}`, columns, "  ", HANGING), ""],
    ...failed === 0 ? [] : ["  Reasons: image-transfer history --failed      Retry: image-transfer retry --all", ""],
    running
      ? `  image-transfer ${version}, process ${pid}${since}${url === null ? "" : `  ${url}`}`
      : `  image-transfer ${version}: start it with image-transfer run`,
  ].map((line) => `${line}\n`).join("");
}

/** All is well, or not and why: the headline of the page, what to do, and what else there is. */
function verdict(report: StatusReport, { overview, live, now, columns }: StatusAbout): string[] {
  const { delivered, gone = 0 } = overview.counts;
  const waiting = waitingOf(overview.counts);
  if (!report.running) {
    const left = waiting > 0 ? ` ${deliveries(waiting)} pending.` : "";
    return [`NOT RUNNING. Nothing is watched and nothing is sent.${left}`];
  }
  const age = live?.oldestWaiting == null ? "" : `, the oldest for ${span(now - live.oldestWaiting)}`;
  const wait = waiting > 0 ? `${deliveries(waiting)} pending${age}` : "";
  if (!isWell(overview)) {
    const [word, parts] = troubles(overview);
    const all = [...parts, wait].filter((part) => part !== "");
    const sum = `${all.join("; ")}.`;
    const { headline } = report;
    // A daemon of an older version, before it is restarted, has no headline.
    if (headline === undefined) return [`${word}: ${sum}`];
    return [
      ...wrapped(`${word}: ${printable(headline.text).replace(/\.$/, "")}.`, columns, "", HANGING),
      ...headline.advice === "" ? [] : wrapped(printable(headline.advice), columns, "", ""),
      ...all.length === 0 ? [] : ["", ...wrapped(`In total: ${sum}`, columns, "  ", HANGING)],
    ];
  }
  if (overview.waitsFor !== null) {
    const until = overview.waitsFor === "schedule" ? "for the schedule" : "until you run: image-transfer sync";
    return [`All is well: ${deliveries(waiting)} ${waiting === 1 ? "waits" : "wait"} ${until}.`];
  }
  if (waiting > 0) return [`All is well: ${wait}.`];
  // Of nights before this one: those of tonight are not well.
  const aside = report.jobs.reduce((sum, { left_aside }) => sum + (left_aside?.files ?? 0), 0);
  const exceptions = [
    ...gone === 0 ? [] : [`${counted(gone, "file")} no longer at the destination`],
    ...aside === 0 ? [] : [`${amount(aside)} left aside (newer_than)`],
  ];
  const but = exceptions.length === 0 ? "" : ` except ${exceptions.join(" and ")}`;
  return [delivered > 0 ? `All is well: everything is delivered${but}.` : `All is well: nothing to deliver yet${but}.`];
}

/** A file that goes to two destinations is two. */
function deliveries(count: number): string {
  return counted(count, "delivery", "deliveries");
}

/** What kind of attention is needed, and what for: empty texts stand for nothing. */
function troubles(overview: Overview): readonly [string, readonly string[]] {
  const files = (counts: readonly number[], what: string) => {
    const count = counts.reduce((sum, one) => sum + one, 0);
    return count === 0 ? "" : `${counted(count, "file")} ${what}`;
  };
  const lost = only(overview, "lost");
  const troubles = [
    files(only(overview, "failed").map(({ count }) => count), "failed"),
    files(lost.map(({ damaged }) => damaged), "damaged at the destination"),
    files(lost.map(({ vanished }) => vanished), "vanished from the destination"),
    files(only(overview, "unreadable").map(({ count }) => count), "unreadable at the destination"),
    ...notSentText(only(overview, "not_sent")),
    are(only(overview, "on_hold", "backing_off").map(({ destination }) => destination), "unavailable"),
    are(only(overview, "not_watched").map(({ job }) => job), "not watched"),
  ].filter((part) => part !== "");
  const unmatched = only(overview, "unmatched").map(({ job }) => printable(job));
  const held = only(overview, "removals_held").map(({ destination }) => destination);
  const gone = only(overview, "missing").reduce((sum, one) => sum + one.gone, 0);
  const [was, is] = gone === 1 ? ["was", "is"] : ["were", "are"];
  const words: readonly [string, boolean][] = [
    ["TROUBLE", troubles.length > 0 || only(overview, "stopped").length > 0],
    ["PAUSED", only(overview, "paused").length > 0],
    ["CHECK THE PATTERNS", unmatched.length > 0],
    ["REMOVALS WAIT", held.length > 0],
    ["SERVER'S JOBS NOT USED", only(overview, "jobs_rejected").length > 0],
    ["JOBS REMOVED", only(overview, "removed_on_server").length > 0],
  ];
  return [words.find(([, applies]) => applies)?.[0] ?? "FILES MISSING", [
    ...troubles,
    are(only(overview, "paused").map(({ destination }) => destination), "paused"),
    unmatched.length === 0 ? "" : `no file of ${unmatched.join(", ")} matches`,
    held.length === 0 ? "" : `${are(held, "waiting")} for you to accept what was deleted here`,
    gone === 0 ? "" : `${counted(gone, "file")} ${was} delivered but ${is} no longer at the destination`,
  ]];
}

/** `freya, nas are paused`; empty where there are none. Destinations of different jobs may share a name, which is said once. */
function are(names: readonly string[], what: string): string {
  const all = [...new Set(names.map(printable))];
  return all.length === 0 ? "" : `${all.join(", ")} ${all.length === 1 ? "is" : "are"} ${what}`;
}

/** One line each; a reason that does not fit goes below it. */
function destinationLines({ destinations }: StatusReport, columns: number): string[] {
  const width = Math.max(...destinations.map(({ name }) => printable(name).length), 0);
  const method = Math.max(...destinations.map((one) => one.method.length), 0);
  return destinations.flatMap((one) => {
    const free = one.free_bytes === null ? "" : `${formatBytes(one.free_bytes)} free`;
    const limit = one.bandwidth_limit === undefined ? "" : `limited to ${formatBytes(one.bandwidth_limit)}/s`;
    const goOn = one.state === "paused" ? `; resume it with image-transfer resume ${shellQuote(printable(one.name))}` : "";
    const why = one.reason === null ? "" : `${printable(one.reason)}${goOn}`;
    const head = `  ${printable(one.name).padEnd(width)}  ${one.method.padEnd(method)}  `;
    const left = waitingOf(one);
    const queue = left > 0 ? `${left} waiting` : "";
    const joined = (...parts: string[]) => `${head}${parts.filter((part) => part !== "").join("  ")}`.trimEnd();
    const state = STATES[one.state].padEnd(11);
    const line = joined(state, why, queue, free, limit);
    const fits = line.length <= columns;
    const held = one.removals_held;
    const below = [
      fits ? "" : why,
      held === undefined ? "" : `nothing is removed there: ${held.reason}. If that is right: ${held.accept}`,
      one.folder_made ? "its folder did not exist and was created; if that is a mistake, correct remote_base_path" : "",
      one.audit === undefined ? "" : auditLine(one.audit),
    ].filter((text) => text !== "");
    return [
      fits ? line : joined(state, queue, free, limit),
      ...below.flatMap((text) => wrapped(text, columns, HANGING, HANGING)),
    ];
  });
}

/** `audit: 120 of 600 files hashed again, all as delivered`. */
export function auditLine(audit: AuditStatus): string {
  const { state, checked, files, ended_at, next_at, repair } = audit;
  const wrong = (["damaged", "vanished", "changed", "unreadable"] as const).filter((kind) => audit[kind] > 0)
    .map((kind) => `${audit[kind]} ${kind}`);
  const found = wrong.length === 0
    ? "all as delivered"
    : `${wrong.join(", ")}${audit.sent_again > 0 ? `, ${audit.sent_again} sent again` : ""}`;
  const next = next_at === null ? "" : `; next ${localTime(Date.parse(next_at))}`;
  if (state === "running") {
    return `audit: ${checked} of ${counted(files, "file")} hashed again${checked === 0 ? "" : `, ${found}`}`;
  }
  if (ended_at === null) return `audit: starts when nothing is being sent${repair ? ", with repair" : ""}`;
  const what = checked === 0 ? NOTHING_TO_CHECK : `${counted(checked, "file")} hashed again, ${found}`;
  return `audit of ${localTime(Date.parse(ended_at))}: ${what}${next}`;
}

const HANGING = " ".repeat(6);

const STATES = {
  open: "open",
  backing_off: "UNAVAILABLE",
  on_hold: "ON HOLD",
  paused: "PAUSED",
  closed: "waits",
  unknown: "",
} as const satisfies Record<StatusReport["destinations"][number]["state"], string>;

function jobLines({ jobs, running, trouble }: StatusReport, columns: number, now: number): string[] {
  return jobs.flatMap((job) => {
    const name = printable(job.name);
    const how = job.watching ? "watches" : running ? "CANNOT WATCH" : "does not watch";
    // Those that are given up are listed below, each with its reason.
    const unfinished = job.files_waiting - (job.incomplete ?? 0) - (job.rejected ?? 0);
    const waits = unfinished > 0
      ? `  (${counted(unfinished, "file")} ${trouble === undefined ? "not finished yet" : "waiting"})`
      : "";
    const below: string[] = [];
    if (job.reason !== undefined) below.push(printable(job.reason));
    if (job.removed_on_server) {
      below.push(`removed on the server: if that is right, ${ACCEPT_REMOVED} ${shellQuote(name)}`);
    }
    if (job.events_missing !== undefined) below.push(printable(job.events_missing));
    if (job.silent && job.last_image !== null) {
      const at = Date.parse(job.last_image);
      const usual = job.usual_interval_seconds;
      const usually = usual === null ? "" : `, usually every ${span(usual * 1000)}`;
      below.push(`Last image ${localTime(at).slice(11, 16)}, ${span(now - at)} ago${usually}`);
    }
    for (const { path, size, stalled, sent } of job.growing ?? []) {
      const there = sent.map(({ destination, bytes }) => `${formatBytes(bytes)} sent to ${printable(destination)}`).join(", ");
      const grows = stalled ? "has stopped growing" : "is growing";
      below.push(`${printable(path)} ${grows}: ${formatBytes(size)}, ${there} already`);
    }
    // A daemon of an older version, before it is restarted, says nothing of it.
    if (job.unmatched != null) {
      const { files, example } = job.unmatched;
      const which = files === 1 ? "the only file there does not match" : `none of the ${files} files there matches`;
      below.push(`${which} the patterns of this job, for example "${printable(example)}": check file_patterns`);
    }
    if (job.left_aside !== undefined && job.left_aside.files > 0) {
      below.push(`${job.left_aside.message}. ${job.left_aside.hint}`);
    }
    return [
      `  ${name} ${how} ${printable(job.watch_path)}${waits}${job.dry_run ? "  DRY RUN: nothing is sent" : ""}`,
      ...below.flatMap((text) => wrapped(text, columns, HANGING, HANGING)),
    ];
  });
}

/** What waits for destinations that are no longer configured, and the two ways to resolve it. */
function orphanLines({ destinations }: StatusReport, orphans: readonly Orphan[], columns: number): string[] {
  const [first] = orphans;
  if (first === undefined) return [];
  const numberOf = ({ counts }: Orphan) => waitingOf(counts) + counts.failed;
  const all = orphans.reduce((sum, orphan) => sum + numberOf(orphan), 0);
  const isOnly = (orphan: Orphan) =>
    !destinations.some(({ name }) => name === orphan.destination) &&
    orphans.filter(({ destination }) => destination === orphan.destination).length === 1;
  const names = orphans.map((orphan) => {
    const job = isOnly(orphan) ? "" : ` of job ${printable(orphan.job)}`;
    const failed = orphan.counts.failed > 0 ? `, ${orphan.counts.failed} of them failed` : "";
    return `${printable(orphan.destination)}${job} (${numberOf(orphan)}${failed})`;
  });
  return wrapped(
    `${all} waiting for destinations that are no longer configured: ${names.join(", ")}. ` +
      "Put the destination back into the configuration to resume, or give them up: " +
      `image-transfer forget ${shellQuote(printable(first.destination))}`,
    columns,
    "  ",
    HANGING,
  );
}

/** Files named; status --json and the log have more. */
const NOT_SENT_SHOWN = 10;
