/**
 * `reload`: the running daemon reads its configuration again; a bad one changes nothing.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { defineCommand, EXIT } from "./command.ts";
import { failureText } from "./failure_text.ts";
import { configOption } from "./options.ts";
import { sayNoDaemon, seekQuietly } from "./seek_daemon.ts";

/** Exit code 2 where the configuration has a fault, 4 without a daemon. */
export const reload = defineCommand({
  name: "reload",
  help: "Let the running daemon read its configuration again",
  parser: object({ config: configOption }),
  async run({ config }, tools) {
    // What is wrong with the configuration is told once, by the daemon that cannot use it.
    const { settings, daemon, fault } = await seekQuietly(config, tools);
    if (daemon === null) {
      if (fault !== null) tools.stderr(failureText(fault).text);
      return sayNoDaemon(tools, settings);
    }
    const { ok, message } = await daemon.reload();
    // Not made printable: messages about a configuration have several lines and are safe already.
    tools.stderr(`${message}\n`);
    if (!ok) tools.stderr("The daemon is keeping its current configuration.\n");
    return ok ? EXIT.done : EXIT.usage;
  },
});
