/** `report`: how a night went, for the morning after. */
import { object } from "@optique/core/constructs";
import { failureRecord } from "../domain/failure.ts";
import type { Destination, Settings } from "../config/settings.ts";
import { verifyAgain } from "../delivery/audit/verify_again.ts";
import { loadSettings } from "../config/read/load.ts";
import { fleetNow } from "../fleet/heartbeat.ts";
import { pocketbaseServer } from "../fleet/pocketbase_server.ts";
import { fleetReport } from "../reports/fleet/fleet_report.ts";
import { fleetReportHtml, fleetReportText } from "../reports/fleet/fleet_report_text.ts";
import { notPickedUp, reasonsFrom } from "../reports/morning/not_picked_up.ts";
import { type Delivered, type Look, morningReport } from "../reports/morning/morning_report.ts";
import { nightToReport } from "../reports/night/night_summary.ts";
import { absence } from "../reports/morning/report_schedule.ts";
import { reportHtml, reportText } from "../reports/morning/report_text.ts";
import { askingLine } from "./text/waiting_for.ts";
import { askDestination } from "./checks/ask_destination.ts";
import { defineCommand, EXIT, notices, refused, say, type Tools } from "./command.ts";
import { pocketbaseOf, seekDaemon } from "./seek_daemon.ts";
import { nightOf } from "./text/night.ts";
import { configOption, flag, given, jsonOption, nameValue } from "./options.ts";
import { asServiceAccount } from "./service/installed_service.ts";

/** The report goes to standard output as text, JSON (`MorningReport`) or HTML; the ledger is only read. */
export const report = defineCommand({
  name: "report",
  help: "Report on a night: files seen, delivered, verified, still there",
  description:
    "Checks that every delivered file is at its destination with the right size or, with --deep, the same content. Exit code 1 " +
    "if anything is missing, undelivered or unverified, a destination is unavailable, or frame numbers have gaps; with --fleet, " +
    "if a computer is offline, or its images are not all delivered.",
  parser: object({
    config: configOption,
    night: given(
      "--night",
      nameValue("NIGHT", "NIGHT"),
      "Observing night: YYYYMMDD, or last (default: the night that ended most recently)",
    ),
    deep: flag("--deep", "Hash every file at its destinations again"),
    fleet: flag("--fleet", "Report on all computers of the PocketBase server, worst first, as they last reported"),
    json: jsonOption,
    html: flag("--html", "Print one HTML file"),
  }),
  async run({ config, night, deep, fleet, json, html }, tools) {
    if (json && html) return refused("Use --json or --html, not both.", tools);
    if (fleet && (deep || night !== undefined)) {
      return refused("Use --fleet without --night and --deep: the other computers tell only of their latest night.", tools);
    }
    const code = await asServiceAccount(config, tools);
    if (code !== null) return code;
    const now = tools.system.now();
    if (fleet) {
      // From the server: it also works where no daemon runs.
      const pocketbase = pocketbaseOf(await loadSettings(config, tools.cwd, tools.system));
      const server = pocketbaseServer({ ...pocketbase, retryAttempts: 0 }, tools.system);
      const made = fleetReport({ members: await fleetNow(server, tools.signal), at: now }, now);
      if (json || html) tools.stdout(json ? `${JSON.stringify(made, null, 2)}\n` : fleetReportHtml(made));
      else say(fleetReportText(made), tools);
      return made.all_well ? EXIT.done : EXIT.notDelivered;
    }
    const { settings, daemon, fault } = await seekDaemon(config, tools);
    using ledger = tools.readLedger(settings.stateDirectory, notices(tools));
    const listed = html ? { mostListed: MOST_IN_HTML } : {};
    // What could be read of an invalid file may lack a destination or a pattern: never conclude from it that all is well.
    const isWhole = fault === null || daemon !== null;
    const jobs = isWhole ? settings.jobs : [];
    const status = await daemon?.ask("status") ?? null;
    const reasons = reasonsFrom(status);
    const made = await morningReport(nightOf(night, ledger) ?? nightToReport(ledger, jobs, now), {
      ledger,
      replacedLater: ledger.replaced,
      system: tools.system,
      jobs,
      ...(isWhole ? {} : { notAmongJobs: UNUSABLE }),
      now,
      ...listed,
      // A daemon of an older version, before it is restarted, has none.
      ...status?.headline === undefined ? {} : { headline: status.headline },
      notPickedUp: async (night, saw) => {
        if (!isWhole) return { count: 0, bytes: 0, files: [], problems: [`Cannot list the watched folders: ${UNUSABLE}`] };
        const from = { ledger, system: tools.system, jobs, why: reasons.ofFile, saw, ...listed };
        return await notPickedUp(night, from, tools.signal);
      },
      whyWaiting: reasons.ofWaiting,
      look: (destination, delivered) => lookAt(destination, delivered, deep, settings, tools),
    });
    const latest = ledger.nights().at(-1);
    if (made.seen.files === 0 && latest !== undefined) tools.stderr(`The last night with images: report --night ${latest}\n`);
    if (json || html) tools.stdout(json ? `${JSON.stringify(made, null, 2)}\n` : reportHtml(made));
    else say(reportText(made), tools);
    return made.all_well ? EXIT.done : EXIT.notDelivered;
  },
});

/** Of each list of the HTML report, which is there to look everything up; the others show the first hundred. */
const MOST_IN_HTML = 20_000;

const UNUSABLE = "the configuration cannot be used";

/** Files asked for in one question to a destination. */
const AT_ONCE = 200;

async function lookAt(
  destination: Destination,
  delivered: Delivered,
  deep: boolean,
  settings: Settings,
  tools: Tools,
): Promise<Look> {
  await using line = askingLine(destination.name, tools);
  try {
    return await askDestination(destination, settings, tools, async ({ session }) => {
      await session.attach(false, tools.signal);
      let done = 0;
      line.heard("connected");
      for await (const rows of delivered.pieces(AT_ONCE)) {
        const targets = rows.map(({ delivery }) => delivery.target);
        if (deep) {
          const digests = await session.digest(targets, tools.signal);
          const proofs = rows.map((row, index) => verifyAgain(row, digests[index] ?? null));
          delivered.found(rows, proofs.map(({ verdict, reason }) => verdict === "unproven" ? null : reason));
        } else {
          const there = await session.survey(targets, tools.signal);
          delivered.found(rows, rows.map(({ delivery }, index) => absence(delivery.source.size, there[index] ?? null)));
        }
        done += rows.length;
        line.heard(`${done} checked`);
      }
      return { looked: true, hashed: deep };
    });
  } catch (error) {
    tools.signal.throwIfAborted();
    return { looked: false, problem: failureRecord(error).message };
  }
}
