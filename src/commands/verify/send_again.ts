/**
 * `verify --retry`: what is missing or differs at a destination is queued again, if its source is still the file that was
 * delivered; for the others it says why not.
 *
 * @module
 */
import { chunks } from "../../domain/chunks.ts";
import { Failure } from "../../domain/failure.ts";
import { pathField, printable } from "../../domain/names/printable.ts";
import type { Settings } from "../../config/settings.ts";
import { whyNotAgain } from "../../delivery/audit/reprove.ts";
import type { History } from "../../ledger/history.ts";
import { type DaemonClient, findDaemon } from "../../daemon/control/control_client.ts";
import { notices, type Tools } from "../command.ts";

/** Ids looked after at a time. */
const AT_ONCE = 1_000;

/** By the running daemon, else in the ledger. Says on standard error how many are sent again, and names each that is not. */
export async function sendAgain(
  ids: readonly number[],
  ledger: Pick<History, "query">,
  { stateDirectory }: Settings,
  tools: Tools,
): Promise<void> {
  const daemon = await findDaemon({ stateDirectory, system: tools.system }, tools.signal);
  let count = 0;
  for (const asked of chunks(ids, AT_ONCE)) {
    const some = ledger.query({ ids: asked }).map(({ delivery }) => delivery);
    const reasons = new Map<number, string>();
    for (const { id, source } of some) {
      const reason = await whyNotAgain(source, tools.system);
      if (reason !== null) reasons.set(id, reason);
    }
    const wanted = some.map(({ id }) => id).filter((id) => !reasons.has(id));
    const queued = new Set(await queue(wanted, daemon, stateDirectory, tools));
    count += queued.size;
    for (const { id, destination, target } of some.filter(({ id }) => !queued.has(id))) {
      const reason = reasons.get(id) ?? "a newer version of the file will be sent instead";
      tools.stderr(`Not sent again: ${printable(destination)}  ${pathField(target)}: ${reason}\n`);
    }
  }
  const when = daemon === null && count > 0 ? "; no daemon is running, so they are sent when one starts" : "";
  tools.stderr(`${count === 1 ? "1 delivery is" : `${count} deliveries are`} queued again${when}.\n`);
}

/** By the running daemon, else in the ledger: missing files are no longer shown as delivered. */
export async function markGone(ids: readonly number[], { stateDirectory }: Settings, tools: Tools): Promise<void> {
  if (ids.length === 0) return;
  try {
    const daemon = await findDaemon({ stateDirectory, system: tools.system }, tools.signal);
    if (daemon !== null) return void await daemon.ask("mark-gone", { ids, reason: NOT_FOUND });
    using ledger = tools.openLedger(stateDirectory, notices(tools));
    ledger.markGone(ids, NOT_FOUND, tools.system.now());
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    tools.stderr(`The missing files are still listed as delivered: ${printable(error.message)}\n`);
  }
}

const NOT_FOUND = "No longer there: verify did not find it";

async function queue(
  ids: readonly number[],
  daemon: DaemonClient | null,
  stateDirectory: string,
  tools: Tools,
): Promise<readonly number[]> {
  if (ids.length === 0) return [];
  if (daemon !== null) return (await daemon.ask("send-again", { ids })).ids;
  using ledger = tools.openLedger(stateDirectory, notices(tools));
  return ledger.sendAgain(ids, tools.system.now());
}
