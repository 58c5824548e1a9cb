/**
 * Whether the account that the service runs as, or would run as, can do what the daemon needs. Root asks the system as that account;
 * others are told how to.
 *
 * @module
 */
import { loadSettings } from "../../config/read/load.ts";
import { isOverSsh, type Settings, type SshDestination } from "../../config/settings.ts";
import { deadline } from "../../async/deadline.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { printable } from "../../domain/names/printable.ts";
import type { Account } from "../../services/service.ts";
import { accountFor, isOther, runAs, seenFrom } from "../../services/service_account.ts";
import { SERVICES } from "../../services/services.ts";
import type { System } from "../../system/system.ts";
import { findInstalled } from "../service/installed_service.ts";
import type { Tools } from "../command.ts";
import { checkNeeds } from "./check_service.ts";
import { fault, type Finding, HERE, ok, warning } from "./finding.ts";

/** Of the whole try at one server. */
const LOGIN_MS = 30_000;

/** Nothing where the account is the one that runs this: everything else has been tried as it anyway. */
export async function checkAccount(settings: Settings, tools: Tools): Promise<Finding[]> {
  const { system, signal } = tools;
  try {
    const kind = SERVICES[system.platform];
    const installed = await findInstalled(kind.usualName, undefined, kind, tools);
    const name = installed?.mark?.account ?? null;
    const own = system.env("USER") ?? system.env("LOGNAME") ?? "";
    if (system.uid !== 0) {
      if (name === null || name === own || installed?.place.scope !== "system") return [];
      const what = `The service runs as ${printable(name)}; what that account may do was not checked`;
      return [warning(HERE, what, "Run it with sudo to check that: sudo image-transfer doctor")];
    }
    if (name === null && !system.env("SUDO_USER")) return [];
    const account = await accountFor("system", name ?? undefined, system, signal);
    if (!isOther(account, system)) return [];
    return await asAccount(account, name !== null, settings, tools);
  } catch (error) {
    signal.throwIfAborted();
    // Without root there is nothing to be tried anyway.
    if (system.uid !== 0) return [];
    const { message, hint } = failureRecord(error);
    return [warning(HERE, `Cannot check what the service's account may do: ${message}`, hint)];
  }
}

async function asAccount(account: Account, isInstalled: boolean, { file }: Settings, tools: Tools): Promise<Finding[]> {
  const { system, signal } = tools;
  const kind = SERVICES[system.platform];
  const given = kind.stateFolder({ name: kind.usualName, scope: "system", account });
  // Folders that are named by `~` are others there.
  const settings = await loadSettings(file ?? undefined, tools.cwd, seenFrom(account, given, system));
  const who = `${printable(account.name)}, which the service ${isInstalled ? "runs" : "would run"} as,`;
  const needs = (await checkNeeds({ ...tools, settings, account }, given)).filter(({ level }) => level !== "ok");
  const logins = await Promise.all(serversOf(settings).map((destination) => checkLogin(destination, account, system, signal)));
  const wrong = [...needs.map((finding) => ({ ...finding, about: HERE })), ...logins.filter((finding) => finding !== null)];
  if (wrong.length > 0) return wrong;
  return [ok(HERE, `${who} can read the watched folders, write its state and log, and log in to every server`)];
}

/** One destination for each server. */
function serversOf({ jobs }: Settings): SshDestination[] {
  const all = jobs.flatMap(({ destinations }) => destinations).filter(isOverSsh);
  const keyOf = ({ transport: { host, user, port } }: (typeof all)[number]) => JSON.stringify([host, user, port]);
  return [...new Map(all.map((one) => [keyOf(one), one])).values()];
}

/** With its own key and known_hosts, without an agent; null where it can. */
async function checkLogin(
  { transport: { host, user, port } }: SshDestination,
  account: Account,
  system: System,
  signal: AbortSignal,
): Promise<Finding | null> {
  const place = [...(port === null ? [] : ["-p", String(port)]), ...(user === null ? [] : ["-l", user]), "--", host];
  const words = ["ssh", "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", "-o", "StrictHostKeyChecking=yes", ...place, "exit 0"];
  using limit = deadline(LOGIN_MS, system, signal);
  const { code, stderr } = await runAs(account, words, system, limit.signal);
  // A server without a shell refuses the command after the login.
  if (code !== 255) return null;
  const last = printable(stderr.trim().split("\n").at(-1) ?? "");
  const hint = /host key|verification failed/i.test(stderr)
    ? `Accept it as that account: sudo -u ${account.name} image-transfer doctor --enroll`
    : `Give ${account.name} an SSH key without a passphrase: sudo -u ${account.name} ssh-keygen -t ed25519, then ssh-copy-id.`;
  return fault(HERE, new Failure("login_refused", `${printable(account.name)} cannot log in to ${host}: ${last}`, { hint }));
}
