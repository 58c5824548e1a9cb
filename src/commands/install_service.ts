/**
 * `install-service`: makes the system start the daemon. Checks first that it can work, repeats nothing that is already done, and
 * ends by showing that the daemon runs.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { optional, withDefault } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { loadSettings } from "../config/read/load.ts";
import { CONFIG_VARIABLE } from "../config/read/search_path.ts";
import { Failure } from "../domain/failure.ts";
import type { Settings } from "../config/settings.ts";
import { needsOf } from "../services/needs.ts";
import type { Scope, ServiceKind, ServicePlan, ServiceRequest } from "../services/service.ts";
import { SERVICES } from "../services/services.ts";
import { commandLine, runSteps, writePlanned } from "./service/carry_out.ts";
import { defineCommand, EXIT, plain, type Tools } from "./command.ts";
import { othersBeside, readInstalled, serviceName } from "./service/installed_service.ts";
import { configOption } from "./options.ts";
import { formerState, runningBefore, takeOver } from "./service/former_state.ts";
import { accountFor, seenFrom } from "../services/service_account.ts";
import { checkConfiguration, checkDestinations, checkNeeds } from "./checks/check_service.ts";
import type { Finding } from "./checks/finding.ts";
import { nameOption, scopeOption } from "./service/service_options.ts";
import { placeOfProgram, placeProgram } from "../services/service_program.ts";
import { reportLines, untilItRuns } from "./service/service_daemon.ts";

interface InstallInput {
  readonly name: string | undefined;
  readonly description: string;
  readonly config: string | undefined;
  readonly scope: Scope | undefined;
  readonly runAs: string | undefined;
  readonly dryRun: boolean;
}

const definition = {
  description: "Makes the system start the daemon and restart it whenever it exits: with sudo for the whole computer, from " +
    "boot; otherwise for the calling user. Checks first that the service can work. Install again to apply changes.",
  parser: object({
    name: nameOption,
    description: withDefault(
      option("--description", string({ metavar: "TEXT" }), { description: plain("Description shown in lists of services") }),
      "Delivers every finished image, complete and verified, to its destinations",
    ),
    config: configOption,
    scope: scopeOption,
    runAs: optional(option("--run-as", string({ metavar: "USER" }), {
      description: plain("With --system: account to run as (default: the user who called sudo)"),
    })),
    dryRun: option("--dry-run", { description: plain("Show what would be written and run, without doing it") }),
  }),
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

async function install(input: InstallInput, tools: Tools): Promise<number> {
  const { system, signal, stderr } = tools;
  const kind = SERVICES[system.platform];
  const scope = input.scope ?? (system.uid === 0 ? "system" : "user");
  if (!input.dryRun) refuseWhatCannotBe(scope, input, tools);
  const account = await accountFor(scope, input.runAs, system, signal);
  const place = { name: serviceName(input.name, kind), scope, account };
  const given = kind.stateFolder(place);
  const named = input.config ?? (system.env(CONFIG_VARIABLE) || undefined);
  const load = (state: string | null) => loadSettings(named, tools.cwd, seenFrom(account, state, system));
  const fresh = await load(given);
  const former = given === null || fresh.stateDirectory !== given ? null : await formerState(place, given, fresh, kind, tools);
  const inPlace = former?.owner === null ? former.state : null;
  const settings = inPlace === null ? fresh : await load(inPlace);
  if (former !== null) {
    const moves = former.owner === null
      ? ""
      : `, which moves to ${given}: ${former.owner} ran it, and the service runs as ${account.name}`;
    stderr(`The service continues with the ledger of earlier runs in ${former.state}${moves}\n`);
  }
  const request = {
    ...place,
    ...about(settings, input),
    formerState: inPlace,
    needs: needsOf(settings, account.home),
    program: placeOfProgram(scope, account, system),
  };
  const template = await system.embedded(kind.template);
  if (input.dryRun) {
    show(kind.plan({ ...request, copied: request.program !== system.executable }, template), request, kind, tools);
    return EXIT.done;
  }

  const before = await readInstalled(place, kind, tools);
  const { state: stateDirectory } = former ?? { state: settings.stateDirectory };
  const running = await runningBefore(place, before, { ...settings, stateDirectory }, kind, tools);
  if (running !== null) {
    stderr(
      `image-transfer is running already (process ${running}) with the state directory "${stateDirectory}".\n` +
        "Stop it first (Ctrl+C where it runs, or image-transfer stop), then install again: the service continues with its ledger.\n",
    );
    return EXIT.otherInstance;
  }
  const checks = { ...tools, settings, account };
  mustBeFine(await checkNeeds(checks, given), tools);
  const marks = [before?.mark, ...(await othersBeside(place, kind, tools)).map(({ mark }) => mark)];
  const copiedBefore = marks.some((mark) => mark?.program === request.program && mark.copied);
  const { copied, changed } = await placeProgram(request.program, copiedBefore, system, signal);
  if (changed) stderr(`Copied the program to ${request.program}\n`);
  mustBeFine(await checkConfiguration(checks, request.program), tools);
  mustBeFine(await checkDestinations(checks, request.program), tools);

  if (former?.owner != null && given !== null) await takeOver(former, given, account, tools);
  const plan = kind.plan({ ...request, copied }, template);
  const isNew = await carryOut(plan, kind, tools);
  const { start, restart } = kind.controls(place);
  await startIt(before !== null && (changed || isNew) ? restart : start, kind, request, tools);
  return await showThatItRuns(request, kind, tools);
}

function about(settings: Settings, input: InstallInput) {
  const { log, stateDirectory, shutdownTimeoutMs } = settings;
  return {
    description: input.description,
    config: settings.file ?? "",
    stateDirectory,
    logFile: `${log.directory}${log.directory.includes("\\") ? "\\" : "/"}${log.file}`,
    stopSeconds: Math.ceil(shutdownTimeoutMs / 1000) + 25,
  };
}

function refuseWhatCannotBe(scope: Scope, input: InstallInput, { system }: Tools): void {
  if (!system.compiled) {
    throw new Failure("configuration", "Cannot install the service: image-transfer is running from source", {
      hint: "Build the program first: deno task build; then: ./image-transfer install-service. --dry-run works from the source.",
    });
  }
  if (scope === "system" && system.uid !== 0 && system.platform !== "windows") {
    throw new Failure("permission_denied", "Cannot install a system service: this requires root", {
      hint: `Run: sudo ${again(input, system.executable)}`,
    });
  }
}

/** The same command once more, for sudo. */
function again(input: InstallInput, program: string): string {
  const words = ["install-service", "--system"];
  if (input.name !== undefined) words.push("--name", input.name);
  if (input.config !== undefined) words.push("--config", input.config);
  if (input.runAs !== undefined) words.push("--run-as", input.runAs);
  return commandLine({ program, args: words });
}

/** Prints what is wrong; throws if there is an error, with which the service could not work. */
function mustBeFine(findings: readonly Finding[], { stderr }: Tools): void {
  const wrong = findings.filter(({ level }) => level !== "ok");
  for (const { level, what, hint } of wrong) {
    stderr(`${level === "fault" ? "Error" : "Warning"}: ${what}\n${hint === "" ? "" : `  ${hint}\n`}`);
  }
  const errors = wrong.filter(({ level }) => level === "fault").length;
  if (errors === 0) return;
  throw new Failure(
    "configuration",
    `Cannot install the service: fix ${errors === 1 ? "the error" : `the ${errors} errors`} above first`,
  );
}

/** Writes the files and makes them known; true when something was new. */
async function carryOut(plan: ServicePlan, kind: ServiceKind, tools: Tools): Promise<boolean> {
  let isNew = false;
  try {
    for (const file of plan.files) {
      if (await writePlanned(file, tools)) {
        isNew = true;
        if (!file.passing) tools.stderr(`Wrote ${file.path}\n`);
      }
    }
    await runSteps(plan.enable, kind, tools);
  } finally {
    for (const { path, passing } of plan.files) if (passing) await tools.system.remove(path);
  }
  return isNew;
}

async function startIt(
  steps: Parameters<typeof runSteps>[0],
  kind: ServiceKind,
  request: Omit<ServiceRequest, "copied">,
  tools: Tools,
): Promise<void> {
  try {
    await runSteps(steps, kind, tools);
  } catch (error) {
    const logs = kind.controls(request).logs?.(20, false);
    if (logs !== undefined && error instanceof Failure) tools.stderr((await tools.system.run(logs, tools.signal)).stdout);
    throw error;
  }
}

async function showThatItRuns(request: Omit<ServiceRequest, "copied">, kind: ServiceKind, tools: Tools): Promise<number> {
  const report = await untilItRuns(request.stateDirectory, tools);
  const title = kind.title(request);
  if (report === null) {
    throw new Failure("internal", `Installed ${title}, but the daemon is not responding`, {
      hint: `See the log: image-transfer service logs${request.name === kind.usualName ? "" : ` --name ${request.name}`}`,
    });
  }
  tools.stdout(`${title} is running as ${request.account.name}: ${reportLines(report).join("\n  ")}\n`);
  return EXIT.done;
}

function show(plan: ServicePlan, request: Omit<ServiceRequest, "copied">, kind: ServiceKind, tools: Tools): void {
  const { stdout, system } = tools;
  if (request.program !== system.executable) {
    stdout(`# copy ${system.compiled ? system.executable : "the program"} to ${request.program}\n\n`);
  }
  for (const { path, text, mode } of plan.files) stdout(`# write ${path} (mode ${mode.toString(8).padStart(4, "0")})\n${text}\n`);
  for (const { command } of [...plan.enable, ...kind.controls(request).start]) stdout(`# run ${commandLine(command)}\n`);
}
