/** `open`: the live page of the running daemon, in the browser. */
import { object } from "@optique/core/constructs";
import { defineCommand, EXIT } from "./command.ts";
import { configOption, flag } from "./options.ts";
import { sayNoDaemon, seekDaemon } from "./seek_daemon.ts";

/** The address goes to standard output. Exit code 1 without a page, 4 without a daemon. */
export const open = defineCommand({
  name: "open",
  help: "Open the live page in the browser",
  description: "Prints the address of the page, including the access token, and opens it if there is a desktop.",
  parser: object({
    config: configOption,
    print: flag("--print", "Only print the address"),
  }),
  async run({ config, print }, tools) {
    const { settings, daemon } = await seekDaemon(config, tools);
    if (daemon === null) return sayNoDaemon(tools, settings);
    const { opening } = await daemon.ask("opening", {});
    if (opening === null) {
      tools.stderr(
        settings.web === null
          ? "The page is turned off. To turn it on, remove web: false from the configuration.\n"
          : "The page is unavailable: its port is in use, or its certificate cannot be read. See the log for the reason.\n",
      );
      return EXIT.notDelivered;
    }
    tools.stdout(`${opening.shown}\n`);
    const { system } = tools;
    const hasDesktop = system.platform !== "linux" || system.env("DISPLAY") || system.env("WAYLAND_DISPLAY");
    if (print || !hasDesktop) return EXIT.done;
    const browser = await system.which({ linux: "xdg-open", darwin: "open", windows: "explorer" }[system.platform]);
    if (browser === null) return EXIT.done;
    const { code } = await system.run({ program: browser, args: [opening.once] }, tools.signal);
    // The Explorer always exits with 1.
    if (code !== 0 && system.platform !== "windows") {
      tools.stderr("Cannot start a browser: open the address yourself.\n");
    }
    return EXIT.done;
  },
});
