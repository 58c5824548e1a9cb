/**
 * `reload`: the running daemon reads its configuration again; a bad one changes nothing.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { defineCommand, EXIT } from "./command.ts";
import { configOption } from "./options.ts";
import { sayNoDaemon, seekDaemon } from "./seek_daemon.ts";

/** Exit code 2 where the configuration has a fault, 4 without a daemon. */
export const reload = defineCommand({
  name: "reload",
  help: "Let the running daemon read its configuration again",
  parser: object({ config: configOption }),
  async run({ config }, tools) {
    // A configuration with a mistake is told from here, line by line; the daemon is left as it is.
    const { settings, daemon } = await seekDaemon(config, tools);
    if (daemon === null) return sayNoDaemon(tools, settings);
    const { ok, message } = await daemon.reload();
    // Not made printable: messages about a configuration have several lines and are safe already.
    tools.stderr(`${message}\n`);
    return ok ? EXIT.done : EXIT.usage;
  },
});
