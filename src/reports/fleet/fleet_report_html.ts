/** The morning report over the fleet as one HTML file. */
import { format as formatBytes } from "@std/fmt/bytes";
import { htmlPage, table } from "../morning/html_page.ts";
import { dated } from "../morning/report_text.ts";
import type { FleetImages, FleetReport } from "./fleet_report.ts";
import { fleetVerdict, minute, notesOf, sumLine, WORDS } from "./fleet_report_text.ts";

/** A whole document; all text from outside is escaped. */
export function fleetReportHtml(report: FleetReport): string {
  const { computers, made_at } = report;
  const now = Date.parse(made_at);
  const rows = computers.map((one) => {
    const { name, verdict, images, offline_since, night } = one;
    const number = (of: keyof FleetImages) => images === null ? "" : images[of];
    return [
      name,
      WORDS[verdict],
      ...(["seen", "delivered", "on_the_way", "held", "missing"] as const).map(number),
      images === null ? "" : formatBytes(images.bytes),
      offline_since === null ? "" : `${minute(offline_since)} UTC`,
      night === null ? "" : dated(night),
      notesOf(one, now).join("; "),
    ];
  });
  const head = [
    "Computer",
    "State",
    "Seen",
    "Delivered",
    "On the way",
    "Held",
    "Missing",
    "Size",
    "Offline since",
    "Night",
    "Why",
  ];
  return htmlPage({
    title: fleetVerdict(report),
    isWell: report.all_well,
    summary: `${sumLine(report)}.`,
    tables: table("Computers", head, rows),
    madeAt: made_at,
  });
}
