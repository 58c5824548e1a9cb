/**
 * `run --dry-run`: says what would be sent where, and touches nothing: no lock, no ledger, no log, no destination.
 *
 * @module
 */
import { printable } from "../../domain/names/printable.ts";
import type { Destination } from "../../domain/job.ts";
import type { Settings } from "../../domain/settings.ts";
import type { Admission } from "../../ledger/ledger.ts";
import { board } from "../../events/board.ts";
import { intake } from "../../intake/intake.ts";
import { EXIT, type Tools } from "../command.ts";
import { sayWaiting, type WaitingOutput } from "../text/waiting_for.ts";

/** Lists the deliveries that a run would begin with; one line a delivery on standard output. */
export async function dryRun(settings: Settings, tools: Tools): Promise<number> {
  using ledger = tools.readLedger(settings.stateDirectory);
  const lower = tools.system.isTerminal("stderr") ? board(tools.stderr, () => tools.system.columns() ?? 80) : null;
  const output: WaitingOutput = {
    isLive: lower !== null,
    show: (line) => lower ? lower.draw([], line ?? "") : line !== null && tools.stderr(`${line}\n`),
  };
  let count = 0;
  let incomplete = 0;
  const line = lower?.line ?? tools.stderr;
  for (const job of settings.jobs) {
    const destinations = new Map(job.destinations.map((destination) => [destination.name, destination]));
    const say = (absolutePath: string, destination: string, target: string) => {
      const to = destinations.get(destination);
      if (!to) return;
      count += 1;
      // Both may be the same terminal.
      lower?.draw([]);
      tools.stdout(`${printable(absolutePath)} -> ${printable(place(to, target))}\n`);
    };
    for (const { delivery: { source, destination, target } } of ledger.query({ job: job.name, states: WAITING })) {
      say(source.absolutePath, destination, target);
    }
    const admitted = new Set<string>();
    const admit = (admissions: readonly Admission[]) => {
      for (const { source, targets } of admissions) {
        if (admitted.has(source.path)) continue;
        admitted.add(source.path);
        for (const { destination, target } of targets) say(source.absolutePath, destination, target);
      }
      return [];
    };
    const stop = new AbortController();
    const end = () => stop.abort();
    tools.signal.addEventListener("abort", end, { once: true });
    const taking = intake(job, {
      system: tools.system,
      ledger: { unknown: ledger.unknown, admit, admittedAt: ledger.admittedAt, recheck: () => [], ...NO_REREADS },
      emit: (event) => {
        if (event.type === "notice" && (event.level === "warning" || event.level === "error")) line(`${event.message}\n`);
      },
      admitted: () => {},
    });
    const over = taking.run(stop.signal);
    const saying = sayWaiting(() => [{ job, files: taking.waiting() }], output, tools.system, stop.signal);
    try {
      for (const { path, reason } of (await taking.settled()).incomplete) {
        incomplete += 1;
        line(`"${printable(path)}" would wait: ${reason}\n`);
      }
    } finally {
      stop.abort();
      await Promise.all([over, saying]);
      tools.signal.removeEventListener("abort", end);
    }
  }
  tools.stderr(
    `${count} ${count === 1 ? "file" : "files"} would be sent${
      incomplete > 0 ? `, ${incomplete} not finished` : ""
    }. Nothing was touched.\n`,
  );
  return EXIT.done;
}

/** Whoever touches nothing reads nothing again either. */
const NO_REREADS = { dueRereads: () => [], nextReread: () => null, recordRereads: () => [], requestRereads: () => {} };

const WAITING = ["queued", "sending", "deferred"] as const;

function place({ name, host, user, basePath }: Destination, target: string): string {
  const at = host === null ? "" : `${user === null ? "" : `${user}@`}${host}:`;
  return `${name} ${at}${basePath.replace(/\/$/, "")}/${target}`;
}
