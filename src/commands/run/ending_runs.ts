/**
 * Runs that end by themselves. `run --dry-run` says what would be sent where, and touches nothing: no lock, no ledger, no log, no destination.
 * `run --once` delivers what is there, files about to be finished included, and says by its exit code whether anything is missing.
 */
import { counted } from "../../domain/words.ts";
import { anySignal, unlessAborted } from "../../async/abort.ts";
import { printable } from "../../domain/names/printable.ts";
import { withoutName } from "../../domain/names/reason.ts";
import type { Destination, Job, Settings } from "../../config/settings.ts";
import type { SourceFile } from "../../domain/source_file.ts";
import { type Admission, REMEMBERS_NOTHING } from "../../ledger/intake_ledger.ts";
import { NEW_MIRROR } from "../../ledger/outbox_ledger.ts";
import type { ReadLedger } from "../../ledger/ledger.ts";
import { board } from "../../events/board.ts";
import { findMissing, whyAsk } from "../../delivery/mirror/mirror.ts";
import { intake } from "../../intake/intake.ts";
import type { Waiting } from "../../intake/settle/candidate.ts";
import type { Tools } from "../command.ts";
import { EXIT } from "../text/failure_text.ts";
import { type AsideNow, asideText } from "../../intake/watch/left_aside.ts";
import { sayWaiting, type WaitingOutput } from "../text/waiting_for.ts";
import { placeOf } from "../../reports/overview/trouble.ts";
import type { Daemon } from "../../daemon/daemon.ts";
import { failureRecord, withHint } from "../../domain/failure.ts";
import { waitingOf } from "../../ledger/orphans.ts";
import type { Console } from "./console.ts";

/** Lists the deliveries that a run would begin with; one line a delivery on standard output. */
export async function dryRun(settings: Settings, tools: Tools): Promise<number> {
  using ledger = tools.readLedger(settings.stateDirectory);
  const lower = tools.system.isTerminal("stderr") ? board(tools.stderr, () => tools.system.columns() ?? 80) : null;
  const screen = {
    isLive: lower !== null,
    show: (line: string | null) => lower ? lower.draw([], line ?? "") : line !== null && tools.stderr(`${line}\n`),
    line: lower?.line ?? tools.stderr,
  };
  let count = 0;
  let incomplete = 0;
  let removals = 0;
  const aside: string[] = [];
  for (const job of settings.jobs) {
    const list: List = ({ absolutePath }, destination, target) => {
      const to = job.destinations.find(({ name }) => name === destination);
      if (!to) return;
      count += 1;
      // Both may be the same terminal.
      lower?.draw([]);
      tools.stdout(`${printable(absolutePath)} -> ${printable(place(to, target))}\n`);
    };
    for (const { delivery } of ledger.each({ job: job.name, states: WAITING })) {
      list(delivery.source, delivery.destination, delivery.target);
    }
    removals += await listRemovals(job, ledger, tools);
    const { incomplete: unfinished, leftAside } = await takeIn(job, ledger, list, screen, tools);
    if (leftAside !== null && leftAside.files > 0) {
      const { message, hint } = asideText(leftAside, job.night.timezone, tools.system.now());
      aside.push(`${message}. ${hint}\n`);
    }
    for (const { path, reason, detail } of unfinished) {
      incomplete += 1;
      const why = reason === "refused" ? `not be sent: ${printable(withoutName(detail, path))}` : `wait: ${reason}`;
      screen.line(`"${printable(path)}" would ${why}\n`);
    }
  }
  aside.forEach(tools.stderr);
  const files = counted(count, "file");
  const removed = removals === 0 ? "" : `, ${removals} removed at a mirror`;
  tools.stderr(`${files} would be sent${removed}${incomplete > 0 ? `, ${incomplete} not finished` : ""}. Nothing was changed.\n`);
  return EXIT.done;
}

/** Lists what mirrors would remove, or would ask about first; returns how many. */
async function listRemovals(job: Job, ledger: ReadLedger, { system, stdout, stderr, signal }: Tools): Promise<number> {
  const mirrors = job.destinations.filter((destination) => destination.deleteDestinationFiles);
  const found = mirrors.length === 0 ? null : await findMissing(job, mirrors.map(({ name }) => name), ledger, system, signal);
  if (found === null) return 0;
  let count = 0;
  for (const destination of mirrors) {
    const { name } = destination;
    const deliveries = ledger.keptDeliveries(job.name, name, found.missing);
    count += deliveries.length;
    for (const { source, target } of deliveries) {
      stdout(`remove ${printable(place(destination, target))}: ${printable(source.absolutePath)} was deleted\n`);
    }
    const reason = whyAsk(destination, ledger.mirrorOf(job.name, name) ?? NEW_MIRROR, {
      files: deliveries.length,
      lately: 0,
      delivered: ledger.counts(job.name, name).delivered,
      emptied: found.missing.length === found.known,
      root: found.root,
      elsewhere: false,
    });
    if (reason !== null) stderr(`${name} would ask first: ${reason}\n`);
  }
  return count;
}

/** Told of a delivery that would be queued. */
type List = (source: SourceFile, destination: string, target: string) => void;
/** Runs the intake once over everything; lists what it would queue, and returns the files that are not finished or left aside. */
async function takeIn(
  job: Job,
  ledger: ReadLedger,
  list: List,
  screen: WaitingOutput & { readonly line: (text: string) => void },
  { system, signal }: Tools,
): Promise<{ readonly incomplete: readonly Waiting[]; readonly leftAside: AsideNow | null }> {
  const admitted = new Set<string>();
  const admit = (admissions: readonly Admission[]) => {
    for (const { source, targets } of admissions) {
      if (admitted.has(source.path)) continue;
      admitted.add(source.path);
      for (const { destination, target } of targets) list(source, destination, target);
    }
    return [];
  };
  const taking = intake(job, {
    system,
    ledger: {
      ...REMEMBERS_NOTHING,
      unknown: ledger.unknown,
      admitted: ledger.admitted,
      leftAside: ledger.leftAside,
      admit,
    },
    emit: (event) => {
      if (event.type === "notice" && (event.level === "warning" || event.level === "error")) screen.line(`${event.message}\n`);
    },
    admitted: () => {},
  });
  using stop = anySignal(signal);
  const over = taking.run(stop.signal);
  const saying = sayWaiting(() => [{ job, files: taking.waiting() }], screen, system, stop.signal);
  try {
    const { incomplete } = await taking.caughtUp();
    return { incomplete, leftAside: taking.leftAside() };
  } finally {
    stop.abort();
    await Promise.all([over, saying]);
  }
}

const WAITING = ["queued", "sending", "deferred"] as const;

function place(destination: Destination, target: string): string {
  return `${destination.name} ${placeOf(destination, `${destination.basePath.replace(/\/$/, "")}/${target}`)}`;
}

/** How many old failures are checked: more would change nothing. */
const MOST_FAILURES = 1000;

/** Waits until nothing is left to do, ends the daemon, and returns the exit code. */
export async function deliverOnce(
  daemon: Daemon,
  { waiting, say }: Pick<Console, "waiting" | "say">,
  tools: Pick<Tools, "system">,
): Promise<number> {
  const startedAt = tools.system.now();
  const missing: string[] = [];
  const over = new AbortController();
  const saying = sayWaiting(daemon.unsettled, waiting, tools.system, over.signal);
  try {
    const finishes = await unlessAborted(daemon.finished(), daemon.ending, null);
    if (finishes === null) {
      const trouble = daemon.trouble();
      missing.push(trouble === null ? "it was stopped before everything was delivered" : withHint(trouble));
    }
    for (const { job, finish } of finishes ?? []) {
      for (const { path, reason, detail } of finish.incomplete) {
        missing.push(`job ${job}: "${printable(path)}" is ${reason}${detail === "" ? "" : `: ${printable(detail)}`}`);
      }
      for (const { destination, idleness } of finish.unreached) {
        const left = waitingOf(daemon.ledger.counts(job, destination));
        const why = idleness.failure?.message ?? "files are still waiting";
        missing.push(`${destination} is unavailable: ${why} (${left} waiting)`);
      }
    }
    // Failures of the configured jobs that this run met, or whose source still waits to be delivered.
    const jobs = new Map(daemon.settings().jobs.map((job) => [job.name, new Set(job.destinations.map(({ name }) => name))]));
    const rows = daemon.ledger.query({ trouble: true, states: ["failed"], descending: true, limit: MOST_FAILURES });
    for (const { delivery: { source, destination, state, queuedAt } } of rows) {
      if (!jobs.get(source.job)?.has(destination)) continue;
      // A file that cannot be checked may still exist.
      const isThere = async () => await tools.system.facts(source.absolutePath).catch(() => "unknown") !== null;
      if (queuedAt < startedAt && !await isThere()) continue;
      const reason = state.state === "failed" ? state.failure.message : state.state;
      missing.push(`"${printable(source.absolutePath)}" to ${destination}: ${reason}`);
    }
  } catch (error) {
    missing.push(withHint(failureRecord(error)));
  } finally {
    over.abort();
    await saying;
  }
  daemon.stop(missing.length === 0 ? "nothing is left to deliver" : "nothing else can be delivered now");
  await daemon.stopped;
  for (const line of missing.slice(0, LINES)) say(`Not delivered: ${line}`, "ERROR");
  if (missing.length > LINES) say(`… and ${missing.length - LINES} more: image-transfer history --failed`, "ERROR");
  return missing.length === 0 ? EXIT.done : EXIT.notDelivered;
}

const LINES = 20;
