/** `reload`: the running daemon reads its configuration again; a bad one changes nothing. */
import { counted } from "../domain/words.ts";
import { object } from "@optique/core/constructs";
import { format as formatBytes } from "@std/fmt/bytes";
import type { DaemonClient } from "../daemon/control/control_client.ts";
import { askingLine } from "./text/waiting_for.ts";
import { defineCommand, EXIT, type Tools } from "./command.ts";
import { failureText } from "./text/failure_text.ts";
import { configOption, jsonOption } from "./options.ts";
import { sayNoDaemon, seekQuietly } from "./seek_daemon.ts";

/** Exit code 2 where the configuration has a fault, 4 without a daemon. */
export const reload = defineCommand({
  name: "reload",
  help: "Make the running daemon reload its configuration",
  parser: object({ config: configOption, json: jsonOption }),
  async run({ config, json }, tools) {
    // An error in the configuration is reported once, by the daemon that cannot use it.
    const { settings, daemon, fault } = await seekQuietly(config, tools);
    if (daemon === null) {
      if (fault !== null) tools.stderr(failureText(fault).text);
      return sayNoDaemon(tools, settings);
    }
    const over = new AbortController();
    const saying = sayWaiting(daemon, tools, over.signal);
    const { ok, message } = await daemon.ask("reload", {}).finally(async () => {
      over.abort();
      await saying;
    });
    if (json) {
      tools.stdout(`${JSON.stringify({ reloaded: ok, message })}\n`);
      return ok ? EXIT.done : EXIT.usage;
    }
    // Not made printable: messages about a configuration have several lines and are safe already.
    tools.stderr(`${message}\n`);
    if (!ok) tools.stderr("The daemon is keeping its current configuration.\n");
    return ok ? EXIT.done : EXIT.usage;
  },
});

const LOOK_MS = 500;

/** Says what the daemon waits for until the signal is aborted: transfers of jobs that change get their time to end. */
async function sayWaiting(daemon: Pick<DaemonClient, "ask">, tools: Tools, over: AbortSignal): Promise<void> {
  await using line = askingLine("Reloading", tools);
  line.heard("the daemon is reading the configuration");
  for (let told = false;;) {
    await tools.system.sleep(LOOK_MS, over);
    if (over.aborted) return;
    // If the daemon does not respond, the reload itself reports it.
    const live = await daemon.ask("live").catch(() => null);
    let [files, bytes, total] = [0, 0, 0];
    for (const one of live?.ending ?? []) [files, bytes, total] = [files + one.files, bytes + one.bytes, total + one.total];
    if (files === 0 || over.aborted) continue;
    const text = `waiting for ${counted(files, "file")} to finish, ${formatBytes(bytes)} of ${formatBytes(total)}`;
    line.heard(text);
    if (!told && !tools.system.isTerminal("stderr")) tools.stderr(`Reloading: ${text}\n`);
    told = true;
  }
}
