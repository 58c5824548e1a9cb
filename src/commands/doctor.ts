/**
 * `doctor`: checks everything that a night needs, and names each fault with its fix.
 *
 * @module
 */
import { counted } from "../domain/names/counted.ts";
import { bold } from "@std/fmt/colors";
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import { option } from "@optique/core/primitives";
import { string } from "@optique/core/valueparser";
import { loadSettings } from "../config/read/load.ts";
import { installedServices } from "../config/read/service_mark.ts";
import { Failure } from "../domain/failure.ts";
import { printable } from "../domain/names/printable.ts";
import { type Destination, isOverSsh, type Settings } from "../config/settings.ts";
import { askingLine } from "./text/asking_line.ts";
import { checkDestination } from "./checks/check_destination.ts";
import { checkHere } from "./checks/check_here.ts";
import { defineCommand, EXIT, plain, say, type Tools } from "./command.ts";
import { enroll } from "./doctor/enroll.ts";
import { fault, type Finding, findingText, HERE, warning } from "./checks/finding.ts";
import { withoutKey } from "./doctor/key_missing.ts";
import { asServiceAccount } from "./service/meant.ts";
import { configOption, jsonOption } from "./options.ts";

/** Exit code 1 for faults, 0 for warnings. A destination is sent a small file, which is removed again. */
export const doctor = defineCommand({
  name: "doctor",
  help: "Check everything and show how to fix each problem",
  description:
    "Checks folders, ledger, limits, schedules and hooks on this computer, then connects to every destination and delivers a small test file. " +
    "With sudo, all as the account that runs the service, or would run it. " +
    "Exit code 1 if there are errors.",
  parser: object({
    config: configOption,
    enroll: option("--enroll", {
      description: plain("Show the key of an unknown host and accept it if you confirm"),
    }),
    accept: optional(option("--accept", string({ metavar: "SHA256:…" }), {
      description: plain("With --enroll, for scripts: accept only the key with this fingerprint"),
    })),
    json: jsonOption,
  }),
  async run(input, tools) {
    const code = await asServiceAccount(input.config, tools);
    if (code !== null) return code;
    const settings = await settingsOf(input, tools);
    if (settings === null) return EXIT.usage;
    const findings: Finding[] = [];
    const found = (some: readonly Finding[]) => {
      if (!input.json) show(some, findings.at(-1)?.about ?? null, tools);
      findings.push(...some);
    };
    found([...await checkHere(settings, tools), ...await checkAccount(settings, tools)]);
    for (const destination of settings.jobs.flatMap(({ destinations }) => destinations)) {
      found(await attend(destination, settings, input, tools));
    }
    const faults = findings.filter(({ level }) => level === "fault").length;
    const warnings = findings.filter(({ level }) => level === "warning").length;
    if (input.json) tools.stdout(`${JSON.stringify(findings, null, 2)}\n`);
    else {say(
        faults + warnings === 0 ? "\nAll is well.\n" : `\n${counted(faults, "error")}, ${counted(warnings, "warning")}.\n`,
        tools,
      );}
    return faults === 0 ? EXIT.done : EXIT.notDelivered;
  },
});

/** Null for a configuration that cannot be used, which is then the only finding for programs; people get the error itself. */
async function settingsOf({ config, json }: { readonly config: string | undefined; readonly json: boolean }, tools: Tools) {
  try {
    return await loadSettings(config, tools.cwd, tools.system);
  } catch (error) {
    if (!json || !(error instanceof Failure)) throw error;
    tools.stdout(`${JSON.stringify([fault("configuration", error)], null, 2)}\n`);
    return null;
  }
}

/** A warning where the service runs as another account: this one's keys and permissions say nothing of it. */
async function checkAccount({ file }: Settings, { system }: Tools): Promise<Finding[]> {
  const service = (await installedServices(system)).find(({ mark }) => mark.config === file);
  if (service === undefined || service.mark.home === system.home || system.uid === 0) return [];
  const what = `The service ${service.name} runs as ${printable(service.mark.account)}; what that account may do was not checked`;
  return [warning(HERE, what, "Run it with sudo to check that: sudo image-transfer doctor")];
}

async function attend(
  destination: Destination,
  settings: Settings,
  input: { readonly enroll: boolean; readonly accept: string | undefined },
  tools: Tools,
): Promise<Finding[]> {
  const check = async () => {
    await using _line = askingLine(destination.name, tools);
    return await withoutKey(await checkDestination(destination, settings, tools), destination, tools);
  };
  const first = await check();
  if (!input.enroll || !isOverSsh(destination) || !first.some(({ code }) => code === "host_key_unknown")) return first;
  try {
    const enrolled = await enroll(destination, settings, input.accept ?? null, tools);
    if (enrolled.level !== "ok") return [...first, enrolled];
    return [enrolled, ...await check()];
  } catch (error) {
    tools.signal.throwIfAborted();
    return [...first, fault(`destination ${destination.name} of job ${destination.job}`, error)];
  }
}

function show(findings: readonly Finding[], last: string | null, tools: Tools): void {
  let about = last;
  for (const finding of findings) {
    if (finding.about !== about) say(`${about === null ? "" : "\n"}${bold(finding.about)}\n`, tools);
    about = finding.about;
    say(findingText(finding), tools);
  }
}
