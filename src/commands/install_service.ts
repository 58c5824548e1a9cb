/**
 * `install-service`: makes the system start the daemon. Checks first that it can work, repeats nothing that is already done, and
 * ends by showing that the daemon runs.
 */
import { jsonOf } from "../domain/json.ts";
import { object } from "@optique/core/constructs";
import type { InferValue } from "@optique/core/parser";
import { dirname, join } from "@std/path";
import * as z from "zod";
import { deadline } from "../async/deadline.ts";
import { CONFIG_VARIABLE, leftStates, rememberedState } from "../config/read/find_config.ts";
import { loadSettings, withoutFile } from "../config/read/load.ts";
import { isOnThisComputer, type Settings } from "../config/settings.ts";
import { findDaemon } from "../daemon/control/control_client.ts";
import { Failure } from "../domain/failure.ts";
import { reasonOf } from "../domain/names/reason.ts";
import { METHOD_PROGRAMS } from "../methods/programs.ts";
import { type Account, needsOf, type ServicePlace } from "../services/service.ts";
import { accessOf, accountFor, isOther, runAs, seenFrom } from "../services/service_account.ts";
import { placeOfProgram, placeProgram } from "../services/service_program.ts";
import type { AskTools } from "./checks/ask_destination.ts";
import { checkDestination } from "./checks/check_destination.ts";
import { checkFolder, checkPidFile } from "./checks/check_here.ts";
import { checkRemoval, checkWatched } from "./checks/check_job.ts";
import { fault, type Finding, type Remark, warning } from "./checks/finding.ts";
import { defineCommand, EXIT, type Tools } from "./command.ts";
import { configOption, flag, given, text, usually } from "./options.ts";
import {
  commandLine,
  type Installed,
  kindHere,
  nameOption,
  nameWords,
  othersBeside,
  readInstalled,
  reportLines,
  runSteps,
  scopeOption,
  serviceName,
  untilItRuns,
  writePlanned,
} from "./service/installed_service.ts";

const options = object({
  name: nameOption,
  description: usually(
    "--description",
    text("TEXT"),
    "Description shown in lists of services",
    "Delivers every finished image, complete and verified, to its destinations",
  ),
  config: configOption,
  scope: scopeOption,
  runAs: given("--run-as", text("USER"), "With --system: account to run as (default: the user who called sudo)"),
  dryRun: flag("--dry-run", "Show what would be written and run, without doing it"),
});

const definition = {
  description: "Makes the system start the daemon and restart it whenever it exits: with sudo for the whole computer, from " +
    "boot; otherwise for the calling user. Checks first that the service can work. Install again to apply changes.",
  parser: options,
  run: install,
};

/** Ends with 0 only after the daemon has answered; with `--dry-run` it writes and runs nothing. */
export const installService = defineCommand({
  ...definition,
  name: "install-service",
  help: "Install as a service: systemd, launchd, Task Scheduler",
});

/** As seed 2 spells it. */
export const installAlias = defineCommand({ ...definition, name: "install", help: "Same as install-service" });

async function install(input: InferValue<typeof options>, tools: Tools): Promise<number> {
  const { system, signal, stdout, stderr } = tools;
  const kind = kindHere(tools);
  const scope = input.scope ?? (system.uid === 0 ? "system" : "user");
  if (!input.dryRun && !system.compiled) {
    throw new Failure("configuration", "Cannot install the service: image-transfer is running from source", {
      hint: "Build the program first: deno task build; then: ./image-transfer install-service. --dry-run works from the source.",
    });
  }
  if (!input.dryRun && scope === "system" && system.uid !== 0 && system.platform !== "windows") {
    const options = Object.entries({ "--name": input.name, "--config": input.config, "--run-as": input.runAs });
    const args = ["install-service", "--system", ...options.flatMap(([name, value]) => value === undefined ? [] : [name, value])];
    throw new Failure("permission_denied", "Cannot install a system service: this requires root", {
      hint: `Run: sudo ${commandLine({ program: system.executable, args })}`,
    });
  }
  const account = await accountFor(scope, input.runAs, system, signal);
  const place = { name: serviceName(input.name, tools), scope, account };
  const managed = kind.stateFolder(place);
  const named = input.config ?? (system.env(CONFIG_VARIABLE) || undefined);
  const load = (state: string | null) => loadSettings(named, tools.cwd, seenFrom(account, state, system));
  const fresh = await load(managed);
  const former = managed === null || fresh.stateDirectory !== managed ? null : await formerState(place, managed, fresh, tools);
  const inPlace = former?.owner === null ? former.state : null;
  const settings = inPlace === null ? fresh : await load(inPlace);
  if (former !== null) {
    const moves = former.owner === null
      ? ""
      : `, which moves to ${managed}: ${former.owner} ran it, and the service runs as ${account.name}`;
    stderr(`The service continues with the ledger of earlier runs in ${former.state}${moves}\n`);
  }
  const { log } = settings;
  const request = {
    ...place,
    description: input.description,
    config: settings.file ?? "",
    stateDirectory: settings.stateDirectory,
    logFile: `${log.directory}${log.directory.includes("\\") ? "\\" : "/"}${log.file}`,
    stopSeconds: Math.ceil(settings.shutdownTimeoutMs / 1000) + 25,
    formerState: inPlace,
    needs: needsOf(settings, account.home),
    program: placeOfProgram(scope, account, system),
  };
  const template = await system.embedded(kind.template);
  if (input.dryRun) {
    const isCopied = request.program !== system.executable;
    const plan = kind.plan({ ...request, copied: isCopied }, template);
    if (isCopied) stdout(`# copy ${system.compiled ? system.executable : "the program"} to ${request.program}\n\n`);
    for (const { path, text, mode } of plan.files) {
      stdout(`# write ${path} (mode ${mode.toString(8).padStart(4, "0")})\n${text}\n`);
    }
    for (const { command } of [...plan.enable, ...kind.controls(place).start]) stdout(`# run ${commandLine(command)}\n`);
    return EXIT.done;
  }

  const before = await readInstalled(place, tools);
  const { state: stateDirectory } = former ?? { state: settings.stateDirectory };
  const running = await runningBefore(place, before, { ...settings, stateDirectory }, tools);
  if (running !== null) {
    stderr(
      `image-transfer is running already (process ${running}) with the state directory "${stateDirectory}".\n` +
        "Stop it first (Ctrl+C where it runs, or image-transfer stop), then install again: the service continues with its ledger.\n",
    );
    return EXIT.otherInstance;
  }
  const checks = { ...tools, settings, account };
  mustBeFine(await checkNeeds(checks, managed), tools);
  const marks = [before?.mark, ...(await othersBeside(place, tools)).map(({ mark }) => mark)];
  const copiedBefore = marks.some((mark) => mark?.program === request.program && mark.copied);
  const { copied, changed } = await placeProgram(request.program, copiedBefore, system, signal);
  if (changed) stderr(`Copied the program to ${request.program}\n`);
  // Whether the account can start the program and read the configuration.
  if (isOther(account, system)) {
    const { code, stderr } = await runAs(
      account,
      [request.program, "config", "validate", "--config", request.config],
      system,
      signal,
    );
    const refusal = new Failure("configuration", `${account.name} cannot use the configuration: ${stderr.trim()}`);
    mustBeFine(code === 0 ? [] : [fault(refusal)], tools);
  }
  mustBeFine(await checkDestinations(checks, request.program), tools);

  if (former?.owner != null && managed !== null) await takeOver(former, managed, account, tools);
  const plan = kind.plan({ ...request, copied }, template);
  let isNew = false;
  try {
    for (const file of plan.files) {
      if (!await writePlanned(file, tools)) continue;
      isNew = true;
      if (!file.passing) stderr(`Wrote ${file.path}\n`);
    }
    await runSteps(plan.enable, tools);
  } finally {
    for (const { path, passing } of plan.files) if (passing) await system.remove(path);
  }
  const { start, restart, logs } = kind.controls(place);
  try {
    await runSteps(before !== null && (changed || isNew) ? restart : start, tools);
  } catch (error) {
    const shown = logs?.(20, false);
    if (shown !== undefined && error instanceof Failure) stderr((await system.run(shown, signal)).stdout);
    throw error;
  }
  const report = await untilItRuns(request.stateDirectory, tools);
  const title = kind.title(place);
  if (report === null) {
    throw new Failure("internal", `Installed ${title}, but the daemon is not responding`, {
      hint: `See the log: image-transfer service logs${nameWords(place.name, tools)}`,
    });
  }
  stdout(`${title} is running as ${account.name}: ${reportLines(report).join("\n  ")}\n`);
  return EXIT.done;
}

/** Prints what is wrong; throws if there is an error, with which the service could not work. */
function mustBeFine(findings: readonly Remark[], { stderr }: Tools): void {
  const wrong = findings.filter(({ level }) => level !== "ok");
  for (const { level, what, hint } of wrong) {
    stderr(`${level === "fault" ? "Error" : "Warning"}: ${what}\n${hint === "" ? "" : `  ${hint}\n`}`);
  }
  const errors = wrong.filter(({ level }) => level === "fault").length;
  if (errors === 0) return;
  const which = errors === 1 ? "the error" : `the ${errors} errors`;
  throw new Failure("configuration", `Cannot install the service: fix ${which} above first`);
}

interface ServiceChecks extends AskTools {
  readonly settings: Settings;
  readonly account: Account;
}

/** What is wrong with the folders, files and programs that the configuration needs; `given` is a folder that the service manager makes. */
export async function checkNeeds({ settings, account, system, signal }: ServiceChecks, given: string | null): Promise<Remark[]> {
  const { jobs, stateDirectory, log, pidFile } = settings;
  const access = accessOf(account, system, signal);
  if (pidFile !== null) await access.makeFolder(dirname(pidFile)).catch(() => undefined);
  const findings = stateDirectory === given ? [] : [await checkFolder("state", stateDirectory, access, system)];
  findings.push(await checkFolder("log", log.directory, access, system), ...await checkPidFile(pidFile, access, system));
  for (const job of jobs) findings.push(...await checkWatched(job, access, system), ...await checkRemoval(job, access));
  const destinations = jobs.flatMap((job) => job.destinations);
  // The folders of local destinations, made where they are missing.
  for (const { basePath } of destinations.filter(isOnThisComputer)) {
    const who = access.account ?? "this account";
    try {
      await access.makeFolder(basePath);
    } catch (error) {
      const hint =
        "Create the folder or mount its disk, then install again: the service can write only to folders that exist now.";
      findings.push(warning(`"${basePath}" does not exist, and ${who} cannot create it: ${reasonOf(error)}`, hint));
      continue;
    }
    await access.write(basePath).catch((error) => {
      const message = `Cannot write to "${basePath}": ${reasonOf(error)}`;
      findings.push(fault(new Failure("permission_denied", message, { hint: `Make it writable for ${who}.` })));
    });
  }
  // The configuration, certificates, and the folder of the ssh keys.
  const watched = new Set(jobs.map(({ watchPath }) => watchPath));
  for (const path of needsOf(settings, account.home).readable.filter((path) => !watched.has(path))) {
    const who = access.account ?? "This account";
    if (await system.followedFacts(path).catch(() => null) === null) {
      const isKeys = path.endsWith(".ssh");
      const hint = isKeys ? `${who} needs an SSH key there.` : "Create it, or correct its path in the configuration.";
      findings.push(warning(`"${path}" does not exist`, hint));
      continue;
    }
    await access.read(path).catch(() => {
      const hint = "Give it permission to read this file or folder.";
      findings.push(fault(new Failure("permission_denied", `${who} cannot read "${path}"`, { hint })));
    });
  }
  const programs = new Set(destinations.flatMap(({ transport }) => METHOD_PROGRAMS[transport.method].needs));
  for (const name of programs) {
    if (await system.which(name) !== null) continue;
    findings.push(fault(new Failure("tool_missing", `${name} is not installed`, { hint: `Install ${name}.` })));
  }
  return findings;
}

/** Long enough for a server that does not respond. */
const PATIENCE_MS = 60_000;

/** What `doctor --json` prints. */
const printed: z.ZodType<readonly Finding[]> = z.array(z.object({
  level: z.enum(["ok", "warning", "fault"]),
  about: z.string(),
  what: z.string(),
  hint: z.string(),
  code: z.string().nullable(),
}));

/**
 * What does not work at the destinations; `program` is where the account can start it. Only warnings: a server that is off now may
 * be there at night.
 */
export async function checkDestinations(checks: ServiceChecks, program: string): Promise<Remark[]> {
  const { settings, account, system } = checks;
  using limit = deadline(PATIENCE_MS, system, checks.signal);
  try {
    let all: readonly Finding[];
    if (isOther(account, system)) {
      // The state directory of the service does not exist yet, and this must not create another one for its account.
      const state = `/tmp/image-transfer-${system.randomHex(16)}`;
      const words = ["env", `STATE_DIRECTORY=${state}`, program, "doctor", "--json", "--config", settings.file ?? ""];
      const { stdout } = await runAs(account, words, system, limit.signal).finally(() => system.removeTree(state));
      all = printed.safeParse(jsonOf(stdout)).data ?? [];
    } else {
      const destinations = settings.jobs.flatMap((job) => job.destinations);
      const tools = { ...checks, signal: limit.signal };
      all = (await Promise.all(destinations.map((each) => checkDestination(each, settings, tools)))).flat();
    }
    const wrong = all.filter(({ level, about }) => level === "fault" && about.startsWith("destination "));
    return wrong.map((finding) => ({ ...finding, level: "warning" }));
  } catch (error) {
    if (!limit.passed) throw error;
    const hint = "For details, run image-transfer doctor.";
    return [warning("The destinations could not be checked within a minute", hint)];
  }
}

/** A ledger of earlier runs: of the account itself, which stays where it is, or of `owner`, which has to be moved first. */
interface FormerState {
  readonly state: string;
  readonly owner: string | null;
}

/**
 * What runs with this configuration have left, in place of `given`, which the service manager would make; null where there is nothing, where
 * `given` has a ledger of the account already, or where another service has it.
 */
async function formerState(
  place: ServicePlace,
  given: string,
  { file }: Settings,
  tools: Tools,
): Promise<FormerState | null> {
  const { system, signal, stderr } = tools;
  const { account } = place;
  const others = await othersBeside(place, tools);
  const usual = usualState(account, system);
  for (const state of [given, ...await leftStates(file ?? "", account.uid, system), usual]) {
    const isTaken = others.some(({ mark }) => mark.state === state);
    if (!isTaken && await hasLedger(state, account, system)) return state === given ? null : { state, owner: null };
  }
  const owner = others.find(({ mark }) => mark.state === usual);
  if (owner !== undefined && await rememberedState(file ?? "", [usual], system) === usual) {
    const title = kindHere(tools).title({ ...place, name: owner.name });
    stderr(`Warning: earlier runs used the ledger that ${title} has now. This service begins with an empty one.\n`);
  }
  // What root's own runs, or those of the user behind sudo, have left.
  const caller = { name: "root", uid: system.uid, home: system.home };
  const behindSudo = await accountFor("system", undefined, system, signal).catch(() => caller);
  for (const other of [caller, behindSudo].filter(({ uid }) => uid !== account.uid)) {
    const state = usualState(other, system);
    const isOfFile = await rememberedState(file ?? "", [state], system) === state;
    if (isOfFile && await hasLedger(state, other, system)) return { state, owner: other.name };
  }
  return null;
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

/**
 * Refuses a second service for one configuration, and says who runs with the ledger now: the id of the process of a daemon that is not this
 * service's own, null where there is none.
 *
 * @throws {Failure} `configuration` where another service has the same configuration.
 */
async function runningBefore(
  place: ServicePlace,
  before: Installed | null,
  { file, stateDirectory }: Settings,
  tools: Tools,
): Promise<number | null> {
  const { system, signal } = tools;
  const kind = kindHere(tools);
  const same = (await othersBeside(place, tools)).find(({ mark }) => mark.config === file);
  if (same !== undefined) {
    const title = kind.title({ ...place, name: same.name });
    const sudo = same.scope === "system" ? "sudo " : "";
    const command = `${sudo}image-transfer uninstall-service --${same.scope}${nameWords(same.name, tools)}`;
    throw new Failure("configuration", `Cannot install the service: ${title} has the same configuration`, {
      hint: `Uninstall it first: ${command}. What was delivered is not forgotten.`,
    });
  }
  const isOwn = before?.mark?.state === stateDirectory && (await system.run(kind.controls(place).status, signal)).code === 0;
  return isOwn ? null : (await findDaemon({ stateDirectory, system }, signal))?.pid ?? null;
}
