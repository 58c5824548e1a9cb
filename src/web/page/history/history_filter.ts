/**
 * Which images History shows: the part of the address that the API is asked with.
 *
 * @module
 */
import type { DeliveryAsk } from "../../../reports/api_types.ts";

const NAMES = [
  "search",
  "job",
  "destination",
  "state",
  "night",
  "target",
  "filter",
  "sort",
  "order",
] as const satisfies readonly (keyof DeliveryAsk)[];

/** As a query string, empty parts left out. */
export function historyFilter(query: Readonly<Record<string, string>>): string {
  return new URLSearchParams(NAMES.flatMap((name) => {
    const value = query[name] ?? "";
    return value === "" ? [] : [[name, value]];
  })).toString();
}
