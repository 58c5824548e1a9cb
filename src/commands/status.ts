/** `status`: the state of the daemon and its destinations; without a daemon, what the ledger contains. */
import { bold } from "@std/fmt/colors";
import { object } from "@optique/core/constructs";
import { VERSION } from "../domain/version.ts";
import { orphans } from "../ledger/orphans.ts";
import type { LiveReport } from "../reports/daemon_control.ts";
import { isWell, type Overview, overviewOf } from "../reports/overview/overview.ts";
import type { StatusReport } from "../reports/overview/status_json.ts";
import { atRest, restingReport } from "../reports/overview/status_report.ts";
import { defineCommand, EXIT, say, type Tools } from "./command.ts";
import { allMeant } from "./service/installed_service.ts";
import { configOption, flag, jsonOption } from "./options.ts";
import { sayNoDaemon, seekDaemon } from "./seek_daemon.ts";
import { statusText } from "./text/status_text.ts";

/** Exit code 4 without a daemon, also where the ledger could be read; with `--check` 1 where one runs and not all is well, its configuration included. */
export const status = defineCommand({
  name: "status",
  help: "Show the state of the daemon and its destinations",
  parser: object({
    config: configOption,
    json: jsonOption,
    check: flag("--check", "For monitoring: exit code 0 if all is well, 1 if not, 4 if no daemon is running"),
    watch: flag("--watch", "Show it again every two seconds, until Ctrl+C"),
  }),
  async run(input, tools) {
    if (!input.watch) return await show(input, tools);
    // Until Ctrl+C, or until nobody reads it any more; on a terminal in the same place. With --json, one object a line.
    const { system, signal } = tools;
    const isScreen = system.isTerminal("stdout") && !input.json;
    while (!signal.aborted) {
      let text = "";
      const stdout = (more: string) => {
        text += more;
        return true;
      };
      await show(input, { ...tools, stdout, stderr: (more) => void (text += input.json ? "" : more) });
      const place = isScreen ? HOME_AND_CLEAR : "";
      const shown = input.json ? JSON.stringify(JSON.parse(text)) : `${place}${text}`;
      if (!tools.stdout(isScreen ? shown : `${shown}\n`)) break;
      await system.sleep(WATCH_MS, signal);
    }
    return EXIT.done;
  },
});

interface StatusInput {
  readonly config: string | undefined;
  readonly json: boolean;
  readonly check: boolean;
}

/** ECMA-48: the cursor goes home, and the screen below it is erased. */
const HOME_AND_CLEAR = "\x1b[H\x1b[J";
const WATCH_MS = 2_000;

/** Of all services where root asks without a configuration; then the exit code is that of the worst. */
async function show(input: StatusInput, tools: Tools): Promise<number> {
  if (input.json) return await showOne(input, tools);
  const all = await allMeant(input.config, tools);
  const codes: number[] = [];
  for (const { config, service } of all) {
    if (all.length > 1) {
      const title = service === null ? "Configuration" : `Service ${service.name}, configuration`;
      say(`${codes.length === 0 ? "" : "\n"}${bold(`${title} ${config ?? ""}`.trimEnd())}\n`, tools);
    }
    codes.push(await showOne({ ...input, config }, tools));
  }
  return Math.max(...codes);
}

async function showOne({ config, json, check }: StatusInput, tools: Tools): Promise<number> {
  const { settings, daemon, fault } = await seekDaemon(config, tools);
  const { system, stdout } = tools;
  const now = system.now();
  const print = (report: StatusReport, live: LiveReport | null, overview: Overview) => {
    if (json) stdout(`${JSON.stringify(report, null, 2)}\n`);
    else say(statusText(report, { now, columns: system.columns() ?? 80, live, overview }), tools);
  };
  if (daemon !== null) {
    const [report, live] = [await daemon.ask("status"), await daemon.ask("live")];
    // A daemon of an older version, before it is restarted, does not report all of these.
    const besides = { orphans: live.orphans ?? [], tonight: live.tonight ?? { destinations: [] } };
    print(report, live, overviewOf(report, besides));
    return check && !isWell(overviewOf(report, { ...besides, fault })) ? EXIT.notDelivered : EXIT.done;
  }
  using ledger = tools.readLedger(settings.stateDirectory);
  const report = restingReport(VERSION, settings, ledger, now);
  // If the configuration has an error, it is unknown what is no longer configured.
  const left = fault === null ? orphans(ledger, settings.jobs) : [];
  const resting = left.map((orphan) => ({ ...orphan, counts: atRest(orphan.counts) }));
  print(report, null, overviewOf(report, { orphans: resting, tonight: { destinations: [] } }));
  return sayNoDaemon(tools, settings);
}
