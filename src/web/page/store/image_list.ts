/** The list that an image was opened from, as the API is asked for it: it decides which images come before and after it. */
import type { DeliveryAsk } from "../../../reports/api_types.ts";
import type { route } from "./route.ts";

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

/** As a query of `/api/images`; `tonight` is the night that is shown where the address names none. */
export function listOf({ view, query }: typeof route.value, tonight: string): string {
  switch (view) {
    case "history":
      return historyFilter(query);
    case "night":
      return nightFilter(query, tonight);
    default:
      return "";
  }
}

/** The images of a contact sheet, in the order in which they were taken. */
export function nightFilter(query: Readonly<Record<string, string>>, tonight: string): string {
  const { night = "", target = "", filter = "" } = query;
  return historyFilter({ night: night === "" ? tonight : night, target, filter, sort: "queued_at", order: "asc" });
}
