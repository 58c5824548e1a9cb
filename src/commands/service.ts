/**
 * `service start|stop|restart|status|logs` controls the installed service in the same way on every system. `uninstall-service` removes
 * everything that install-service created; state, log and configuration stay, but `--purge` removes state and log as well.
 */
import { object } from "@optique/core/constructs";
import { choice, integer } from "@optique/core/valueparser";
import { Failure } from "../domain/failure.ts";
import {
  askToStop,
  commandLine,
  findInstalled,
  kindHere,
  nameOption,
  nameWords,
  othersBeside,
  reportLines,
  reportOf,
  runSteps,
  scopeOption,
  serviceName,
  untilItRuns,
} from "./service/installed_service.ts";
import { defineCommand, EXIT, type Tools } from "./command.ts";
import { followFile, lastLines } from "./logs.ts";
import { flag, usually, word } from "./options.ts";
import type { InferValue } from "@optique/core/parser";
import type { Mark } from "../config/read/service_mark.ts";
import { faultOf } from "../system/fault.ts";
import { removeProgram } from "../services/service_program.ts";

/**
 * The service is found by its name and by the mark that install-service left. Exit code 4 where there is none, or it does not
 * run.
 */
export const service = defineCommand({
  name: "service",
  help: "Control the installed service: start, stop, restart, status, logs",
  parser: object({
    what: word(
      choice(["start", "stop", "restart", "status", "logs"], { metavar: "ACTION" }),
      "start, stop, restart: through the system's service manager; status: of the service and the daemon; logs: the last lines",
    ),
    name: nameOption,
    scope: scopeOption,
    lines: usually(["-n", "--lines"], integer({ min: 1, max: 100_000, metavar: "N" }), "logs: number of lines (default: 50)", 50),
    follow: flag(["-f", "--follow"], "logs: follow new lines"),
  }),
  async run(input, tools) {
    const kind = kindHere(tools);
    const name = serviceName(input.name, tools);
    const found = await findInstalled(name, input.scope, tools);
    if (found === null || found.mark === null) {
      tools.stderr(`There is no service "${name}". Install it: image-transfer install-service\n`);
      return EXIT.noDaemon;
    }
    const { mark, place } = found;
    const { system, signal, stdout, stderr } = tools;
    const controls = kind.controls(place);
    const title = kind.title(place);
    switch (input.what) {
      case "start":
      case "restart": {
        if (input.what === "restart") await askToStop(mark, tools);
        await runSteps(controls[input.what], tools);
        const report = await untilItRuns(mark.state, tools).catch(notAllowed);
        if (report === null) {
          throw new Failure("internal", `Started ${title}, but the daemon is not responding`, {
            hint: `See the log: image-transfer service logs${nameWords(name, tools)}`,
          });
        }
        const running = report === undefined ? "was started" : `is running: ${reportLines(report).join("\n  ")}`;
        stdout(`${title} ${running}\n`);
        return EXIT.done;
      }
      case "stop":
        await askToStop(mark, tools);
        await runSteps(controls.stop, tools);
        stdout(`${title} is stopped\n`);
        return EXIT.done;
      case "status": {
        const said = await system.run(controls.status, signal);
        stdout(said.stdout);
        stderr(said.stderr);
        const report = await reportOf(mark.state, tools).catch(notAllowed);
        if (report === undefined) {
          stderr(`The daemon responds only to its own account: sudo image-transfer service status${nameWords(name, tools)}\n`);
          return EXIT.done;
        }
        const running = report === null ? "not running." : `running: ${reportLines(report).join("\n  ")}`;
        stdout(`The daemon is ${running}\n`);
        return report === null ? EXIT.noDaemon : EXIT.done;
      }
      case "logs": {
        const command = controls.logs?.(input.lines, input.follow);
        if (command === undefined) {
          const { text, readTo } = await lastLines(mark.log, input.lines, system);
          stdout(text);
          if (input.follow) await followFile(mark.log, readTo, tools);
          return EXIT.done;
        }
        await using child = await system.spawn(command, signal);
        await child.closeStdin();
        const decoder = new TextDecoder();
        for await (const piece of child.stdout) stdout(decoder.decode(piece, { stream: true }));
        const { code } = await child.finished;
        if (code === 0 || signal.aborted) return EXIT.done;
        throw new Failure("internal", `Cannot run "${commandLine(command)}": ${child.stderr().trim()}`);
      }
    }
  },
});

/** Undefined: it runs as another account, and only that account may ask it. */
function notAllowed(error: unknown): undefined {
  if (error instanceof Failure && error.code === "permission_denied") return undefined;
  throw error;
}

const options = object({
  name: nameOption,
  scope: scopeOption,
  purge: flag("--purge", "Also remove the state (delivery history and queue) and the log"),
  dryRun: flag("--dry-run", "Show what would be removed and run, without doing it"),
});

const definition = { parser: options, run: uninstall };

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
  const kind = kindHere(tools);
  const name = serviceName(input.name, tools);
  const found = await findInstalled(name, input.scope, tools);
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
  const isShared = (await othersBeside(place, tools)).some((other) => other.mark.program === mark.program);
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
  await runSteps(forget.before, tools);
  if (where.print === undefined) await system.remove(where.file);
  await runSteps(forget.after, tools);
  stderr(`Removed ${title}\n`);
  if (own.copied) {
    if (await removeProgram(own.program, system)) stderr(`Removed ${own.program}\n`);
    else stderr(`Remove the program yourself, as it is still running: ${own.program}\n`);
  }
  if (input.purge) await purge(place.name, mark, tools);
  else stderr(`The delivery history and the queue are kept in ${mark.state}; --purge removes them.\n`);
  return EXIT.done;
}

async function purge(service: string, mark: Mark, { system, stderr }: Tools): Promise<void> {
  // Only a folder that is surely ours is removed with all that is in it.
  if (await system.facts(`${mark.state}/lock`) !== null) {
    await system.removeTree(mark.state);
    stderr(`Removed ${mark.state}\n`);
  }
  const at = Math.max(mark.log.lastIndexOf("/"), mark.log.lastIndexOf("\\"));
  const [folder, file] = [mark.log.slice(0, at), mark.log.slice(at + 1)];
  const namesThere = () =>
    system.names(folder).catch((error) => {
      if (faultOf(error) === "not_found") return [];
      throw error;
    });
  const logs = await namesThere();
  // What launchd caught is beside the log.
  const caught = system.platform === "darwin" ? [`${service}.out.log`, `${service}.err.log`] : [];
  const isLog = (name: string) => name === file || /^\.\d+$/.test(name.slice(file.length)) && name.startsWith(file);
  for (const name of logs.filter((name) => isLog(name) || caught.includes(name))) {
    await system.remove(`${folder}/${name}`);
    stderr(`Removed ${folder}/${name}\n`);
  }
  if (logs.length > 0 && (await namesThere()).length === 0) await system.remove(folder);
  stderr(`Your configuration is kept: ${mark.config}\n`);
}
