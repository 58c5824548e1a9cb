/**
 * All checks of `doctor`, for the page of a running daemon.
 *
 * @module
 */
import type { Settings } from "../../config/settings.ts";
import { checkDestination } from "./check_destination.ts";
import { checkHere, type HereTools } from "./check_here.ts";
import type { Finding } from "./finding.ts";

/** This computer first, then one destination after the other; the order of `doctor --json`. */
export async function checkAll(settings: Settings, tools: HereTools): Promise<Finding[]> {
  const findings = await checkHere(settings, tools);
  for (const destination of settings.jobs.flatMap(({ destinations }) => destinations)) {
    findings.push(...await checkDestination(destination, settings, tools));
  }
  return findings;
}
