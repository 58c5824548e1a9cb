/**
 * What `verify` does at one destination: hashes there what was delivered, page by page, so that memory stays small
 * however much that is.
 *
 * @module
 */
import { chunks } from "../../domain/chunks.ts";
import { failureRecord } from "../../domain/failure.ts";
import type { Destination, Settings } from "../../config/settings.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Digest } from "../../domain/receipt.ts";
import type { DeliveryRow } from "../../ledger/history.ts";
import type { ReadLedger } from "../../ledger/ledger.ts";
import { reprove } from "../../delivery/audit/reprove.ts";
import { demandKnownPlace } from "../../delivery/mount.ts";
import { askDestination } from "../checks/ask_destination.ts";
import { askingLine } from "../text/asking_line.ts";
import type { Tools } from "../command.ts";

/** What became of one delivered file. */
export interface Verified {
  readonly id: number;
  readonly path: string;
  readonly destination: string;
  readonly target: string;
  /** `unproven`: only its size was recorded (`verify_transfer: size` or `none`), and that agrees; `unknown`: it could not be asked. */
  readonly verdict: "equal" | "missing" | "differs" | "unproven" | "unknown";
  /** Why it is not equal; null when it is. */
  readonly reason: string | null;
}

/** Files hashed in one question to a destination. */
const AT_ONCE = 200;

/**
 * Emits the results in the order of queueing, some at a time, including files that could not be checked. `chosen`: only deliveries
 * with these ids; null for all.
 *
 * @throws {Failure} if the ledger cannot be read; and whatever is thrown once the command is interrupted.
 */
export async function verifyDestination(
  destination: Destination,
  { night, chosen }: { readonly night: string | undefined; readonly chosen: ReadonlySet<number> | null },
  ledger: Pick<ReadLedger, "each" | "count" | "counts" | "replaced" | "deviceOf" | "query">,
  settings: Settings,
  tools: Tools,
  emit: (some: readonly Verified[]) => void,
): Promise<void> {
  const { job, name } = destination;
  const query = { job, destination: name, states: ["delivered" as const], ...(night === undefined ? {} : { night }) };
  // A name that was delivered several times shows its newest version; the former ones have names of their own.
  const replaced = ledger.replaced(job, name);
  const former = new Set(replaced);
  const isWanted = ({ delivery: { id } }: DeliveryRow) => !former.has(id) && (chosen === null || chosen.has(id));
  const rows = chunks(Iterator.from(ledger.each(query)).filter(isWanted), AT_ONCE);
  let reading = false;
  const next = () => {
    reading = true;
    const some = rows.next().value ?? [];
    reading = false;
    return some;
  };
  for (const row of ledger.each({ ...query, states: ["failed"], gone: true })) {
    const { id, state } = row.delivery;
    if (state.state !== "failed" || (chosen !== null && !chosen.has(id))) continue;
    emit([verdict(row, state.failure.code === "damaged" ? "differs" : "missing", state.failure.message)]);
  }
  let inHand = next();
  if (inHand.length === 0) return;
  const isShown = tools.system.isTerminal("stderr");
  const count = (ids: readonly number[]) => ledger.count({ ...query, ids });
  const total = !isShown
    ? 0
    : chosen === null
    ? ledger.count(query) - count(replaced)
    : count([...chosen].filter((id) => !former.has(id)));
  let done = 0;
  await using line = askingLine(name, tools);
  try {
    await askDestination(destination, settings, tools, async ({ session }) => {
      // In an empty mount point every file would be missing, and be listed as gone from then on.
      const demandPlace = () => demandKnownPlace(session, { destination, ledger }, tools.signal);
      await demandPlace();
      line.heard(`0 of ${total} checked`);
      while (inHand.length > 0) {
        const digests = await session.digest(inHand.map(({ delivery }) => delivery.target), tools.signal);
        if (digests.includes(null)) await demandPlace();
        emit(inHand.map((row, index) => compared(row, digests[index] ?? null)));
        done += inHand.length;
        inHand = [];
        line.heard(`${done} of ${total} checked`);
        inHand = next();
      }
    });
  } catch (error) {
    if (reading || tools.signal.aborted) throw error;
    const reason = printable(failureRecord(error).message);
    for (; inHand.length > 0; inHand = next()) emit(inHand.map((row) => verdict(row, "unknown", reason)));
  }
}

function compared(row: DeliveryRow, found: Digest | null): Verified {
  const proof = reprove(row, found);
  return verdict(row, proof.verdict, proof.reason);
}

function verdict({ delivery }: DeliveryRow, verdict: Verified["verdict"], reason: string | null): Verified {
  return {
    id: delivery.id,
    path: delivery.source.absolutePath,
    destination: delivery.destination,
    target: delivery.target,
    verdict,
    reason,
  };
}
