/** What `doctor` looks at on this computer (folders, ledger, limits, the watched folders), and whether it can use the PocketBase server. */
import { format as formatBytes } from "@std/fmt/bytes";
import { dirname } from "@std/path";
import { isSecret, sectionOf } from "../../config/schema/schema.ts";
import type { HeldJob, PocketbaseSettings, Settings } from "../../config/settings.ts";
import { findDaemon } from "../../daemon/control/control_client.ts";
import { Failure, failureRecord } from "../../domain/failure.ts";
import { counted, span } from "../../domain/words.ts";
import { printable } from "../../domain/names/printable.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { faultOf } from "../../system/fault.ts";
import type { System } from "../../system/system.ts";
import { listenFailure, placeOf, readTls } from "../../web/server/web_server.ts";
import type { Tools } from "../command.ts";
import { type Access, ownAccess } from "../../services/service_account.ts";
import type { AskTools } from "./ask_destination.ts";
import { checkJob } from "./check_job.ts";
import { fault, type Finding, findingsAbout, HERE, ok, type Remark, warning } from "./finding.ts";
import { heldReasons, permissionLines } from "../../config/read/held_jobs.ts";
import { kindOf, readPartially } from "../../config/read/load.ts";

export type HereTools = AskTools & Pick<Tools, "markDamaged">;

/** Everything on this computer that the daemon needs. */
export async function checkHere(settings: Settings, tools: HereTools): Promise<Finding[]> {
  const { system, signal } = tools;
  const access = ownAccess(system);
  const here = [
    ok(`Configuration ${settings.file ?? "without a file"}: ${counted(settings.jobs.length, "job")}`),
    ...await checkSecrets(settings, system),
    await checkFolder("state", settings.stateDirectory, access, system),
    await checkFolder("log", settings.log.directory, access, system),
    checkLedger(settings, tools),
    ...await checkWatches(system, signal),
    ...await checkDescriptors(system, signal),
    ...await checkPage(settings, system, signal),
    ...await checkPocketbase(settings, system, signal),
    ...await checkPidFile(settings.pidFile, access, system),
  ];
  const jobs = await Promise.all(settings.jobs.map((job) => checkJob(job, system, signal)));
  return [...findingsAbout(HERE, here), ...jobs.flat()];
}

/** A folder of the daemon's own: made where it is missing. */
export async function checkFolder(
  what: "state" | "log",
  folder: string,
  access: Access,
  system: Pick<System, "space">,
): Promise<Remark> {
  try {
    await access.makeFolder(folder, what === "state" ? 0o700 : undefined);
    await access.write(folder);
    const { freeBytes } = await system.space(folder);
    const free = formatBytes(freeBytes);
    const title = what === "state" ? "State directory" : "Log directory";
    if (freeBytes >= 100e6) return ok(`${title} ${folder}: ${free} free`);
    return warning(`${title} ${folder}: only ${free} free`, "Free some space on this disk.");
  } catch (error) {
    const message = `Cannot write to the ${what} directory "${folder}": ${reasonOf(error)}`;
    const hint = `Make it writable for ${access.account ?? "this account"}, or set ${what}_directory to another folder.`;
    return fault(new Failure("permission_denied", message, { hint }));
  }
}

/** Its folder is not created: it usually belongs to the service manager. */
export async function checkPidFile(
  path: string | null,
  access: Access,
  system: Pick<System, "followedFacts">,
): Promise<Remark[]> {
  if (path === null) return [];
  try {
    if ((await system.followedFacts(path))?.kind === "folder") throw new Error("it is a folder");
    await access.write(dirname(path));
    return [ok(`pid_file ${path} can be written`)];
  } catch (error) {
    const who = access.account ?? "this account";
    const hint = `Make its folder writable for ${who}, or remove pid_file from the configuration; it is optional.`;
    return [warning(`Cannot write pid_file "${path}": ${reasonOf(error)}`, hint)];
  }
}

function checkLedger(settings: Settings, { readLedger, markDamaged }: HereTools): Remark {
  try {
    using opened = readLedger(settings.stateDirectory);
    const [damage] = opened.integrity();
    const { queued, sending, deferred, delivered, failed } = opened.counts();
    if (damage !== undefined) throw new Failure("internal", `The ledger is damaged: ${damage}`, { hint: REPAIR });
    return ok(`Ledger is intact: ${delivered} delivered, ${queued + sending + deferred} waiting, ${failed} failed`);
  } catch (error) {
    const isDamaged = error instanceof Failure && error.code === "internal";
    const problem = isDamaged ? markDamaged(settings.stateDirectory) : null;
    if (problem === null) return fault(error);
    const hint =
      `Restart image-transfer to repair it. It could not be marked for the repair: ${problem.message}. ${problem.hint}`;
    return fault(new Failure("internal", failureRecord(error).message, { hint, cause: error }));
  }
}

const REPAIR =
  "It has been marked: a running daemon stops for its service to start it again, and the next start repairs the ledger. " +
  "What cannot be repaired is kept beside a new one, and delivered files are recognised at the destinations.";

/** Nothing if it cannot be determined: the daemon itself reports folders that it has to poll. */
async function checkWatches(system: System, signal: AbortSignal): Promise<Remark[]> {
  if (system.platform !== "linux") return [];
  // By sysctl, because the compiled program may not read /proc. Users have no /sbin on their PATH.
  let most: number | null = null;
  for (const name of ["sysctl", "/usr/sbin/sysctl", "/sbin/sysctl"]) {
    const program = await system.which(name);
    if (program === null) continue;
    try {
      const { code, stdout } = await system.run({ program, args: ["-n", "fs.inotify.max_user_watches"] }, signal);
      most = code === 0 && /^\d+\n?$/.test(stdout) ? Number(stdout) : null;
      break;
    } catch (error) {
      signal.throwIfAborted();
      // It exists, but this program is not allowed to start it: perhaps it may start another one.
      if (!(error instanceof Failure)) throw error;
    }
  }
  if (most === null) return [];
  if (most >= 8192) return [ok(`The system can watch up to ${most} folders`)];
  const hint = "Raise it: sysctl fs.inotify.max_user_watches=524288. Until then, the remaining folders are polled.";
  return [warning(`The system can watch only ${most} folders at once`, hint)];
}

/** The page and the commands may take 512 of them, each transfer a handful. Deno raises the soft limit to the hard one, which programs inherit. */
export async function checkDescriptors(
  system: Pick<System, "platform" | "which" | "run">,
  signal: AbortSignal,
): Promise<Remark[]> {
  if (system.platform !== "linux") return [];
  const program = await system.which("grep");
  if (program === null) return [];
  const { stdout } = await system.run({ program, args: ["^Max open files", "/proc/self/limits"] }, signal);
  const most = Number(/^Max open files\s+(\d+)/.exec(stdout)?.[1] ?? NaN);
  if (!(most < 1024)) return [];
  const hint = "Raise it to 1024 or more: ulimit -n 4096 in a shell, LimitNOFILE=4096 in a systemd unit.";
  return [warning(`This account can open only ${most} files at once`, hint)];
}

/** Listens for a moment, as the daemon would; at any free port where the daemon itself has the configured one. */
async function checkPage({ web, stateDirectory }: Settings, system: System, signal: AbortSignal): Promise<Remark[]> {
  if (web === null) return [];
  let url: string | null = null;
  try {
    url = (await findDaemon({ stateDirectory, system }, signal))?.url ?? null;
  } catch (error) {
    signal.throwIfAborted();
    const { message, hint } = failureRecord(error);
    return [warning(message, hint)];
  }
  try {
    const tls = await readTls(web, system);
    const end = new AbortController();
    const listening = await system.listen({
      host: web.host,
      port: url === null ? web.port : 0,
      handler: () => new Response("", { status: 503 }),
      ...tls === null ? {} : { tls },
    }, end.signal);
    end.abort();
    await listening.finished;
    return [ok(url === null ? `The page can be served at ${placeOf(web)}` : `The page is at ${url}`)];
  } catch (error) {
    const { message, hint } = listenFailure(web, error);
    const said = `Cannot show the page at ${placeOf(web)}: ${message}`;
    // A port may be free again by the time the daemon starts; the rest only a person can change.
    if (faultOf(error) === "busy") return [warning(said, `${hint} Delivery does not need the page.`)];
    return [{ ...fault(error), what: said, hint, code: "configuration" }];
  }
}

const MOST_BYTES = 1024 * 1024;

/** Secrets that other accounts can read: in the configuration file, and the key of the page. */
export async function checkSecrets(
  { file, full, web }: Pick<Settings, "file" | "full" | "web">,
  system: Pick<System, "platform" | "followedFacts" | "read">,
): Promise<Remark[]> {
  if (system.platform === "windows") return [];
  const isReadable = async (path: string, by: number) => (((await system.followedFacts(path))?.mode ?? 0) & by) !== 0;
  const findings: Remark[] = [];
  // A group may be meant to read a certificate's key.
  if (web !== null && web.tlsKey !== null && await isReadable(web.tlsKey, 0o004)) {
    const what = `Other accounts can read web.tls_key ${printable(web.tlsKey)}`;
    findings.push(warning(what, `Run \`chmod o= ${printable(web.tlsKey)}\`, and have a new key made if others had access.`));
  }
  if (file === null || !await isReadable(file, 0o044)) return findings;
  const text = new TextDecoder().decode(await system.read(file, 0, MOST_BYTES));
  const written = secretsIn(full, "").filter(({ value }) =>
    text.includes(value) || text.includes(JSON.stringify(value).slice(1, -1))
  );
  const names = [...new Set(written.map(({ name }) => name))];
  if (names.length === 0) return findings;
  const what = `Other accounts can read the ${names.join(", ")} in ${printable(file)}`;
  const keep = names.some((name) => name.endsWith("password"))
    ? "or use password_file or password: $NAME instead."
    : "or take them from the environment, like token: $NAME.";
  return [...findings, warning(what, `Run \`chmod 600 ${printable(file)}\`, ${keep}`)];
}

/** The secrets of a configuration with the names of their keys, without those that are taken from the environment. */
function secretsIn(part: unknown, section: string): { readonly name: string; readonly value: string }[] {
  if (Array.isArray(part)) return part.flatMap((each) => secretsIn(each, section));
  if (typeof part !== "object" || part === null) return [];
  return Object.entries(part).flatMap(([key, value]) => {
    if (typeof value !== "string" || !isSecret(section, key)) return secretsIn(value, sectionOf(section, key));
    return value === "" || value.startsWith("$") ? [] : [{ name: section === "" ? key : `${section}.${key}`, value }];
  });
}

/** Longer is told of. */
const CLOCKS_DIFFER_MS = 60_000;
const ANSWER_MS = 10_000;

/** Nothing where no server is configured. */
export async function checkPocketbase(
  settings: Pick<Settings, "pocketbase" | "file">,
  system: System,
  signal: AbortSignal,
): Promise<Remark[]> {
  const { pocketbase } = settings;
  if (pocketbase === null) return [];
  const once = { ...pocketbase, timeoutMs: Math.min(pocketbase.timeoutMs, ANSWER_MS) };
  try {
    const { name, fault: wrong, held, aheadMs } = await lookAtServer({ ...settings, pocketbase: once }, system, signal);
    const { url, allowHttp } = pocketbase;
    const { protocol, hostname } = URL.parse(url) ?? {};
    const isInClear = protocol === "http:" && hostname?.replace(/^\[|\]$/g, "") === allowHttp?.toLowerCase();
    const remarks = [
      ok(`PocketBase ${url}: connected as ${printable(name)}`),
      ok(`Whoever owns that server ${rightsOf(pocketbase)}`),
    ];
    if (isInClear) {
      remarks.push(warning(`${url} is asked over http, which sends the password in clear (allow_http)`, "Use https."));
    }
    if (wrong !== null) remarks.push(fault(wrong));
    // One for each reason; with the last one, the lines that would allow what waits.
    const reasons = heldReasons(held).map((reason) => warning(reason, "Correct it on the server."));
    const lines = permissionLines(held, pocketbase, kindOf(settings.file ?? ""));
    const last = lines.length > 0 ? reasons.pop() : undefined;
    remarks.push(...reasons);
    if (last !== undefined) {
      const hint = `If you want them to run, add these lines to "pocketbase" in ${settings.file}.`;
      remarks.push(warning([last.what, ...lines].join("\n"), hint));
    }
    if (Math.abs(aheadMs) > CLOCKS_DIFFER_MS) {
      const off = `${span(Math.abs(aheadMs))} ${aheadMs > 0 ? "ahead of" : "behind"}`;
      remarks.push(warning(`The clock of this computer is ${off} that of ${url}`, "Set both clocks by NTP."));
    }
    return remarks;
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof Failure)) throw error;
    // Deliveries do not need it, and an outage passes; a mistake does not.
    return [error.next === "later" ? warning(error.message, error.hint) : fault(error)];
  }
}

/**
 * Whether the server can be reached and used, and its jobs with it: this computer's name there, why its jobs cannot be used, and which of
 * them the file does not allow.
 *
 * @throws {Failure} where it cannot.
 */
export async function lookAtServer(
  { pocketbase, file }: Pick<Settings, "file"> & { readonly pocketbase: PocketbaseSettings },
  system: System,
  signal: AbortSignal,
) {
  const { senderOf } = await import("../../fleet/accounts.ts");
  const { pocketbaseServer } = await import("../../fleet/pocketbase_server.ts");
  const { requireCollections } = await import("../../fleet/setup.ts");
  const { fetchJobs } = await import("../../fleet/jobs_of_server.ts");
  const server = pocketbaseServer({ ...pocketbase, retryAttempts: 0 }, system);
  await server.account(signal);
  await server.requireCurrent(signal);
  await requireCollections(server, signal);
  // A superuser's computer is only looked up by the daemon, which adds it where it is missing.
  const { id, name } = await senderOf(server, pocketbase, system, signal);
  const aheadMs = system.now() - await server.clock(signal);
  const known = { name, isRegistered: id !== null, aheadMs };
  if (file === null) return { ...known, fault: null, held: [] as readonly HeldJob[] };
  const jobs = await fetchJobs(server, { id: id ?? "", name }, signal);
  const { fault, settings } = await readPartially(file, system, jobs);
  return { ...known, fault, held: settings.held ?? [] };
}

/** What follows "whoever owns that server". */
function rightsOf({ maySet, mayWatch, maySendTo, mayDo }: PocketbaseSettings): string {
  const rights = [
    ...maySet.includes("schedules") ? ["may set when jobs send"] : [],
    ...maySet.includes("jobs") ? [`may send files from ${among(mayWatch)} to ${among(maySendTo)}`] : [],
    ...mayDo.length > 0 ? [`may ask for ${mayDo.join(", ")}`] : [],
  ];
  return rights.length === 0 ? "decides nothing here" : rights.join("; ");
}

function among(allowed: readonly string[]): string {
  return allowed.length === 0 ? "nowhere" : allowed.map(printable).join(", ");
}
