/**
 * What came before a service: the ledger of earlier runs, which it continues with, and whoever runs with it now. The account's own stays
 * where it is, under the lock that all share: a copy would be a second ledger of one installation. One of root's runs is moved.
 *
 * @module
 */
import { join } from "@std/path";
import { leftStates } from "../../config/read/load.ts";
import { withoutFile } from "../../config/read/partial_settings.ts";
import { rememberedState } from "../../config/read/remembered_state.ts";
import type { Settings } from "../../config/settings.ts";
import { findDaemon } from "../../daemon/control/control_client.ts";
import { Failure } from "../../domain/failure.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { accountFor, seenFrom } from "../../services/service_account.ts";
import type { Account, ServiceKind, ServicePlace } from "../../services/service.ts";
import type { Tools } from "../command.ts";
import { commandLine } from "./carry_out.ts";
import { type Installed, othersBeside } from "./installed_service.ts";

/** A ledger of earlier runs: of the account itself, which stays where it is, or of `owner`, which has to be moved first. */
interface FormerState {
  readonly state: string;
  readonly owner: string | null;
}

/**
 * What runs with this configuration have left, in place of `given`, which the service manager would make; null where there is nothing, where
 * `given` has a ledger of the account already, or where another service has it.
 */
export async function formerState(
  place: ServicePlace,
  given: string,
  { file }: Settings,
  kind: ServiceKind,
  tools: Tools,
): Promise<FormerState | null> {
  const { system, stderr } = tools;
  const { account } = place;
  const others = await othersBeside(place, kind, tools);
  const usual = usualState(account, system);
  for (const state of [given, ...await leftStates(file ?? "", account.uid, system), usual]) {
    const isTaken = others.some(({ mark }) => mark.state === state);
    if (!isTaken && await hasLedger(state, account, system)) return state === given ? null : { state, owner: null };
  }
  const owner = others.find(({ mark }) => mark.state === usual);
  if (owner !== undefined && await rememberedState(file ?? "", [usual], system) === usual) {
    const title = kind.title({ ...place, name: owner.name });
    stderr(`Warning: earlier runs used the ledger that ${title} has now. This service begins with an empty one.\n`);
  }
  return await foreignState(place, file ?? "", tools);
}

/**
 * Moves a ledger of root's runs to where the service has it. systemd gives the folder and all in it to the account when the service starts
 * (`StateDirectory=` in systemd.exec(5)).
 *
 * @throws {Failure} where it cannot be moved, with the commands that do it.
 */
export async function takeOver({ state }: FormerState, given: string, { name }: Account, { system }: Tools): Promise<void> {
  try {
    await system.rename(state, given);
  } catch (cause) {
    const move = [["mv", "-T", state, given], ["chown", "-R", name, given]].map((args) => commandLine({ program: "sudo", args }));
    throw new Failure("configuration", `Cannot install the service: cannot move the ledger of earlier runs: ${reasonOf(cause)}`, {
      hint: `To continue with it: ${move.join(" && ")}; then install again. ` +
        `To begin anew, which may send images again, rename ${state}.`,
      cause,
    });
  }
}

/** Where runs without a service keep it. */
function usualState(account: Account, system: Tools["system"]): string {
  return withoutFile(seenFrom(account, null, system)).stateDirectory;
}

/** Only a look from outside: SQLite would leave root's files there. */
async function hasLedger(state: string, { uid }: Account, system: Tools["system"]): Promise<boolean> {
  const facts = await system.facts(join(state, "ledger.sqlite")).catch(() => null);
  return facts?.kind === "file" && facts.uid === uid;
}

/** A ledger that root's own runs, or those of the user behind sudo, have left. */
async function foreignState({ account }: ServicePlace, file: string, { system, signal }: Tools): Promise<FormerState | null> {
  const caller = { name: "root", uid: system.uid, home: system.home };
  const behindSudo = await accountFor("system", undefined, system, signal).catch(() => caller);
  for (const other of [caller, behindSudo].filter(({ uid }) => uid !== account.uid)) {
    const state = usualState(other, system);
    const isOfFile = await rememberedState(file, [state], system) === state;
    if (isOfFile && await hasLedger(state, other, system)) return { state, owner: other.name };
  }
  return null;
}

/**
 * Refuses a second service for one configuration, and says who runs with the ledger now: the id of the process of a daemon that is not this
 * service's own, null where there is none.
 *
 * @throws {Failure} `configuration` where another service has the same configuration.
 */
export async function runningBefore(
  place: ServicePlace,
  before: Installed | null,
  { file, stateDirectory }: Settings,
  kind: ServiceKind,
  tools: Tools,
): Promise<number | null> {
  const { system, signal } = tools;
  const same = (await othersBeside(place, kind, tools)).find(({ mark }) => mark.config === file);
  if (same !== undefined) {
    const title = kind.title({ ...place, name: same.name });
    const sudo = same.scope === "system" ? "sudo " : "";
    const name = same.name === kind.usualName ? "" : ` --name ${same.name}`;
    throw new Failure("configuration", `Cannot install the service: ${title} has the same configuration`, {
      hint:
        `Uninstall it first: ${sudo}image-transfer uninstall-service --${same.scope}${name}. What was delivered is not forgotten.`,
    });
  }
  const isOwn = before?.mark?.state === stateDirectory && (await system.run(kind.controls(place).status, signal)).code === 0;
  return isOwn ? null : (await findDaemon({ stateDirectory, system }, signal))?.pid ?? null;
}
