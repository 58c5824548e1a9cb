/**
 * Whether a night came out well: one list of faults behind the report's sentence, its `all_well` and the exit code of `report`.
 */
import { printable } from "../../domain/names/printable.ts";
import type { MorningReport } from "./morning_json.ts";

/** The whole report in a sentence. */
export function verdictOf(report: MorningReport): string {
  const { seen, flagged, destinations } = report;
  const faults = faultsOf(report);
  if (faults.length > 0) return `NOT all well: ${faults.join(", ")}`;
  if (seen.files === 0) return "no images";
  const all = [...new Set(destinations.map(({ name }) => printable(name)))].join(" and ");
  const warned = flagged.count === 0 ? "" : `, ${flagged.count} with a warning`;
  return `all well, ${seen.files === 1 ? "the one image is" : `all ${seen.files} images are`} on ${all}${warned}`;
}

/** In a few words each; none where every image that was seen is delivered, verified and still there. */
export function faultsOf(
  { not_taken, destinations, gaps, audits }: Pick<MorningReport, "not_taken" | "destinations" | "gaps" | "audits">,
): string[] {
  const called = namesIn(destinations);
  const missing = gaps.reduce((sum, { missingCount }) => sum + missingCount, 0);
  return [
    not_taken.count > 0 ? `${not_taken.count} not picked up at the camera` : "",
    not_taken.problems.length > 0 ? "a watched folder cannot be listed" : "",
    ...destinations.map((one) => one.delivered < one.expected ? `${one.expected - one.delivered} not on ${called(one)}` : ""),
    ...destinations.map((one) => one.wrong_count > 0 ? `${one.wrong_count} missing or changed on ${called(one)}` : ""),
    ...destinations.map((one) => one.present === null ? `${called(one)} is unavailable` : ""),
    ...destinations.map((one) =>
      one.proven < one.delivered ? `${one.delivered - one.proven} not verified on ${called(one)}` : ""
    ),
    ...audits.map((one) =>
      one.damaged + one.vanished > 0
        ? `${one.damaged + one.vanished} damaged or vanished on ${called(one)}, found by the audit`
        : ""
    ),
    missing > 0 ? `${missing} frame numbers missing` : "",
  ].filter((fault) => fault !== "");
}

/** What the destinations of a report are called: with their job where two jobs have one of the same name. */
export function namesIn(
  destinations: MorningReport["destinations"],
): (one: { readonly job: string; readonly name: string }) => string {
  return ({ job, name }) => {
    const isShared = destinations.some((other) => other.name === name && other.job !== job);
    return isShared ? `${printable(name)} (${printable(job)})` : printable(name);
  };
}
