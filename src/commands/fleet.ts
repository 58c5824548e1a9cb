/**
 * `fleet`: all computers that report to the same PocketBase server, worst first.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { argument, option } from "@optique/core/primitives";
import { choice, string } from "@optique/core/valueparser";
import { loadSettings } from "../config/read/load.ts";
import { MAY_DO } from "../config/schema/schema_program.ts";
import type { PocketbaseSettings } from "../config/settings.ts";
import type { FleetMember } from "../domain/fleet.ts";
import { Failure } from "../domain/failure.ts";
import { counted } from "../domain/names/counted.ts";
import { printable } from "../domain/names/printable.ts";
import { span } from "../domain/span.ts";
import { fleetNow } from "../fleet/fleet_now.ts";
import { identify } from "../fleet/identity.ts";
import { type RemoteAction, sendCommand } from "../fleet/remote_commands.ts";
import { type PocketbaseServer, pocketbaseServer } from "../fleet/pocketbase_server.ts";
import { defineCommand, EXIT, plain, say, type Tools } from "./command.ts";
import { configOption, jsonOption } from "./options.ts";

/** Exit code 1 where the server cannot be reached, and with `--check` where a computer needs a person. */
export const fleet = defineCommand({
  name: "fleet",
  help: "Show all computers that report to the same PocketBase server, worst first",
  parser: object({
    config: configOption,
    json: jsonOption,
    action: optional(argument(choice(["show", ...MAY_DO], { metavar: "ACTION" }), {
      description: plain("show (default), or a command for another computer: pause, resume, retry or scan"),
    })),
    computer: optional(argument(string({ metavar: "COMPUTER" }), { description: plain("The computer that the command is for") })),
    name: optional(argument(string({ metavar: "NAME" }), {
      description: plain("For pause and resume, the destination; for scan, the job (default: all)"),
    })),
    check: option("--check", { description: plain("For monitoring: exit code 1 if a computer is offline or needs attention") }),
  }),
  async run({ config, json, check, action = "show", computer, name = "" }, tools) {
    const { pocketbase } = await loadSettings(config, tools.cwd, tools.system);
    if (pocketbase === null) {
      throw new Failure("configuration", "No PocketBase server is configured", {
        hint: "Add: pocketbase: { url: https://pocketbase.example, admin_email: …, admin_password_file: … }",
      });
    }
    const server = pocketbaseServer({ ...pocketbase, retryAttempts: 0 }, tools.system);
    if (action !== "show") {
      if (computer === undefined) {
        tools.stderr(`Specify the computer: image-transfer fleet ${action} COMPUTER\n`);
        return EXIT.usage;
      }
      return await sendTo({ action, to: computer, argument: name }, pocketbase, server, json, tools);
    }
    const members = await fleetNow(server, tools.signal);
    if (json) tools.stdout(`${JSON.stringify(members, null, 2)}\n`);
    else say(fleetText(members), tools);
    return check && members.some(({ level }) => NEEDS_A_PERSON.has(level)) ? EXIT.notDelivered : EXIT.done;
  },
});

/** Exit code 1 unless the command was carried out. */
async function sendTo(
  wanted: { readonly action: RemoteAction; readonly to: string; readonly argument: string },
  settings: PocketbaseSettings,
  server: PocketbaseServer,
  json: boolean,
  { system, signal, stdout, stderr }: Tools,
): Promise<number> {
  const from = await identify(server, settings, system.hostname, signal);
  const { state, answer } = await sendCommand(wanted, from, server, (ms) => system.sleep(ms, signal), signal);
  const told = printable(answer);
  if (json) stdout(`${JSON.stringify({ state, answer })}\n`);
  else if (state === "done") stderr(`Done by ${printable(wanted.to)}${told === "" ? "" : `: ${told}`}.\n`);
  else if (state === "waiting") {
    stderr(`${printable(wanted.to)} has not answered yet. It carries out the command if it connects within an hour.\n`);
  } else stderr(`${printable(wanted.to)} did not carry it out: ${told}.\n`);
  return state === "done" ? EXIT.done : EXIT.notDelivered;
}

const NEEDS_A_PERSON: ReadonlySet<FleetMember["level"]> = new Set(["offline", "bad", "warning", "unknown"]);
const WORDS = {
  offline: "OFFLINE",
  bad: "TROUBLE",
  warning: "WAITING",
  unknown: "UNKNOWN",
  busy: "busy",
  good: "well",
} as const satisfies Record<FleetMember["level"], string>;

function fleetText(members: readonly FleetMember[]): string {
  if (members.length === 0) return "No computer has an account yet: image-transfer pocketbase setup --add NAME\n";
  const widest = Math.max(...members.map(({ name }) => printable(name).length));
  const lines = members.flatMap((member) => {
    const { name, level, headline, seconds_ago, config_error, report } = member;
    const seen = level === "offline" && seconds_ago !== null ? `last heard from ${span(seconds_ago * 1000)} ago: ` : "";
    const waiting = report === null || !(report.waiting > 0) ? "" : `; ${counted(report.waiting, "file")} waiting`;
    return [
      `${printable(name).padEnd(widest)}  ${WORDS[level]}  ${seen}${printable(headline)}${waiting}`,
      ...(config_error === null
        ? []
        : [`${" ".repeat(widest)}  its jobs on the server are not used: ${printable(config_error)}`]),
    ];
  });
  const well = members.filter(({ level }) => !NEEDS_A_PERSON.has(level)).length;
  return [`All is well on ${well} of ${counted(members.length, "computer")}.`, "", ...lines].map((line) => `${line}\n`).join("");
}
