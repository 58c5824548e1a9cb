/**
 * `status`: how the daemon and its destinations are; where none runs, what the ledger knows.
 *
 * @module
 */
import { object } from "@optique/core/constructs";
import { VERSION } from "../domain/version.ts";
import { openLedger } from "../ledger/open_ledger.ts";
import { strays } from "../ledger/strays.ts";
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
    const room = { now: tools.system.now(), columns: tools.system.columns() ?? 80 };
    const print = (text: string) => {
      tools.stdout(text);
      return EXIT.done;
    };
    if (daemon !== null) {
      const report = await daemon.status();
      if (json) return print(asJson(report));
      const live = await daemon.live();
      // A daemon of an older version, before it is restarted, tells of none.
      return print(statusText(report, { ...room, live, strays: live.strays ?? [] }));
    }
    using ledger = openLedger(settings.stateDirectory, { readOnly: true });
    const report = restingReport(VERSION, settings.jobs, ledger.counts(), (name) => ledger.pausedBy(name));
    print(json ? asJson(report) : statusText(report, { ...room, live: null, strays: strays(ledger, settings.jobs) }));
    return sayNoDaemon(tools, settings);
  },
});

function asJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
