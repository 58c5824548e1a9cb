/**
 * The steps of the pipeline, as a night sees the program in them: by what it says, and by what it calls. The table of fault × step tells
 * which fault met which step in the nights so far.
 */
import type { TransferEvent } from "../../src/domain/transfer_event.ts";

export const STEPS = [
  "watch",
  "detect",
  "enqueue",
  "claim",
  "put",
  "verify",
  "publish",
  "record",
  "removal",
  "mirror",
  "audit",
  "reload",
  "stop",
  "start",
] as const;
export type Step = typeof STEPS[number];

export const STEP_OF_EVENT: Partial<Record<TransferEvent["type"], Step>> = {
  scanned: "watch",
  ready: "detect",
  queued: "enqueue",
  sending: "claim",
  delivered: "record",
  removed_source: "removal",
  removed_there: "mirror",
  audited: "audit",
  audit_found: "audit",
};

/** The step that a call belongs to; null where it may be any. */
export function stepOf(call: string, path: string): Step | null {
  if (path.startsWith("/cam/")) return call === "readdir" ? "watch" : call === "unlink" ? "removal" : "detect";
  if (!/^\/(nas|usb|far)\//.test(path)) return null;
  const isStaged = path.includes("/.image-transfer");
  if (call === "rename" || call === "link") return "publish";
  if (isStaged) return call === "open" || call === "read" ? "verify" : call === "fsync" ? "publish" : "put";
  return call === "fsync" ? "publish" : call === "read" ? "audit" : null;
}

/** The table of what met what, `fault × step` and how often, and the cells that are empty. */
export function table(met: ReadonlyMap<string, number>): string[] {
  const faults = [...new Set([...met.keys()].map((key) => key.split(" × ")[0]!))].sort();
  const cell = (fault: string, step: Step) => met.get(`${fault} × ${step}`) ?? 0;
  const empty = faults.flatMap((fault) => STEPS.filter((step) => cell(fault, step) === 0).map((step) => `${fault} × ${step}`));
  return [
    ["".padEnd(20), ...STEPS.map((step) => step.padStart(8))].join(""),
    ...faults.map((fault) => [fault.padEnd(20), ...STEPS.map((step) => short(cell(fault, step)).padStart(8))].join("")),
    empty.length === 0 ? "No cell is empty" : `${empty.length} cells are empty: ${empty.join(", ")}`,
  ];
}

function short(count: number): string {
  return count === 0 ? "-" : count < 10_000 ? String(count) : `${Math.round(count / 1000)}k`;
}
