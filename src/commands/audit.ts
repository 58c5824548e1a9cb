/** `audit`: what the audits of delivered files have found, begins one now, or accepts what was found. */
import { object } from "@optique/core/constructs";
import { optional } from "@optique/core/modifiers";
import type { Settings } from "../config/settings.ts";
import { checkName } from "../daemon/known_name.ts";
import { counted } from "../domain/words.ts";
import { pathField, printable } from "../domain/names/printable.ts";
import type { AuditedRow } from "../ledger/history.ts";
import { auditStatus } from "../reports/overview/status_report.ts";
import type { AuditStatus } from "../reports/overview/status_json.ts";
import { defineCommand, EXIT, notices, refused, say, tell, type Tools } from "./command.ts";
import { configOption, flag, jsonOption, text, word } from "./options.ts";
import { askOrChange, sayNoDaemon, seekDaemon } from "./seek_daemon.ts";
import { auditLine } from "./text/status_text.ts";

const MOST = 1_000;

/** What `audit --json` prints, one for each destination. */
interface AuditJson {
  readonly job: string;
  readonly destination: string;
  /** Null where it is not audited. */
  readonly audit: AuditStatus | null;
  /** What is not as delivered as far as is known; the last one found first, at most 1,000. */
  readonly findings: readonly {
    readonly id: number;
    readonly path: string;
    readonly target: string;
    readonly found: AuditedRow["verdict"];
    readonly reason: string;
    readonly hint: string;
    readonly audited_at: string;
  }[];
}

/** Exit code 1 if anything is damaged, has vanished or cannot be read; what was changed on purpose does not count. */
export const audit = defineCommand({
  name: "audit",
  help: "Show what audits of delivered files have found",
  description:
    "Shows for each audited destination when delivered files were last hashed again there, and lists those that are damaged, have " +
    "vanished, were changed or cannot be read. Exit code 1 if there are any, apart from changed ones. verify hashes everything at once.",
  parser: object({
    config: configOption,
    json: jsonOption,
    now: flag("--now", "Start an audit as soon as nothing is being sent"),
    accept: flag(
      "--accept",
      "Accept what was found: it is no longer reported, and damaged and vanished files are listed as gone",
    ),
    job: optional(word(text("JOB"), "Only this job")),
  }),
  async run({ config, json, now, accept, job }, tools) {
    if (now && accept) return refused("Use --now or --accept, not both.", tools);
    const sought = await seekDaemon(config, tools);
    if (job !== undefined) checkName("job", job, sought.settings.jobs.map(({ name }) => name));
    const { settings, daemon } = sought;
    if (accept) {
      const { count } = await askOrChange("accept-audit", { job }, sought, tools);
      const text = `Accepted: ${counted(count, "lost file")} ${count === 1 ? "is" : "are"} listed as gone from now on.\n`;
      tell(json, { accepted: count }, text, tools);
      return EXIT.done;
    }
    if (!now) return show(job, json, settings, tools);
    if (daemon === null) {
      const code = await sayNoDaemon(tools, settings);
      tools.stderr("Without a daemon, image-transfer verify hashes all delivered files again.\n");
      return code;
    }
    const { destinations } = await daemon.ask("audit", { job });
    if (json) tools.stdout(`${JSON.stringify({ audited: destinations })}\n`);
    if (destinations.length === 0) {
      const hint = 'Set "audit: true" in the configuration; image-transfer verify hashes everything now.';
      return refused(`No destination is audited. ${hint}`, tools);
    }
    if (json) return EXIT.done;
    const isScheduled = settings.jobs.some(({ name, schedule }) => schedule.kind !== "continuous" && (job ?? name) === name);
    const when = isScheduled ? "as soon as the schedule allows and nothing is being sent" : "as soon as nothing is being sent";
    tools.stderr(
      `The audit starts ${when}: ${destinations.map(printable).join(", ")}. To see its results: image-transfer audit\n`,
    );
    return EXIT.done;
  },
});

function show(job: string | undefined, json: boolean, settings: Settings, tools: Tools): number {
  using ledger = tools.readLedger(settings.stateDirectory, notices(tools));
  const now = tools.system.now();
  const destinations = settings.jobs.filter(({ name }) => job === undefined || name === job)
    .flatMap(({ destinations }) => destinations);
  const all = destinations.map(({ job, name, audit }): AuditJson => ({
    job,
    destination: name,
    audit: audit === null ? null : auditStatus(audit, ledger.auditOf(job, name), now),
    findings: ledger.auditFindings(job, name, MOST).map(({ delivery, verdict, reason, auditedAt }) => ({
      id: delivery.id,
      path: delivery.source.absolutePath,
      target: delivery.target,
      found: verdict,
      reason,
      hint: delivery.state.state === "failed" ? delivery.state.failure.hint : "",
      audited_at: new Date(auditedAt).toISOString(),
    })),
  })).filter(({ audit, findings }) => audit !== null || findings.length > 0);
  if (json) tools.stdout(`${JSON.stringify(all, null, 2)}\n`);
  else if (all.length === 0) tools.stderr('No destination is audited: see "audit" in the configuration.\n');
  else {
    say(
      all.map(({ job, destination, audit, findings }) => {
        const state = audit === null ? "not audited" : auditLine(audit);
        const lines = findings.flatMap(({ id, found, path, reason, hint }) => [
          `  ${id}  ${found.padEnd(10)}  ${pathField(path)}: ${printable(reason)}`,
          ...hint === "" ? [] : [`      ${printable(hint)}`],
        ]);
        return [`${printable(destination)} (job ${printable(job)}): ${state}`, ...lines].map((line) => `${line}\n`).join("");
      }).join("\n"),
      tools,
    );
  }
  const isBad = all.some(({ findings }) => findings.some(({ found }) => found !== "changed"));
  return isBad ? EXIT.notDelivered : EXIT.done;
}
