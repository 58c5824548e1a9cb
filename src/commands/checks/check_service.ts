/**
 * What install-service checks: what `doctor` checks, as the account that the service will run as. Folders that are missing are
 * made as that account where it can.
 *
 * @module
 */
import { dirname } from "@std/path";
import * as z from "zod";
import { deadline } from "../../async/deadline.ts";
import { Failure } from "../../domain/failure.ts";
import { type Destination, isOnThisComputer, type Settings } from "../../config/settings.ts";
import { reasonOf } from "../../domain/names/reason.ts";
import { needsOf } from "../../services/needs.ts";
import type { Account } from "../../services/service.ts";
import { isOther, runAs } from "../../services/service_account.ts";
import { METHOD_PROGRAMS } from "../../methods/programs.ts";
import type { System } from "../../system/system.ts";
import { type Access, accessOf } from "./access.ts";
import type { AskTools } from "./ask_destination.ts";
import { checkDestination } from "./check_destination.ts";
import { checkFolder, checkPidFile } from "./check_here.ts";
import { checkRemoval, checkWatched } from "./check_job.ts";
import { fault, type Finding, HERE, warning } from "./finding.ts";

/** Which service, and who asks. */
interface ServiceChecks extends AskTools {
  readonly settings: Settings;
  readonly account: Account;
}

/** What is wrong with the folders, files and programs that the configuration needs; `given` is a folder that the service manager makes. */
export async function checkNeeds({ settings, account, system, signal }: ServiceChecks, given: string | null): Promise<Finding[]> {
  const { jobs, stateDirectory, log, pidFile } = settings;
  const access = accessOf(account, system, signal);
  if (pidFile !== null) await access.makeFolder(dirname(pidFile)).catch(() => undefined);
  const findings = [
    ...(stateDirectory === given ? [] : [await checkFolder("state", stateDirectory, access, system)]),
    await checkFolder("log", log.directory, access, system),
    ...await checkPidFile(pidFile, access, system),
  ];
  for (const job of jobs) findings.push(...await checkWatched(job, access, system), ...await checkRemoval(job, access));
  const destinations = jobs.flatMap((job) => job.destinations);
  for (const destination of destinations.filter(isOnThisComputer)) {
    findings.push(...await checkBase(destination, access));
  }
  const watched = new Set(jobs.map(({ watchPath }) => watchPath));
  for (const path of needsOf(settings, account.home).readable.filter((path) => !watched.has(path))) {
    findings.push(...await checkReadable(path, access, system));
  }
  return [...findings, ...await checkPrograms(destinations, system)];
}

/** Whether the account can start the program and read the configuration. */
export async function checkConfiguration(
  { settings: { file }, account, system, signal }: ServiceChecks,
  program: string,
): Promise<Finding[]> {
  if (!isOther(account, system)) return [];
  const { code, stderr } = await runAs(account, [program, "config", "validate", "--config", file ?? ""], system, signal);
  if (code === 0) return [];
  return [fault(HERE, new Failure("configuration", `${account.name} cannot use the configuration: ${stderr.trim()}`))];
}

/** Long enough for a server that does not respond. */
const PATIENCE_MS = 60_000;

/**
 * What does not work at the destinations; `program` is where the account can start it. Only warnings: a server that is off now may
 * be there at night.
 */
export async function checkDestinations(checks: ServiceChecks, program: string): Promise<Finding[]> {
  using limit = deadline(PATIENCE_MS, checks.system, checks.signal);
  try {
    const all = await tryDestinations({ ...checks, signal: limit.signal }, program);
    const wrong = all.filter(({ level, about }) => level === "fault" && about.startsWith("destination "));
    return wrong.map((finding) => ({ ...finding, level: "warning" }));
  } catch (error) {
    if (!limit.passed) throw error;
    const hint = "For details, run image-transfer doctor.";
    return [warning(HERE, "The destinations could not be checked within a minute", hint)];
  }
}

const printed = z.array(z.object({
  level: z.enum(["ok", "warning", "fault"]),
  about: z.string(),
  what: z.string(),
  hint: z.string(),
  code: z.string().nullable(),
}));

async function tryDestinations(checks: ServiceChecks, program: string): Promise<Finding[]> {
  const { settings, account, system, signal } = checks;
  if (!isOther(account, system)) {
    const destinations = settings.jobs.flatMap((job) => job.destinations);
    return (await Promise.all(destinations.map((each) => checkDestination(each, settings, checks)))).flat();
  }
  // The state directory of the service does not exist yet, and this must not create another one for its account.
  const state = `/tmp/image-transfer-${system.randomHex(16)}`;
  const words = ["env", `STATE_DIRECTORY=${state}`, program, "doctor", "--json", "--config", settings.file ?? ""];
  const { stdout } = await runAs(account, words, system, signal);
  await system.removeTree(state);
  return printed.safeParse(JSON.parse(stdout || "[]")).data ?? [];
}

/** The folder of a local destination, made where it is missing. */
async function checkBase({ job, name, basePath }: Destination, access: Access): Promise<Finding[]> {
  const about = `destination ${name} of job ${job}`;
  const who = access.account ?? "this account";
  try {
    await access.makeFolder(basePath);
  } catch (error) {
    const hint = "Create the folder or mount its disk, then install again: the service can write only to folders that exist now.";
    return [warning(about, `"${basePath}" does not exist, and ${who} cannot create it: ${reasonOf(error)}`, hint)];
  }
  return await access.write(basePath).then(() => [], (error) => {
    const message = `Cannot write to "${basePath}": ${reasonOf(error)}`;
    return [fault(about, new Failure("permission_denied", message, { hint: `Make it writable for ${who}.` }))];
  });
}

/** The configuration, certificates, and the folder of the ssh keys. */
async function checkReadable(path: string, access: Access, system: Pick<System, "followedFacts">): Promise<Finding[]> {
  const who = access.account ?? "This account";
  if (await system.followedFacts(path).catch(() => null) === null) {
    const hint = path.endsWith(".ssh")
      ? `${who} needs an SSH key there.`
      : "Create it, or correct its path in the configuration.";
    return [warning(HERE, `"${path}" does not exist`, hint)];
  }
  return await access.read(path).then(() => [], () => {
    const hint = "Give it permission to read this file or folder.";
    return [fault(HERE, new Failure("permission_denied", `${who} cannot read "${path}"`, { hint }))];
  });
}

async function checkPrograms(destinations: readonly Destination[], system: Pick<System, "which">): Promise<Finding[]> {
  const wanted = new Set(destinations.flatMap(({ transport }) => METHOD_PROGRAMS[transport.method].needs));
  const found = await Promise.all([...wanted].map(async (name) => ({ name, path: await system.which(name) })));
  return found.filter(({ path }) => path === null).map(({ name }) =>
    fault(HERE, new Failure("tool_missing", `${name} is not installed`, { hint: `Install ${name}.` }))
  );
}
