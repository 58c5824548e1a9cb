/**
 * `uninstall-service`: removes everything that install-service created. State, log and configuration stay; `--purge` removes
 * state and log as well.
 */
import { object } from "@optique/core/constructs";
import type { InferValue } from "@optique/core/parser";
import { Failure } from "../domain/failure.ts";
import type { Mark } from "../config/read/service_mark.ts";
import { SERVICES } from "../services/services.ts";
import { faultOf } from "../system/fault.ts";
import {
  askToStop,
  commandLine,
  findInstalled,
  nameOption,
  othersBeside,
  runSteps,
  scopeOption,
  serviceName,
} from "./service/installed_service.ts";
import { defineCommand, EXIT, type Tools } from "./command.ts";
import { removeProgram } from "../services/service_program.ts";
import { flag } from "./options.ts";

const options = object({
  name: nameOption,
  scope: scopeOption,
  purge: flag("--purge", "Also remove the state (delivery history and queue) and the log"),
  dryRun: flag("--dry-run", "Show what would be removed and run, without doing it"),
});

const definition = {
  parser: options,
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

async function uninstall(input: InferValue<typeof options>, tools: Tools): Promise<number> {
  const { system, stdout, stderr } = tools;
  const kind = SERVICES[system.platform];
  const name = serviceName(input.name, kind);
  const found = await findInstalled(name, input.scope, kind, tools);
  if (found === null) {
    stderr(`There is no service "${name}": nothing to uninstall.\n`);
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
  const { forget } = kind.controls(place);
  const where = kind.definition(place);
  if (input.dryRun) {
    for (const { command } of forget.before) stdout(`# run ${commandLine(command)}\n`);
    if (where.print === undefined) stdout(`# remove ${where.file}\n`);
    for (const { command } of forget.after) stdout(`# run ${commandLine(command)}\n`);
    if (own.copied) stdout(`# remove ${own.program}\n`);
    if (input.purge) stdout(`# remove ${own.state}\n# remove ${own.log}\n`);
    return EXIT.done;
  }
  if (place.scope === "system" && system.uid !== 0 && system.platform !== "windows") {
    const given = [...input.name === undefined ? [] : ["--name", input.name], ...input.purge ? ["--purge"] : []];
    const args = ["uninstall-service", "--system", ...given];
    throw new Failure("permission_denied", `Cannot uninstall ${title}: this requires root`, {
      hint: `Run: sudo ${commandLine({ program: system.executable, args })}`,
    });
  }
  await askToStop(mark, tools);
  await runSteps(forget.before, kind, tools);
  if (where.print === undefined) await system.remove(where.file);
  await runSteps(forget.after, kind, tools);
  stderr(`Removed ${title}\n`);
  if (own.copied) {
    if (await removeProgram(own.program, system)) stderr(`Removed ${own.program}\n`);
    else stderr(`Remove the program yourself, as it is still running: ${own.program}\n`);
  }
  if (input.purge) await purge(place.name, mark, tools);
  else stderr(`The delivery history and the queue are kept in ${mark.state}; --purge removes them.\n`);
  return EXIT.done;
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
