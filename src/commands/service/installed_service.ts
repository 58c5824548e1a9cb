/**
 * Finds an installed service again, by its definition: for `service`, for uninstalling, and for installing again.
 *
 * @module
 */
import { Failure } from "../../domain/failure.ts";
import { type InstalledService, installedServices, type Mark, readMark } from "../../config/read/service_mark.ts";
import type { Account, Scope, ServiceKind, ServicePlace } from "../../services/service.ts";
import { readIfThere } from "./carry_out.ts";
import type { Tools } from "../command.ts";
import { callingAccount } from "../../services/service_account.ts";

/** A service that is there. */
export interface Installed {
  readonly place: ServicePlace;
  /** What its definition says; null when it is not one of ours. */
  readonly mark: Mark | null;
}

/** The service of that name in this scope, or if none is given, in the caller's usual scopes; null if there is none. */
export async function findInstalled(
  name: string,
  scope: Scope | undefined,
  kind: ServiceKind,
  tools: Tools,
): Promise<Installed | null> {
  const account = await callingAccount(tools.system, tools.signal);
  for (const each of scope === undefined ? usualScopes(account) : [scope]) {
    const found = await readInstalled({ name, scope: each, account }, kind, tools);
    if (found !== null) return found;
  }
  return null;
}

/** The service at a place; null when there is none. */
export async function readInstalled(place: ServicePlace, kind: ServiceKind, tools: Tools): Promise<Installed | null> {
  const where = kind.definition(place);
  let text: string | null;
  if (where.print === undefined) text = await readIfThere(where.file, tools.system);
  else {
    const { code, stdout } = await tools.system.run(where.print, tools.signal);
    text = code === 0 && stdout.trim() !== "" ? stdout : null;
  }
  return text === null ? null : { place, mark: readMark(text) };
}

/** Our other services: the computer's and those of this place's account. Those of Task Scheduler are not known. */
export async function othersBeside(place: ServicePlace, kind: ServiceKind, { system }: Tools): Promise<InstalledService[]> {
  const { file } = { file: undefined, ...kind.definition(place) };
  return (await installedServices(system, [place.account.home])).filter((service) => service.file !== file);
}

/** The name as the manager has it. @throws {Failure} when it is none. */
export function serviceName(written: string | undefined, kind: ServiceKind): string {
  const name = kind.nameOf(written ?? kind.usualName);
  if (name !== null) return name;
  throw new Failure("configuration", `Cannot use "${written}" as the name of a service`, {
    hint: "Use letters, digits, dots, hyphens and underscores.",
  });
}

/** Root looks at the computer's services; others at their own first. Windows makes no difference. */
function usualScopes({ uid }: Account): readonly Scope[] {
  if (uid === null) return ["user"];
  return uid === 0 ? ["system", "user"] : ["user", "system"];
}
