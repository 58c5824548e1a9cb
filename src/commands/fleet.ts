/** `fleet`: all computers that report to the same PocketBase server, worst first, and commands for them. */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { choice } from "@optique/core/valueparser";
import { format as formatBytes } from "@std/fmt/bytes";
import { loadSettings } from "../config/read/load.ts";
import { MAY_DO } from "../config/schema/schema_program.ts";
import type { FleetCommand, FleetMember } from "../domain/fleet.ts";
import { counted, span } from "../domain/words.ts";
import { printable } from "../domain/names/printable.ts";
import { fleetNow } from "../fleet/heartbeat.ts";
import { senderOf } from "../fleet/accounts.ts";
import { pocketbaseServer } from "../fleet/pocketbase_server.ts";
import { listCommands, sendCommand } from "../fleet/remote_commands.ts";
import { pageElsewhere, scrapeTargets } from "../reports/fleet/scrape_targets.ts";
import { defineCommand, EXIT, refused, say, tell } from "./command.ts";
import { configOption, flag, jsonOption, text, word } from "./options.ts";
import { pocketbaseOf } from "./seek_daemon.ts";

const ACTIONS = ["show", "commands", "targets", ...MAY_DO] as const;

/** Exit code 1 where the server cannot be reached, and with `--check` where a computer needs a person. */
export const fleet = defineCommand({
  name: "fleet",
  help: "Show all computers that report to the same PocketBase server, worst first",
  parser: object({
    config: configOption,
    json: jsonOption,
    action: optional(
      word(
        choice(ACTIONS, { metavar: "ACTION" }),
        "show (default); commands: which commands were sent, by whom, and what became of them; targets: for Prometheus, the " +
          "pages of all computers; or a command for another computer: pause, resume, retry or scan",
      ),
    ),
    computer: optional(word(text("COMPUTER"), "The computer that the command is for")),
    name: optional(word(text("NAME"), "For pause and resume, the destination; for scan, the job (default: all)")),
    check: flag("--check", "For monitoring: exit code 1 if a computer is offline or needs attention"),
  }),
  async run({ config, json, check, action = "show", computer, name = "" }, tools) {
    const { system, signal } = tools;
    const pocketbase = pocketbaseOf(await loadSettings(config, tools.cwd, system));
    const server = pocketbaseServer({ ...pocketbase, retryAttempts: 0 }, system);
    switch (action) {
      case "show": {
        const members = await fleetNow(server, signal);
        if (json) tools.stdout(`${JSON.stringify(members, null, 2)}\n`);
        else say(fleetText(members, system.now()), tools);
        return check && members.some(needsAPerson) ? EXIT.notDelivered : EXIT.done;
      }
      case "commands": {
        const commands = await listCommands(server, signal);
        if (json) tools.stdout(`${JSON.stringify(commands, null, 2)}\n`);
        else say(commandsText(commands), tools);
        return EXIT.done;
      }
      case "targets": {
        const members = await fleetNow(server, signal);
        tools.stdout(`${JSON.stringify(scrapeTargets(members), null, 2)}\n`);
        for (const { name } of members.filter((one) => pageElsewhere(one) === null)) {
          const why = "its page listens on that computer only (web.listen), or it has not reported";
          tools.stderr(`${printable(name)} is left out: ${why}\n`);
        }
        return EXIT.done;
      }
      default: {
        if (computer === undefined) return refused(`Specify the computer: image-transfer fleet ${action} COMPUTER`, tools);
        const from = await senderOf(server, pocketbase, system, signal);
        const wanted = { action, to: computer, argument: name };
        const { state, answer } = await sendCommand(wanted, from, server, (ms) => system.sleep(ms, signal), signal);
        const [to, said] = [printable(computer), printable(answer)];
        const outcome = state === "done"
          ? `Done by ${to}${said === "" ? "" : `: ${said}`}.\n`
          : `${to} did not carry it out: ${said}.\n`;
        const unanswered = `${to} has not answered yet. It carries out the command if it connects within an hour.\n`;
        tell(json, { state, answer }, state === "waiting" ? unanswered : outcome, tools);
        return state === "done" ? EXIT.done : EXIT.notDelivered;
      }
    }
  },
});

const WORDS = {
  offline: "OFFLINE",
  bad: "TROUBLE",
  warning: "WAITING",
  unknown: "UNKNOWN",
  busy: "busy",
  good: "well",
} as const satisfies Record<FleetMember["level"], string>;

/** True unless it delivers, or has delivered everything. */
function needsAPerson({ level }: FleetMember): boolean {
  return level !== "good" && level !== "busy";
}

/** The numbers in columns; below those of a computer that is not well, why. `now` is milliseconds since 1970 UTC. */
function fleetText(members: readonly FleetMember[], now: number): string {
  if (members.length === 0) return "No computer has an account yet: image-transfer pocketbase setup --add NAME\n";
  const well = members.filter((one) => !needsAPerson(one)).length;
  const rows = [
    HEAD,
    // What is not known is left empty. Free is the fullest destination.
    ...members.map(({ name, level, version, report }) => {
      const night = report?.night ?? null;
      const free = report?.destinations.flatMap(({ free_bytes }) => free_bytes ?? []) ?? [];
      const ahead = report?.clock_ahead_seconds ?? null;
      const oldest = report?.oldest_waiting ?? null;
      const isWhole = night?.files_delivered === night?.files;
      return [
        printable(name),
        WORDS[level],
        night === null ? "" : `${isWhole ? "" : `${night.files_delivered} of `}${night.files}`,
        report === null ? "" : `${report.waiting}`,
        oldest === null ? "" : span(now - Date.parse(oldest)),
        free.length === 0 ? "" : formatBytes(Math.min(...free)),
        ahead === null ? "" : `${ahead > 0 ? "+" : ""}${Math.round(ahead)} s`,
        printable(version ?? ""),
      ];
    }),
  ];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) => row.map((cell, column) => cell.padEnd(widths[column]!)).join("  ").trimEnd();
  const lines = members.flatMap((one, index) => [line(rows[index + 1]!), ...reasonsOf(one).map((reason) => `    ${reason}`)]);
  return [`All is well on ${well} of ${counted(members.length, "computer")}.`, "", line(HEAD), ...lines]
    .map((text) => `${text}\n`).join("");
}

const HEAD = ["COMPUTER", "STATE", "FILES", "WAITING", "OLDEST", "FREE", "CLOCK", "VERSION"] as const;

function reasonsOf(one: FleetMember): string[] {
  const { level, headline, seconds_ago, config_error } = one;
  const seen = level === "offline" && seconds_ago !== null ? `last heard from ${span(seconds_ago * 1000)} ago: ` : "";
  return [
    ...(needsAPerson(one) ? [`${seen}${printable(headline)}`] : []),
    ...(config_error === null ? [] : [`its jobs on the server are not used: ${printable(config_error)}`]),
  ];
}

/** Who asked for what, when, and what became of it; the newest first. */
function commandsText(commands: readonly FleetCommand[]): string {
  if (commands.length === 0) return "No commands have been sent.\n";
  return commands.map(({ at, from, to, action, argument, state, answer }) => {
    const what = printable(`${action} ${argument}`.trim());
    const result = state === "waiting" ? "no answer yet" : state;
    const said = answer === "" ? "" : ` (${printable(answer)})`;
    return `${at.slice(0, 19)}Z  ${printable(from)} to ${printable(to)}: ${what}: ${result}${said}\n`;
  }).join("");
}
