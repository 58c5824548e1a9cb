/**
 * `status` for a tired observer: first whether all is well, then each destination, then what moves.
 *
 * @module
 */
import { format as formatBytes } from "@std/fmt/bytes";
import { pathField, printable } from "../domain/printable.ts";
import type { LiveReport } from "../web/daemon_control.ts";
import type { StatusReport } from "../web/status_report.ts";
import { span } from "./span.ts";

/** The lines, each with its end. `live` is null where no daemon runs; `now` in milliseconds since 1970 UTC. */
export function statusText(report: StatusReport, live: LiveReport | null, now: number): string {
  return [
    verdict(report, live, now),
    "",
    ...destinationLines(report),
    "",
    ...jobLines(report),
    ...(live?.running ?? []).map((one) =>
      `  sending to ${printable(one.destination)}: ${formatBytes(one.bytes)} of ${formatBytes(one.total)} in ${
        filesOf(one.files)
      }, ${formatBytes(Math.round(one.bytesPerSecond))}/s  ${printable(one.path)}`
    ),
    ...givenUpLines(live),
    `  ${countsLine(report)}`,
    "",
    ...helpLines(report),
    ownLine(report, now),
  ].map((line) => `${line}\n`).join("");
}

function verdict({ running, destinations, deliveries, jobs }: StatusReport, live: LiveReport | null, now: number): string {
  const { queued, sending, deferred, delivered, failed } = deliveries;
  const waiting = queued + sending + deferred;
  if (!running) {
    const left = waiting > 0 ? ` ${filesOf(waiting)} ${waiting === 1 ? "waits" : "wait"} to be delivered.` : "";
    return `NOT RUNNING. Nothing is watched and nothing is sent.${left}`;
  }
  const paused = namesOf(destinations.filter(({ state }) => state === "paused"));
  const closed = namesOf(destinations.filter(({ state }) => state !== "open" && state !== "paused"));
  const blind = jobs.filter(({ watching }) => !watching).map(({ name }) => printable(name));
  const age = live?.oldestWaiting == null ? "" : `, the oldest for ${span(now - live.oldestWaiting)}`;
  const troubles = [
    ...(failed > 0 ? [`${filesOf(failed)} failed`] : []),
    ...givenUpTroubles(live),
    ...(closed.length > 0 ? [`${closed.join(", ")} ${closed.length === 1 ? "takes" : "take"} nothing`] : []),
    ...(blind.length > 0 ? [`${blind.join(", ")} ${blind.length === 1 ? "is" : "are"} not watched`] : []),
  ];
  const wait = waiting > 0 ? `${filesOf(waiting)} on the way${age}` : "";
  const rest = [...(paused.length > 0 ? [`${paused.join(", ")} ${paused.length === 1 ? "is" : "are"} paused`] : []), wait];
  if (troubles.length > 0) return `TROUBLE: ${[...troubles, ...rest].filter((part) => part !== "").join("; ")}.`;
  if (paused.length > 0) return `PAUSED: ${rest.filter((part) => part !== "").join("; ")}.`;
  if (waiting > 0) return `All is well: ${wait}.`;
  return delivered > 0 ? "All is well: everything is delivered." : "All is well: nothing to deliver yet.";
}

function destinationLines({ destinations }: StatusReport): string[] {
  const width = Math.max(...destinations.map(({ name }) => printable(name).length), 0);
  const method = Math.max(...destinations.map((one) => one.method.length), 0);
  return destinations.map((one) => {
    const free = one.free_bytes === null ? "" : `${formatBytes(one.free_bytes)} free`;
    const why = one.reason === null ? "" : printable(one.reason);
    const facts = [STATES[one.state].padEnd(11), why, free].filter((part) => part !== "").join("  ");
    return `  ${printable(one.name).padEnd(width)}  ${one.method.padEnd(method)}  ${facts}`.trimEnd();
  });
}

const STATES = {
  open: "open",
  backing_off: "AWAY",
  on_hold: "ON HOLD",
  paused: "PAUSED",
  unknown: "",
} as const satisfies Record<StatusReport["destinations"][number]["state"], string>;

function jobLines({ jobs, running }: StatusReport): string[] {
  return jobs.map(({ name, watch_path, watching, files_waiting }) => {
    const how = watching ? "watches" : running ? "CANNOT WATCH" : "does not watch";
    const waits = files_waiting > 0 ? `  (${filesOf(files_waiting)} not finished yet)` : "";
    return `  ${printable(name)} ${how} ${printable(watch_path)}${waits}`;
  });
}

function countsLine({ deliveries }: StatusReport): string {
  const { queued, sending, deferred, delivered, failed } = deliveries;
  const parts = [`${delivered} delivered`, `${sending} being sent`, `${queued} queued`];
  return [...parts, ...(deferred > 0 ? [`${deferred} tried again later`] : []), `${failed} failed`].join(", ");
}

function helpLines({ deliveries }: StatusReport): string[] {
  if (deliveries.failed === 0) return [];
  return ["  Why they failed: image-transfer history --failed      Try again: image-transfer retry --all", ""];
}

function ownLine({ running, pid, version, started_at, url }: StatusReport, now: number): string {
  if (!running) return `  image-transfer ${version}: start it with image-transfer run`;
  const since = started_at === null ? "" : `, up for ${span(now - Date.parse(started_at))}`;
  return `  image-transfer ${version}, process ${pid}${since}${url === null ? "" : `  ${url}`}`;
}

/** Each once: destinations of different jobs may share a name. */
function namesOf(destinations: StatusReport["destinations"]): string[] {
  return [...new Set(destinations.map(({ name }) => printable(name)))];
}

function givenUpTroubles(live: LiveReport | null): string[] {
  const all = live?.givenUp ?? [];
  const incomplete = all.filter(({ reason }) => reason === "incomplete").length;
  const refused = all.length - incomplete;
  return [
    ...(incomplete > 0 ? [`${filesOf(incomplete)} ${incomplete === 1 ? "is" : "are"} incomplete`] : []),
    ...(refused > 0 ? [`${refused} cannot be taken`] : []),
  ];
}

function givenUpLines(live: LiveReport | null): string[] {
  const all = live?.givenUp ?? [];
  const lines = all.slice(0, GIVEN_UP_SHOWN).map(({ path, reason, detail }) =>
    `  NOT SENT (${reason === "incomplete" ? "incomplete" : "cannot be taken"}): ${pathField(path)}: ${printable(detail)}`
  );
  return all.length > GIVEN_UP_SHOWN ? [...lines, "  … and more: the log names them all"] : lines;
}

const GIVEN_UP_SHOWN = 10;

function filesOf(count: number): string {
  return count === 1 ? "1 file" : `${count} files`;
}
