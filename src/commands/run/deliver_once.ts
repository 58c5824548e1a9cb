/**
 * `run --once`: delivers what is there, files about to be finished included, and says by its exit code whether
 * anything is missing.
 */
import { unlessAborted } from "../../async/abort.ts";
import type { Daemon } from "../../daemon/daemon.ts";
import { failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import { waitingOf } from "../../ledger/orphans.ts";
import type { Tools } from "../command.ts";
import { EXIT } from "../text/failure_text.ts";
import type { Console } from "./console.ts";
import { sayWaiting } from "../text/waiting_for.ts";

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
      missing.push(trouble === null ? "it was stopped before everything was delivered" : `${trouble.message}. ${trouble.hint}`);
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
    missing.push(...await failures(daemon, startedAt, tools));
  } catch (error) {
    const { message, hint } = failureRecord(error);
    missing.push(hint === "" ? message : `${message}. ${hint}`);
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

/** Failures of the configured jobs that this run met, or whose source still waits to be delivered. */
async function failures(daemon: Daemon, startedAt: number, { system }: Pick<Tools, "system">): Promise<string[]> {
  const jobs = new Map(daemon.settings().jobs.map((job) => [job.name, new Set(job.destinations.map(({ name }) => name))]));
  const rows = daemon.ledger.query({ trouble: true, states: ["failed"], descending: true, limit: MOST_FAILURES });
  const lines: string[] = [];
  for (const { delivery } of rows) {
    if (!jobs.get(delivery.source.job)?.has(delivery.destination)) continue;
    const { source, destination, state, queuedAt } = delivery;
    // A file that cannot be checked may still exist.
    const isWanted = queuedAt >= startedAt || await system.facts(source.absolutePath).catch(() => "unknown") !== null;
    if (!isWanted) continue;
    const reason = state.state === "failed" ? state.failure.message : state.state;
    lines.push(`"${printable(source.absolutePath)}" to ${destination}: ${reason}`);
  }
  return lines;
}
