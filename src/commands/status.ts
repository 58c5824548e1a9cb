/**
 * `status`: how the daemon and its destinations are; where none runs, what the ledger knows.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { VERSION } from "../domain/version.ts";
import { openLedger } from "../ledger/open_ledger.ts";
import { restingReport } from "../web/status_report.ts";
import { defineCommand, EXIT } from "./command.ts";
import { configOption, jsonOption } from "./options.ts";
import { sayNoDaemon, seekDaemon } from "./seek_daemon.ts";
import { statusText } from "./status_text.ts";

/** Exit code 4 without a daemon, also where the ledger could be read. */
export const status = defineCommand({
  name: "status",
  help: "Show how the daemon and its destinations are",
  parser: object({ config: configOption, json: jsonOption }),
  async run({ config, json }, tools) {
    const { settings, daemon } = await seekDaemon(config, tools);
    if (daemon !== null) {
      const report = await daemon.status();
      tools.stdout(json ? asJson(report) : statusText(report, await daemon.live(), tools.system.now()));
      return EXIT.done;
    }
    using ledger = openLedger(settings.stateDirectory, { readOnly: true });
    const report = restingReport(VERSION, settings.jobs, ledger.counts(), (name) => ledger.pausedBy(name));
    tools.stdout(json ? asJson(report) : statusText(report, null, tools.system.now()));
    return sayNoDaemon(tools, settings);
  },
});

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
