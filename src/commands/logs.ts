/** `logs`: the end of the daemon's log file, and what is added to it, whether it runs as a service or in a terminal. */
import { object } from "@optique/core/constructs";
import { integer } from "@optique/core/valueparser";
import { logFileOf } from "../events/log.ts";
import { faultOf } from "../system/fault.ts";
import type { System } from "../system/system.ts";
import { defineCommand, EXIT, type Tools } from "./command.ts";
import { configOption, flag, usually } from "./options.ts";
import { seekDaemon, settingsMeant } from "./seek_daemon.ts";

/** Exit code 0 also where nothing was logged yet. */
export const logs = defineCommand({
  name: "logs",
  help: "Show the log, and follow it with -f",
  parser: object({
    config: configOption,
    follow: flag(["-f", "--follow"], "Keep printing what is added, until Ctrl+C"),
    lines: usually(["-n", "--lines"], integer({ metavar: "N", min: 0, max: 100_000 }), "How many lines (default: 50)", 50),
  }),
  async run({ config, follow, lines }, tools) {
    const { settings, fault } = await settingsMeant(config, tools);
    // Where a daemon that still runs writes to is known to it alone.
    const { log } = fault === null ? settings : (await seekDaemon(config, tools)).settings;
    const path = logFileOf(log);
    const { text, readTo } = await lastLines(path, lines, tools.system);
    if (text === "" && lines > 0) tools.stderr(`Nothing is logged in ${path} yet.\n`);
    const isRead = tools.stdout(text);
    if (follow && isRead) await followFile(path, readTo, tools);
    return EXIT.done;
  },
});

/** Read from the end of the file: enough for the lines that are asked for. */
const MOST_BYTES_A_LINE = 400;
const LOOK_EVERY_MS = 500;

/** How far a file was read: what comes after that is not printed yet. */
interface ReadTo {
  readonly at: number;
  /** Null where there was no file. */
  readonly identity: string | null;
}

/** The last lines of a file (none if it does not exist), and the position from which {@linkcode followFile} continues. */
export async function lastLines(
  path: string,
  lines: number,
  system: Pick<System, "followedFacts" | "read">,
): Promise<{ readonly text: string; readonly readTo: ReadTo }> {
  const facts = await system.followedFacts(path);
  if (facts === null) return { text: "", readTo: { at: 0, identity: null } };
  const length = Math.min(facts.size, lines * MOST_BYTES_A_LINE);
  const bytes = await system.read(path, facts.size - length, length);
  const all = new TextDecoder().decode(bytes).split("\n");
  // The first one is most likely only the end of a line.
  const whole = length < facts.size ? all.slice(1) : all;
  const readTo = { at: facts.size - length + bytes.length, identity: facts.identity };
  return { text: whole.slice(-lines - 1).join("\n"), readTo };
}

/**
 * Prints what is appended after `readTo`, until asked to stop or nobody reads it any more; after a rotation it starts at the beginning
 * of the new file.
 */
export async function followFile(path: string, readTo: ReadTo, tools: Tools): Promise<void> {
  const { system, signal, stdout } = tools;
  const decoder = new TextDecoder();
  let { at, identity } = readTo;
  while (!signal.aborted) {
    await system.sleep(LOOK_EVERY_MS, signal);
    const now = await system.followedFacts(path).catch((error) => {
      if (faultOf(error) === "other") throw error;
      return null;
    });
    if (now === null) continue;
    // After a rotation the new file may be longer than the former one was.
    if (now.size < at || now.identity !== identity) at = 0;
    identity = now.identity;
    if (now.size === at) continue;
    const bytes = await system.read(path, at, now.size - at);
    at += bytes.length;
    if (!stdout(decoder.decode(bytes, { stream: true }))) return;
  }
}
