/**
 * `service start|stop|restart|status|logs`: controls the installed service in the same way on every system.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { withDefault } from "@optique/core/modifiers";
import { argument, option } from "@optique/core/primitives";
import { choice, integer } from "@optique/core/valueparser";
import { Failure } from "../domain/failure.ts";
import type { Mark } from "../config/read/service_mark.ts";
import type { ServiceKind } from "../services/service.ts";
import { SERVICES } from "../services/services.ts";
import {
  askToStop,
  commandLine,
  findInstalled,
  type Installed,
  nameOption,
  reportLines,
  reportOf,
  runSteps,
  scopeOption,
  serviceName,
  untilItRuns,
} from "./service/installed_service.ts";
import { defineCommand, EXIT, plain, type Tools } from "./command.ts";
import { followFile, lastLines } from "./logs.ts";

/**
 * The service is found by its name and by the mark that install-service left. Exit code 4 where there is none, or it does not
 * run.
 */
export const service = defineCommand({
  name: "service",
  help: "Control the installed service: start, stop, restart, status, logs",
  parser: object({
    what: argument(choice(["start", "stop", "restart", "status", "logs"], { metavar: "ACTION" }), {
      description: plain(
        "start, stop, restart: through the system's service manager; status: of the service and the daemon; logs: the last lines",
      ),
    }),
    name: nameOption,
    scope: scopeOption,
    lines: withDefault(
      option("-n", "--lines", integer({ min: 1, max: 100_000, metavar: "N" }), {
        description: plain("logs: number of lines (default: 50)"),
      }),
      50,
    ),
    follow: option("-f", "--follow", { description: plain("logs: follow new lines") }),
  }),
  async run(input, tools) {
    const kind = SERVICES[tools.system.platform];
    const name = serviceName(input.name, kind);
    const found = await findInstalled(name, input.scope, kind, tools);
    if (found === null || found.mark === null) {
      tools.stderr(`There is no service "${name}". Install it: image-transfer install-service\n`);
      return EXIT.noDaemon;
    }
    const { mark } = found;
    switch (input.what) {
      case "start":
      case "restart":
        return await startOrRestart(input.what, found, mark, kind, tools);
      case "stop":
        return await stop(found, mark, kind, tools);
      case "status":
        return await status(found, mark, kind, tools);
      case "logs":
        return await logs(found, mark, kind, input, tools);
    }
  },
});

async function startOrRestart(
  how: "start" | "restart",
  found: Installed,
  mark: Mark,
  kind: ServiceKind,
  tools: Tools,
): Promise<number> {
  if (how === "restart") await askToStop(mark, tools);
  await runSteps(kind.controls(found.place)[how], kind, tools);
  const report = await untilItRuns(mark.state, tools).catch(notAllowed);
  if (report === null) {
    throw new Failure("internal", `Started ${kind.title(found.place)}, but the daemon is not responding`, {
      hint: "See the log: image-transfer service logs",
    });
  }
  tools.stdout(
    report === undefined
      ? `${kind.title(found.place)} was started\n`
      : `${kind.title(found.place)} is running: ${reportLines(report).join("\n  ")}\n`,
  );
  return EXIT.done;
}

async function stop(found: Installed, mark: Mark, kind: ServiceKind, tools: Tools): Promise<number> {
  await askToStop(mark, tools);
  await runSteps(kind.controls(found.place).stop, kind, tools);
  tools.stdout(`${kind.title(found.place)} is stopped\n`);
  return EXIT.done;
}

async function status(found: Installed, mark: Mark, kind: ServiceKind, tools: Tools): Promise<number> {
  const { stdout, stderr } = await tools.system.run(kind.controls(found.place).status, tools.signal);
  tools.stdout(stdout);
  tools.stderr(stderr);
  const report = await reportOf(mark.state, tools).catch(notAllowed);
  if (report === undefined) tools.stderr("The daemon responds only to its own account: sudo image-transfer service status\n");
  else {tools.stdout(
      report === null ? "The daemon is not running.\n" : `The daemon is running: ${reportLines(report).join("\n  ")}\n`,
    );}
  return report === null ? EXIT.noDaemon : EXIT.done;
}

/** Undefined: it runs as another account, and only that account may ask it. */
function notAllowed(error: unknown): undefined {
  if (error instanceof Failure && error.code === "permission_denied") return undefined;
  throw error;
}

async function logs(
  found: Installed,
  mark: Mark,
  kind: ServiceKind,
  { lines, follow }: { readonly lines: number; readonly follow: boolean },
  tools: Tools,
): Promise<number> {
  const command = kind.controls(found.place).logs?.(lines, follow);
  if (command === undefined) {
    const { text, readTo } = await lastLines(mark.log, lines, tools.system);
    tools.stdout(text);
    if (follow) await followFile(mark.log, readTo, tools);
    return EXIT.done;
  }
  await using child = await tools.system.spawn(command, tools.signal);
  await child.closeStdin();
  const decoder = new TextDecoder();
  for await (const piece of child.stdout) tools.stdout(decoder.decode(piece, { stream: true }));
  const { code } = await child.finished;
  if (code === 0 || tools.signal.aborted) return EXIT.done;
  throw new Failure("internal", `Cannot run "${commandLine(command)}": ${child.stderr().trim()}`);
}
