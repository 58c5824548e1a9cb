/**
 * `verify`: hashes at the destinations, once more, what the ledger says is delivered there, and lists what is
 * missing or differs.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { loadSettings } from "../config/load.ts";
import { failureRecord } from "../domain/failure.ts";
import type { Destination } from "../domain/job.ts";
import { pathField, printable } from "../domain/printable.ts";
import type { Settings } from "../domain/settings.ts";
import type { DeliveryRow, Ledger } from "../ledger/ledger.ts";
import { openLedger } from "../ledger/open_ledger.ts";
import { askDestination } from "./ask_destination.ts";
import { defineCommand, EXIT, plain, type Tools } from "./command.ts";
import { configOption, jsonOption } from "./options.ts";

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

/** Exit code 1 for files that are missing, differ or cannot be asked; those of which only the size is known do not count. */
export const verify = defineCommand({
  name: "verify",
  help: "Hash the delivered files at their destinations again",
  description:
    "Every file that the ledger calls delivered is read and hashed where it stands. Lists what is missing or differs; exit 1 if any.",
  parser: object({
    config: configOption,
    night: optional(
      option("--night", string({ metavar: "NIGHT" }), { description: plain("Only this observing night, YYYYMMDD") }),
    ),
    destination: optional(option("--destination", string({ metavar: "DEST" }), { description: plain("Only this destination") })),
    json: jsonOption,
  }),
  async run({ config, night, destination, json }, tools) {
    const settings = await loadSettings(config, tools.cwd, tools.system);
    using ledger = openLedger(settings.stateDirectory, { readOnly: true, onNotice: (notice) => tools.stderr(`${notice}\n`) });
    const results: Verified[] = [];
    for (const job of settings.jobs) {
      for (const place of job.destinations.filter(({ name }) => destination === undefined || name === destination)) {
        results.push(...await verifyDestination(place, night, ledger, settings, tools));
      }
    }
    const notable = results.filter(({ verdict }) => verdict !== "equal");
    const unproven = notable.filter(({ verdict }) => verdict === "unproven").length;
    const wrong = notable.length - unproven;
    if (json) tools.stdout(`${JSON.stringify(results, null, 2)}\n`);
    else {
      for (const one of notable) {
        tools.stdout(`${one.verdict.padEnd(8)} ${one.destination}  ${pathField(one.target)}: ${one.reason}\n`);
      }
      tools.stderr(
        `${results.length} checked, ${results.length - notable.length} equal, ${wrong} not${
          unproven > 0 ? `, ${unproven} by size only` : ""
        }\n`,
      );
    }
    return wrong === 0 ? EXIT.done : EXIT.notDelivered;
  },
});

/** Files hashed in one question to a destination. */
const AT_ONCE = 200;

async function verifyDestination(
  destination: Destination,
  night: string | undefined,
  ledger: Ledger,
  settings: Settings,
  tools: Tools,
): Promise<Verified[]> {
  const query = {
    job: destination.job,
    destination: destination.name,
    states: ["delivered" as const],
    ...(night === undefined ? {} : { night }),
  };
  const rows = latestOfEachTarget(ledger.query(query));
  const results: Verified[] = [];
  if (rows.length === 0) return results;
  try {
    await askDestination(destination, settings, tools.system, tools.signal, async ({ session }) => {
      await session.attach(false, tools.signal);
      for (let at = 0; at < rows.length; at += AT_ONCE) {
        const some = rows.slice(at, at + AT_ONCE);
        const digests = await session.digest(some.map(({ delivery }) => delivery.target), tools.signal);
        results.push(...some.map((row, index) => compared(row, digests[index] ?? null)));
        if (tools.isTerminal) tools.stderr(`\r${destination.name}: ${results.length} of ${rows.length} `);
      }
      if (tools.isTerminal) tools.stderr("\r\x1b[K");
    });
  } catch (error) {
    const { message } = failureRecord(error);
    results.push(...rows.slice(results.length).map((row) => verdict(row, "unknown", printable(message))));
  }
  return results;
}

/** A name that was delivered several times shows its newest version; the former ones have names of their own. */
function latestOfEachTarget(rows: readonly DeliveryRow[]): DeliveryRow[] {
  const latest = new Map<string, DeliveryRow>();
  for (const row of rows) {
    const known = latest.get(row.delivery.target);
    if (!known || (row.deliveredAt ?? 0) >= (known.deliveredAt ?? 0)) latest.set(row.delivery.target, row);
  }
  return [...latest.values()];
}

function compared(row: DeliveryRow, found: { readonly bytes: number; readonly sha256: string } | null): Verified {
  const { size } = row.delivery.source;
  if (found === null) return verdict(row, "missing", "it is not there any more");
  if (found.bytes !== size) return verdict(row, "differs", `${size} bytes were delivered, ${found.bytes} are there`);
  if (row.sha256 === null) return verdict(row, "unproven", "no hash was recorded when it was delivered; the size agrees");
  if (found.sha256 !== row.sha256) {
    return verdict(row, "differs", `SHA-256 ${row.sha256} was delivered, ${found.sha256} is there`);
  }
  return verdict(row, "equal", null);
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
