/**
 * `uninstall-service`: removes everything that install-service created. State, log and configuration stay; `--purge` removes
 * state and log as well.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { option } from "@optique/core/primitives";
import { Failure } from "../domain/failure.ts";
import type { Mark } from "../config/read/service_mark.ts";
import type { Scope, ServiceKind } from "../services/service.ts";
import { SERVICES } from "../services/services.ts";
import { faultOf } from "../system/fault.ts";
import {
  askToStop,
  commandLine,
  findInstalled,
  type Installed,
  nameOption,
  othersBeside,
  runSteps,
  scopeOption,
  serviceName,
} from "./service/installed_service.ts";
import { defineCommand, EXIT, plain, type Tools } from "./command.ts";
import { removeProgram } from "../services/service_program.ts";

interface UninstallInput {
  readonly name: string | undefined;
  readonly scope: Scope | undefined;
  readonly purge: boolean;
  readonly dryRun: boolean;
}

const definition = {
  parser: object({
    name: nameOption,
    scope: scopeOption,
    purge: option("--purge", { description: plain("Also remove the state (delivery history and queue) and the log") }),
    dryRun: option("--dry-run", { description: plain("Show what would be removed and run, without doing it") }),
  }),
  run: uninstall,
};

/** Exit code 0 also where there is none. Refuses a service that install-service did not make. */
export const uninstallService = defineCommand({
  ...definition,
  name: "uninstall-service",
  help: "Remove the service; --purge forgets what was delivered",
});

/** As seed 2 spells it. */
export const uninstallAlias = defineCommand({ ...definition, name: "uninstall", help: "Same as uninstall-service" });

async function uninstall(input: UninstallInput, tools: Tools): Promise<number> {
  const kind = SERVICES[tools.system.platform];
  const name = serviceName(input.name, kind);
  const found = await findInstalled(name, input.scope, kind, tools);
  if (found === null) {
    tools.stderr(`There is no service "${name}": nothing to uninstall.\n`);
    return EXIT.done;
  }
  const { place, mark } = found;
  const title = kind.title(place);
  if (mark === null) {
    throw new Failure("configuration", `Cannot uninstall ${title}: it was not created by install-service`, {
      hint: "Remove it with the tool that created it.",
    });
  }
  const isShared = (await othersBeside(place, kind, tools)).some((other) => other.mark.program === mark.program);
  // The last service that uses the program takes it away.
  const own = { ...mark, copied: mark.copied && !isShared };
  if (input.dryRun) {
    show(found, own, kind, input, tools);
    return EXIT.done;
  }
  if (place.scope === "system" && tools.system.uid !== 0 && tools.system.platform !== "windows") {
    throw new Failure("permission_denied", `Cannot uninstall ${title}: this requires root`, {
      hint: `Run: sudo ${commandLine({ program: tools.system.executable, args: sudoWords(input) })}`,
    });
  }
  await stopAndForget(found, mark, kind, tools);
  tools.stderr(`Removed ${title}\n`);
  await removeCopy(own, tools);
  await (input.purge ? purge(place.name, mark, tools) : tellWhatStays(mark, tools));
  return EXIT.done;
}

async function stopAndForget({ place }: Installed, mark: Mark, kind: ServiceKind, tools: Tools): Promise<void> {
  const { forget } = kind.controls(place);
  await askToStop(mark, tools);
  await runSteps(forget.before, kind, tools);
  const where = kind.definition(place);
  if (where.print === undefined) await tools.system.remove(where.file);
  await runSteps(forget.after, kind, tools);
}

async function removeCopy(mark: Mark, tools: Tools): Promise<void> {
  if (!mark.copied) return;
  if (await removeProgram(mark.program, tools.system)) tools.stderr(`Removed ${mark.program}\n`);
  else tools.stderr(`Remove the program yourself, as it is still running: ${mark.program}\n`);
}

async function purge(service: string, mark: Mark, tools: Tools): Promise<void> {
  const { system, stderr } = tools;
  // Only a folder that is surely ours is removed with all that is in it.
  if (await system.facts(`${mark.state}/lock`) !== null) {
    await system.removeTree(mark.state);
    stderr(`Removed ${mark.state}\n`);
  }
  const at = Math.max(mark.log.lastIndexOf("/"), mark.log.lastIndexOf("\\"));
  const [folder, file] = [mark.log.slice(0, at), mark.log.slice(at + 1)];
  const logs = await namesIn(folder, tools);
  // What launchd caught is beside the log.
  const caught = system.platform === "darwin" ? [`${service}.out.log`, `${service}.err.log`] : [];
  const isLog = (name: string) => name === file || /^\.\d+$/.test(name.slice(file.length)) && name.startsWith(file);
  for (const name of logs.filter((name) => isLog(name) || caught.includes(name))) {
    await system.remove(`${folder}/${name}`);
    stderr(`Removed ${folder}/${name}\n`);
  }
  if (logs.length > 0 && (await namesIn(folder, tools)).length === 0) await system.remove(folder);
  stderr(`Your configuration is kept: ${mark.config}\n`);
}

async function namesIn(folder: string, { system }: Tools): Promise<string[]> {
  try {
    return await system.names(folder);
  } catch (error) {
    if (faultOf(error) === "not_found") return [];
    throw error;
  }
}

function tellWhatStays(mark: Mark, { stderr }: Tools): void {
  stderr(`The delivery history and the queue are kept in ${mark.state}; --purge removes them.\n`);
}

function show({ place }: Installed, mark: Mark, kind: ServiceKind, input: UninstallInput, { stdout }: Tools): void {
  const { forget } = kind.controls(place);
  const where = kind.definition(place);
  for (const { command } of forget.before) stdout(`# run ${commandLine(command)}\n`);
  if (where.print === undefined) stdout(`# remove ${where.file}\n`);
  for (const { command } of forget.after) stdout(`# run ${commandLine(command)}\n`);
  if (mark.copied) stdout(`# remove ${mark.program}\n`);
  if (input.purge) stdout(`# remove ${mark.state}\n# remove ${mark.log}\n`);
}

function sudoWords(input: UninstallInput): string[] {
  return [
    "uninstall-service",
    "--system",
    ...(input.name === undefined ? [] : ["--name", input.name]),
    ...(input.purge ? ["--purge"] : []),
  ];
}
