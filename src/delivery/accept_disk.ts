/**
 * When a person accepts another disk at a destination: the delivered files that are not on it are marked as gone, and sent again
 * if that was asked for.
 *
 * @module
 */
import { chunks } from "../domain/chunks.ts";
import { counted } from "../domain/names/counted.ts";
import type { FormerFiles } from "../domain/destination_state.ts";
import { sameFingerprint } from "../domain/source_file.ts";
import type { Session } from "../methods/method.ts";
import type { DestinationContext } from "./destination_context.ts";

const AT_ONCE = 500;

/**
 * Looks for every delivered file, by its size.
 *
 * @throws {Failure} if the destination does not answer: then it has to be done again.
 */
export async function acceptDisk(
  context: DestinationContext,
  session: Pick<Session, "survey">,
  former: FormerFiles,
  signal: AbortSignal,
): Promise<void> {
  const { job, destination, ledger, system, emit } = context;
  const rows = ledger.each({ job: job.name, destination: destination.name, states: ["delivered"] });
  const count = { delivered: 0, gone: 0, again: 0 };
  for (const some of chunks(rows, AT_ONCE)) {
    const stats = await session.survey(some.map(({ delivery }) => delivery.target), signal);
    const gone = some.filter(({ delivery }, index) => stats[index]?.bytes !== delivery.source.size);
    ledger.markGone(gone.map(({ delivery }) => delivery.id), ANOTHER_DISK, system.now());
    count.delivered += some.length;
    count.gone += gone.length;
  }
  if (former === "send_again") count.again = await sendAgain(context);
  if (count.gone === 0 && count.again === 0) return;
  const what = former === "send_again" ? `sending ${count.again} again` : "not sending them again";
  const message = `Another disk or folder was accepted for ${destination.name}: ` +
    `${count.gone} of ${counted(count.delivered, "delivered file")} missing there; ${what}`;
  emit({ type: "notice", level: "warning", message });
}

/** Queues the files that are marked as gone, unless their source has changed; returns how many. */
export async function sendAgain({ job, destination, ledger, system, sourceAway }: DestinationContext): Promise<number> {
  const gone = ledger.each({ job: job.name, destination: destination.name, gone: true });
  // While the watched folder is missing, nothing is known about its files.
  const away = await sourceAway();
  const chosen: number[] = [];
  for (const { delivery: { id, source } } of gone) {
    const facts = away ? null : await system.facts(source.absolutePath);
    if (away || (facts?.kind === "file" && sameFingerprint(facts, source))) chosen.push(id);
  }
  return ledger.sendAgain(chosen, system.now()).length;
}

const ANOTHER_DISK = "It is no longer at the destination: another disk or folder was accepted in place of the one that has it";
