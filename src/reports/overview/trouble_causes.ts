/**
 * Trouble by cause: one full disk with four thousand waiting images is one cause, and so is one reason that a hundred deliveries have.
 */
import type { DestinationState } from "../../domain/delivery.ts";
import { causeOf, failedBecause, type FailureCode } from "../../domain/failure.ts";
import { counted } from "../../domain/words.ts";
import type { Counts, History } from "../../ledger/history.ts";
import type { TroubleCause, TroubleItem } from "../api_types.ts";
import { jobsText, listed } from "./listed.ts";
import { waitingImages } from "./waiting_images.ts";

/** Why deliveries failed, whether or not they are among the items. */
export interface FailedReason {
  readonly code: FailureCode;
  readonly count: number;
  readonly since: number;
}

interface Affected {
  readonly destination: { readonly job: string; readonly name: string };
  readonly state: DestinationState;
  readonly counts: Counts;
}

interface CauseParts {
  readonly destinations: readonly Affected[];
  readonly ledger: Pick<History, "waitingImages">;
}

/** Worst first, then in the order of the items. */
export function causesOf(
  items: readonly TroubleItem[],
  failed: readonly FailedReason[],
  { destinations, ledger }: CauseParts,
): TroubleCause[] {
  const keys = [...new Set([...items.map(({ cause }) => cause), ...failed.map(({ code }) => `failed ${code}`)])];
  return keys.map((key) => {
    const mine = items.filter(({ cause }) => cause === key);
    const counted = failed.filter(({ code }) => `failed ${code}` === key);
    const affected = destinations.filter(({ destination, state }) => causeKey(state) === key && isAmong(destination, mine));
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
export function causeKey(state: DestinationState): string | null {
  if (state.state === "paused") return `paused by ${state.by}`;
  return "failure" in state ? `${state.state}${causeOf(state.failure.code, "", true).text}` : null;
}

function isAmong({ job, name }: Affected["destination"], items: readonly TroubleItem[]): boolean {
  return items.some(({ key }) => key === `destination ${job}/${name}`);
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
      return {
        title: `${listed(names)} ${isOne ? "is" : "are"} paused by ${first.state.by}`,
        hint: "Resume to send files again.",
      };
    }
    const { text, advice } = causeOf("failure" in first.state ? first.state.failure.code : "internal", listed(names), isOne);
    return { title: text, hint: advice };
  }
  const [reason] = failed;
  if (reason !== undefined) {
    return { title: failedBecause(reason.code) ?? items[0]?.message ?? "Deliveries failed", hint: items[0]?.hint ?? "" };
  }
  return { title: titleOf(items), hint: "" };
}

function titleOf(items: readonly TroubleItem[]): string {
  const [first] = items;
  const files = counted(items.length, "file");
  switch (first?.cause) {
    case "daemon":
    case "server's jobs":
      return first.what;
    case "incomplete":
      return `${files} ${items.length === 1 ? "is" : "are"} incomplete`;
    case "refused":
      return `${files} ${items.length === 1 ? "was" : "were"} rejected`;
    case "folder":
      return `${counted(items.length, "folder")} cannot be listed`;
    case "not watched":
      return `The folder of ${listed(items.map(({ what }) => what))} is not watched`;
    case "patterns":
      return `No file of ${listed(items.map(({ what }) => what))} matches the patterns`;
    case "missing":
      return "Delivered images are no longer at their destination";
    case "removals":
      return `Removals from ${listed(items.map(({ what }) => what))} are waiting for you to accept them`;
    case "removed on the server":
      return `${jobsText(items.map(({ what }) => what))} removed on the server`;
    case "orphans":
      return `Images are waiting for ${listed(items.map(({ what }) => what))}, which is no longer configured`;
    default:
      return first?.message ?? "";
  }
}
