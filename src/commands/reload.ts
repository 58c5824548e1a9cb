/**
 * `reload`: the running daemon reads its configuration again; a bad one changes nothing.
 *
 * @module
 */
import { counted } from "../domain/names/counted.ts";
import { object } from "@optique/core/constructs";
import { format as formatBytes } from "@std/fmt/bytes";
import type { Running } from "../events/progress.ts";
import type { DaemonClient } from "../daemon/control/control_client.ts";
import { askingLine } from "./text/asking_line.ts";
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
    const { ok, message } = await whileSaying(daemon, tools, () => daemon.ask("reload", {}));
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

/** Says what the daemon waits for while it works: transfers of jobs that change get their time to end. */
async function whileSaying<T>(daemon: Pick<DaemonClient, "ask">, tools: Tools, work: () => Promise<T>): Promise<T> {
  const over = new AbortController();
  const saying = sayWaiting(daemon, tools, over.signal);
  try {
    return await work();
  } finally {
    over.abort();
    await saying;
  }
}

async function sayWaiting(daemon: Pick<DaemonClient, "ask">, tools: Tools, over: AbortSignal): Promise<void> {
  await using line = askingLine("Reloading", tools);
  line.heard("the daemon is reading the configuration");
  for (let told = false;;) {
    await tools.system.sleep(LOOK_MS, over);
    if (over.aborted) return;
    // If the daemon does not respond, the reload itself reports it.
    const live = await daemon.ask("live").catch(() => null);
    const text = waitingText(live?.ending ?? []);
    if (text === null || over.aborted) continue;
    line.heard(text);
    if (!told && !tools.system.isTerminal("stderr")) tools.stderr(`Reloading: ${text}\n`);
    told = true;
  }
}

function waitingText(ending: readonly Running[]): string | null {
  const [files, bytes, total] = ending.reduce(
    ([files, bytes, total], one) => [files + one.files, bytes + one.bytes, total + one.total],
    [0, 0, 0],
  );
  if (files === 0) return null;
  return `waiting for ${counted(files, "file")} to finish, ${formatBytes(bytes)} of ${formatBytes(total)}`;
}

const LOOK_MS = 500;
