/** The morning report over the fleet for people: as text, for a terminal or a mail, and as one HTML file. */
import { format as formatBytes } from "@std/fmt/bytes";
import { counted, span } from "../../domain/words.ts";
import { printable } from "../../domain/names/printable.ts";
import { dated } from "../morning/report_text.ts";
import type { FleetImages, FleetNight, FleetReport } from "./fleet_report.ts";
import { htmlPage, table } from "../morning/html_page.ts";

/** The whole report in a sentence. */
export function fleetVerdict({ all_well, computers, images, nights }: FleetReport): string {
  const which = nights.length === 0
    ? "Fleet"
    : `Fleet, ${nights.length === 1 ? "night" : "nights"} ${nights.map(dated).join(" and ")}`;
  if (computers.length === 0) return `${which}: nothing is known of any computer`;
  if (all_well) {
    const all = counted(computers.length, "computer");
    const number = images.on_the_way === 0 ? "all" : `${images.delivered} of`;
    const moving = images.on_the_way === 0 ? "" : `, ${images.on_the_way} on the way`;
    return `${which}: all well, ${
      images.seen === 0 ? `no images on ${all}` : `${number} ${counted(images.seen, "image")} of ${all} are delivered${moving}`
    }`;
  }
  const number = (verdict: FleetNight["verdict"]) => computers.filter((one) => one.verdict === verdict).length;
  const [unknown, attention] = [number("unknown"), number("attention")];
  const faults = [
    unknown > 0 ? `${unknown} of ${counted(computers.length, "computer")} unknown` : "",
    images.missing > 0 ? `${counted(images.missing, "image")} missing` : "",
    images.held > 0 ? `${counted(images.held, "image")} held` : "",
    attention > 0 ? `${counted(attention, "computer")} ${attention === 1 ? "needs" : "need"} attention` : "",
  ];
  return `${which}: NOT all well: ${faults.filter((fault) => fault !== "").join(", ")}`;
}

/** Ends with a line end. */
export function fleetReportText(report: FleetReport): string {
  const { computers, made_at } = report;
  const now = Date.parse(made_at);
  const widest = Math.max(0, ...computers.map(({ name }) => printable(name).length));
  const lines = [
    fleetVerdict(report),
    "",
    sumLine(report),
    ...computers.map((one) =>
      `  ${printable(one.name).padEnd(widest)}  ${[WORDS[one.verdict], ...partsOf(one, report, now)].join(", ")}`
    ),
  ];
  return `${lines.join("\n")}\n`;
}

/** A verdict for people. */
const WORDS: Readonly<Record<FleetNight["verdict"], string>> = {
  unknown: "UNKNOWN",
  missing: "MISSING",
  held: "HELD",
  attention: "ATTENTION",
  well: "well",
};

/** All images that are known of. */
function sumLine({ images, computers }: FleetReport): string {
  const unknown = computers.filter(({ verdict }) => verdict === "unknown").length;
  const without = unknown === 0 ? "" : `, without ${unknown === 1 ? "the unknown computer" : `the ${unknown} unknown computers`}`;
  return `${imagesText(images)}, ${formatBytes(images.bytes)}${without}`;
}

function imagesText({ seen, delivered, on_the_way, held, missing }: FleetImages): string {
  return [
    `${counted(seen, "image")} seen`,
    `${delivered} delivered`,
    ...(on_the_way > 0 ? [`${on_the_way} on the way`] : []),
    ...(held > 0 ? [`${held} held`] : []),
    ...(missing > 0 ? [`${missing} missing`] : []),
  ].join(", ");
}

function partsOf(one: FleetNight, { nights }: FleetReport, now: number): string[] {
  const { verdict, images, offline_since, night } = one;
  const told = images === null ? [] : [imagesText(images), ...(images.bytes > 0 ? [formatBytes(images.bytes)] : [])];
  const which = night !== null && (nights.length !== 1 || nights[0] !== night) ? [`night ${dated(night)}`] : [];
  if (verdict !== "unknown") return [...told, ...which, ...notesOf(one, now)];
  const since = offline_since === null
    ? one.reason
    : `offline since ${minute(offline_since)} UTC (${span(now - Date.parse(offline_since))})`;
  return [printable(since), ...(told.length === 0 ? [] : [`by its last report ${told.join(", ")}`, ...which])];
}

/** Why it is not well, and what else a person should know. */
function notesOf(
  { reason, verdict, images, oldest_waiting, clock_ahead_seconds: ahead }: FleetNight,
  now: number,
): string[] {
  const waits = verdict !== "unknown" && images !== null && images.held > 0 && oldest_waiting !== null;
  return [
    ...(waits ? [`the oldest has been waiting for ${span(now - Date.parse(oldest_waiting))}`] : []),
    ...(ahead !== null && Math.abs(ahead) >= NOTED_SECONDS
      ? [`its clock is ${span(Math.abs(ahead) * 1000)} ${ahead > 0 ? "ahead" : "behind"}`]
      : []),
    ...(reason === "" ? [] : [printable(reason)]),
  ];
}

/** Smaller differences may be the network's. */
const NOTED_SECONDS = 5;

/** `2026-01-16 03:12`, from ISO 8601. */
function minute(time: string): string {
  return time.slice(0, 16).replace("T", " ");
}

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
