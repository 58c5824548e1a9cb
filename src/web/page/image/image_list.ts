/**
 * The list that an image was opened from: it decides which images come before and after it.
 *
 * @module
 */
import { historyFilter } from "../history/history_filter.ts";
import type { route } from "../store/route.ts";

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
