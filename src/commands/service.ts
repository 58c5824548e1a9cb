/** `service start|stop|restart|status|logs`: controls the installed service in the same way on every system. */
import { object } from "@optique/core/constructs";
import { withDefault } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { choice, integer } from "@optique/core/valueparser";
import { Failure } from "../domain/failure.ts";
import { SERVICES } from "../services/services.ts";
import {
  askToStop,
  commandLine,
  findInstalled,
  nameOption,
  reportLines,
  reportOf,
  runSteps,
  scopeOption,
  serviceName,
  untilItRuns,
} from "./service/installed_service.ts";
import { defineCommand, EXIT, plain } from "./command.ts";
import { followFile, lastLines } from "./logs.ts";
import { flag, word } from "./options.ts";

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
    lines: withDefault(
      option("-n", "--lines", integer({ min: 1, max: 100_000, metavar: "N" }), {
        description: plain("logs: number of lines (default: 50)"),
      }),
      50,
    ),
    follow: flag(["-f", "--follow"], "logs: follow new lines"),
  }),
  async run(input, tools) {
    const kind = SERVICES[tools.system.platform];
    const name = serviceName(input.name, kind);
    const found = await findInstalled(name, input.scope, kind, tools);
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
        await runSteps(controls[input.what], kind, tools);
        const report = await untilItRuns(mark.state, tools).catch(notAllowed);
        if (report === null) {
          throw new Failure("internal", `Started ${title}, but the daemon is not responding`, {
            hint: "See the log: image-transfer service logs",
          });
        }
        const running = report === undefined ? "was started" : `is running: ${reportLines(report).join("\n  ")}`;
        stdout(`${title} ${running}\n`);
        return EXIT.done;
      }
      case "stop":
        await askToStop(mark, tools);
        await runSteps(controls.stop, kind, tools);
        stdout(`${title} is stopped\n`);
        return EXIT.done;
      case "status": {
        const said = await system.run(controls.status, signal);
        stdout(said.stdout);
        stderr(said.stderr);
        const report = await reportOf(mark.state, tools).catch(notAllowed);
        if (report === undefined) {
          stderr("The daemon responds only to its own account: sudo image-transfer service status\n");
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
