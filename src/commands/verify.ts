/**
 * `verify`: hashes at the destinations, once more, what the ledger says is delivered there, and lists what is
 * missing or differs.
 */
import { object } from "@optique/core/constructs";
import type { Destination, Settings } from "../config/settings.ts";
import { findDaemon } from "../daemon/control/control_client.ts";
import { checkName } from "../daemon/known_name.ts";
import { verifyAgain, whyNotAgain } from "../delivery/audit/verify_again.ts";
import { demandKnownPlace } from "../delivery/mount.ts";
import { chunks } from "../domain/chunks.ts";
import { Failure, failureRecord } from "../domain/failure.ts";
import { counted } from "../domain/words.ts";
import { pathField, printable } from "../domain/names/printable.ts";
import type { DeliveryRow, History } from "../ledger/history.ts";
import type { ReadLedger } from "../ledger/ledger.ts";
import { shellQuote } from "../methods/shell/shell_quote.ts";
import { askDestination } from "./checks/ask_destination.ts";
import { defineCommand, EXIT, notices, say, type Tools } from "./command.ts";
import { configOption, flag, given, jsonOption, nameValue } from "./options.ts";
import { askOrChange, wholeSettings } from "./seek_daemon.ts";
import { asServiceAccount } from "./service/installed_service.ts";
import { askingLine, WIPE } from "./text/waiting_for.ts";
import { chosenDeliveries, filesArgument } from "./text/chosen_files.ts";
import { emptyNight, nightOf, nightOption, nightText } from "./text/night.ts";

/**
 * Exit code 1 for files that are missing, differ or cannot be asked; those of which only the size is known do not count.
 * If nothing was delivered, it says so; exit code 0.
 */
export const verify = defineCommand({
  name: "verify",
  help: "Hash delivered files at their destinations again",
  description:
    "Reads and hashes every delivered file at its destination and lists those that are missing or differ; exit code 1 if any. " +
    "Missing files are then listed as gone. " +
    "With --retry, these files are sent again; on_conflict determines what happens to files that differ.",
  parser: object({
    config: configOption,
    night: nightOption,
    destination: given("--destination", nameValue("DEST", "DEST"), "Only this destination"),
    retry: flag("--retry", "Send missing or different files again if their source still exists"),
    json: jsonOption,
    files: filesArgument('Only these files, folders, or patterns like "*.fits" (default: all)'),
  }),
  async run({ config, night: given, destination: name, json, retry, files }, tools) {
    const code = await asServiceAccount(config, tools);
    if (code !== null) return code;
    const settings = await wholeSettings(config, tools);
    using ledger = tools.readLedger(settings.stateDirectory, notices(tools));
    const all = settings.jobs.flatMap((job) => job.destinations);
    if (name !== undefined) {
      const known = all.map((destination) => destination.name);
      if (!known.includes(name) && ledger.places().some(({ destination }) => destination === name)) {
        throw new Failure("configuration", `Cannot check "${name}": it is no longer configured`, {
          hint: `Known destinations: ${[...new Set(known)].join(", ")}.`,
        });
      }
      checkName("destination", name, known);
    }
    const night = nightOf(given, ledger);
    const chosen = files.length === 0 ? null : chosenDeliveries(files, { night }, ledger, tools);
    const count = { equal: 0, missing: 0, differs: 0, unproven: 0, unknown: 0 };
    const lost: number[] = [];
    const missing: number[] = [];
    // One array, as `JSON.stringify` with two spaces writes it; nothing is kept in memory.
    let isFirst = true;
    const emit = (some: readonly Verified[]) => {
      for (const { verdict, id } of some) {
        count[verdict]++;
        if (verdict === "missing") missing.push(id);
        if (verdict === "missing" || verdict === "differs") lost.push(id);
      }
      if (json) {
        const printed = some.map((one) => `  ${JSON.stringify(one, null, 2).replaceAll("\n", "\n  ")}`);
        if (printed.length > 0) tools.stdout((isFirst ? "[\n" : ",\n") + printed.join(",\n"));
        isFirst &&= printed.length === 0;
        return;
      }
      const notable = some.filter(({ verdict }) => verdict !== "equal");
      // The progress line is drawn again.
      if (notable.length > 0 && tools.system.isTerminal("stderr")) tools.stderr(WIPE);
      for (const one of notable) {
        say(`${one.verdict.padEnd(8)} ${one.destination}  ${pathField(one.target)}: ${one.reason}\n`, tools);
      }
    };
    let stopped = false;
    try {
      for (const place of all.filter((place) => name === undefined || place.name === name)) {
        await verifyDestination(place, { night, chosen }, ledger, settings, tools, emit);
      }
    } catch (error) {
      if (!tools.signal.aborted) throw error;
      stopped = true;
    }
    if (json) tools.stdout(isFirst ? "[]\n" : "\n]\n");
    const { equal, unproven } = count;
    const wrong = count.missing + count.differs + count.unknown;
    const total = equal + unproven + wrong;
    if (stopped) tools.stderr("Stopped: not everything was checked.\n");
    else if (total === 0) {
      const to = name === undefined ? "" : ` to ${printable(name)}`;
      const ofNight = (night: string) =>
        emptyNight(night, "verify", ledger) ??
          `Night ${nightText(night)}: nothing was delivered${to}. To list its files: history --night ${night}\n`;
      const nothing = night === undefined ? `Nothing has been delivered${to} yet.\n` : ofNight(night);
      tools.stderr(chosen === null ? nothing : "None of these files has been delivered yet.\n");
    }
    if (!json && total > 0) {
      tools.stderr(`${total} checked, ${equal} equal, ${wrong} not${unproven > 0 ? `, ${unproven} by size only` : ""}\n`);
    }
    // A job or destination that was renamed or removed cannot be checked; without this line it would look as if all were checked.
    for (const { job, destination } of name === undefined && chosen === null ? ledger.places() : []) {
      if (all.some((place) => place.job === job && place.name === destination)) continue;
      const unchecked = ledger.count({ job, destination, states: ["delivered"], night });
      if (unchecked === 0) continue;
      const which = `${counted(unchecked, "delivery", "deliveries")} of the job ${printable(job)} to ${printable(destination)}`;
      tools.stderr(`Not checked: ${which}, which is no longer configured.\n`);
    }
    if (missing.length > 0) await markGone(missing, settings, tools);
    if (retry && !stopped && total > 0) await sendAgain(lost, ledger, settings, tools);
    else if (lost.length > 0 && !json) {
      const which = [
        ...files.map(shellQuote),
        ...night === undefined ? [] : ["--night", night],
        ...name === undefined ? [] : ["--destination", shellQuote(name)],
      ];
      const again = ["image-transfer verify", ...which, "--retry"].join(" ");
      tools.stderr(`${again} sends them again if their source still exists.\n`);
    }
    return wrong === 0 && !stopped ? EXIT.done : EXIT.notDelivered;
  },
});

interface Verified {
  readonly id: number;
  readonly path: string;
  readonly destination: string;
  readonly target: string;
  /** `unproven`: only its size was recorded (`verify_transfer: size` or `none`), and that agrees; `unknown`: it could not be asked. */
  readonly verdict: "equal" | "missing" | "differs" | "unproven" | "unknown";
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
async function verifyDestination(
  destination: Destination,
  { night, chosen }: { readonly night: string | undefined; readonly chosen: ReadonlySet<number> | null },
  ledger: Pick<ReadLedger, "each" | "count" | "counts" | "replaced" | "deviceOf" | "query">,
  settings: Settings,
  tools: Tools,
  emit: (some: readonly Verified[]) => void,
): Promise<void> {
  const { job, name } = destination;
  const query = { job, destination: name, states: ["delivered" as const], night };
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
  const count = (ids: readonly number[]) => ledger.count({ ...query, ids });
  // Shown on a terminal only.
  let total = 0;
  if (tools.system.isTerminal("stderr")) {
    total = chosen === null ? ledger.count(query) - count(replaced) : count([...chosen].filter((id) => !former.has(id)));
  }
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
        emit(inHand.map((row, index) => {
          const proof = verifyAgain(row, digests[index] ?? null);
          return verdict(row, proof.verdict, proof.reason);
        }));
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

/** Ids looked after at a time. */
const SENT_AT_ONCE = 1_000;

/**
 * Queues files again whose source is still what was delivered; says on standard error how many, and names each that is not.
 */
async function sendAgain(
  ids: readonly number[],
  ledger: Pick<History, "query">,
  settings: Settings,
  tools: Tools,
): Promise<void> {
  const { system, signal } = tools;
  const daemon = await findDaemon({ ...settings, system }, signal);
  let count = 0;
  for (const asked of chunks(ids, SENT_AT_ONCE)) {
    const some = ledger.query({ ids: asked }).map(({ delivery }) => delivery);
    const reasons = new Map<number, string>();
    for (const { id, source } of some) {
      const reason = await whyNotAgain(source, system);
      if (reason !== null) reasons.set(id, reason);
    }
    const wanted = some.map(({ id }) => id).filter((id) => !reasons.has(id));
    const { ids } = wanted.length === 0
      ? { ids: [] }
      : await askOrChange("send-again", { ids: wanted }, { daemon, settings }, tools);
    const queued = new Set(ids);
    count += queued.size;
    for (const { id, destination, target } of some.filter(({ id }) => !queued.has(id))) {
      const reason = reasons.get(id) ?? "a newer version of the file will be sent instead";
      tools.stderr(`Not sent again: ${printable(destination)}  ${pathField(target)}: ${reason}\n`);
    }
  }
  const when = daemon === null && count > 0 ? "; no daemon is running, so they are sent when one starts" : "";
  tools.stderr(`${count === 1 ? "1 delivery is" : `${count} deliveries are`} queued again${when}.\n`);
}

/** Missing files are no longer shown as delivered. */
async function markGone(ids: readonly number[], settings: Settings, tools: Tools): Promise<void> {
  try {
    const daemon = await findDaemon({ ...settings, system: tools.system }, tools.signal);
    const reason = "No longer there: verify did not find it";
    await askOrChange("mark-gone", { ids, reason }, { daemon, settings }, tools);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    tools.stderr(`The missing files are still listed as delivered: ${printable(error.message)}\n`);
  }
}
