/**
 * Every command there is. A new command is one file and one line here:
 *
 * ```ts
 * // src/commands/pause.ts
 * import { object } from "@optique/core/constructs";
 * import { optional } from "@optique/core/modifiers";
 * import { argument } from "@optique/core/primitives";
 * import { string } from "@optique/core/valueparser";
 * import { defineCommand, EXIT } from "./command.ts";
 * import { configOption } from "./options.ts";
 *
 * export const pause = defineCommand({
 *   name: "pause",
 *   help: "Stop sending to a destination until it is resumed",
 *   parser: object({ config: configOption, destination: optional(argument(string({ metavar: "DEST" }))) }),
 *   async run({ destination }, tools) {
 *     await askTheDaemon(destination, tools.signal);
 *     return EXIT.done;
 *   },
 * });
 * ```
 *
 * Their order is the order of the help. `run` also answers when no command is named.
 *
 * @module
 */
import type { Command } from "./command.ts";
import { config } from "./config.ts";
import { demo } from "./demo/demo.ts";
import { doctor } from "./doctor.ts";
import { forget } from "./forget.ts";
import { history } from "./history.ts";
import { init } from "./init.ts";
import { installService } from "./install_service.ts";
import { open } from "./open.ts";
import { pause, resume } from "./pause.ts";
import { reload } from "./reload.ts";
import { report } from "./report.ts";
import { restart } from "./restart.ts";
import { retry } from "./retry.ts";
import { run, start } from "./run.ts";
import { service } from "./service.ts";
import { status } from "./status.ts";
import { stop } from "./stop.ts";
import { sync } from "./sync.ts";
import { uninstallService } from "./uninstall_service.ts";
import { verify } from "./verify.ts";

/** The list, in the order of the help. */
export const COMMANDS: readonly Command[] = [
  run,
  start,
  status,
  stop,
  restart,
  reload,
  sync,
  retry,
  forget,
  pause,
  resume,
  history,
  report,
  open,
  verify,
  doctor,
  init,
  config,
  installService,
  uninstallService,
  service,
  demo,
];
