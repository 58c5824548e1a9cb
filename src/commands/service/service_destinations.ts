/**
 * Tries every destination as the account that a service will run as, before it is installed: `doctor`, with that account's keys.
 * What is wrong is told, but keeps nobody from installing: a server that is off now may be there at night.
 *
 * @module
 */
import * as z from "zod";
import type { Settings } from "../../domain/settings.ts";
import type { Account } from "../../services/service.ts";
import { anySignal } from "../../async/abort.ts";
import { checkDestination } from "../checks/check_destination.ts";
import type { Tools } from "../command.ts";
import { asAccount, type Fault } from "../../services/service_checks.ts";

/** Long enough for a server that does not answer. */
const PATIENCE_MS = 60_000;

const findings = z.array(
  z.object({ level: z.enum(["ok", "warning", "fault"]), about: z.string(), what: z.string(), hint: z.string() }),
);
type Findings = z.infer<typeof findings>;

/** What does not work at the destinations; `program` is where the account can start it. */
export async function checkDestinations(program: string, settings: Settings, account: Account, tools: Tools): Promise<Fault[]> {
  const limit = AbortSignal.timeout(PATIENCE_MS);
  using both = anySignal(tools.signal, limit);
  try {
    const all = await find(program, settings, account, { ...tools, signal: both.signal });
    const wrong = all.filter(({ level, about }) => level === "fault" && about.startsWith("destination "));
    return wrong.map(({ what, hint }) => ({ fatal: false, text: what, hint }));
  } catch (error) {
    if (!limit.aborted) throw error;
    return [{
      fatal: false,
      text: "The destinations could not be checked within a minute",
      hint: "For details, run image-transfer doctor.",
    }];
  }
}

async function find(program: string, settings: Settings, account: Account, tools: Tools): Promise<Findings> {
  const { system, signal } = tools;
  // The state of the service is not there yet, and its account must not get another one by this.
  const state = `/tmp/image-transfer-${crypto.randomUUID()}`;
  const words = ["env", `STATE_DIRECTORY=${state}`, program, "doctor", "--json", "--config", settings.file ?? ""];
  const asked = await asAccount(words, account, system, signal);
  if (asked === null) {
    const destinations = settings.jobs.flatMap((job) => job.destinations);
    return (await Promise.all(destinations.map((each) => checkDestination(each, settings, tools)))).flat();
  }
  await system.removeTree(state);
  return findings.safeParse(JSON.parse(asked.stdout || "[]")).data ?? [];
}
