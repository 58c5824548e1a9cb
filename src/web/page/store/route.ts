/** Which view is shown, from the address after `#`: `#night?night=20261120`. `show` names a delivery whose dialog is open. */
import type { DeliveryAsk } from "../../api/api_routes.ts";
import { signal } from "@preact/signals";

/** In the order of the tabs and of the keys 1 to 5. */
export const VIEWS = ["now", "night", "history", "trouble", "setup"] as const;

/** A view's name in the address. */
export type View = typeof VIEWS[number];

/** `query` holds every parameter of the address as text. */
interface Route {
  readonly view: View;
  readonly query: Readonly<Record<string, string>>;
}

/** Where the page is; anything unknown is `now`. To be changed by the functions here only. */
export const route = signal<Route>(read());
/** True once a dialog was opened from within the page: going back closes it. */
let canGoBack = false;

/** To be called once: follows the address. */
export function startRouting(): void {
  addEventListener("hashchange", () => {
    route.value = read();
    if (route.value.query["show"] === undefined) canGoBack = false;
  });
}

export function hrefOf(view: View, query: Readonly<Record<string, string>> = {}): string {
  const text = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  return text === "" ? `#${view}` : `#${view}?${text}`;
}

/** Shows a view from its beginning. */
export function go(view: View): void {
  location.hash = hrefOf(view);
}

/** Changes the query of the view that is shown, without a step in the browser's history. */
export function setQuery(change: Readonly<Record<string, string>>): void {
  const { view, query } = route.value;
  history.replaceState(null, "", hrefOf(view, { ...query, ...change }));
  route.value = read();
}

/** Opens the dialog of a delivery. */
export function show(id: number): void {
  const { view, query } = route.value;
  canGoBack = true;
  location.hash = hrefOf(view, { ...query, show: String(id) });
}

/** Shows another delivery in the dialog that is open. */
export function showInstead(id: number): void {
  setQuery({ show: String(id) });
}

export function closeShown(): void {
  if (canGoBack) history.back();
  else setQuery({ show: "" });
}

function read(): Route {
  const [name = "", search = ""] = location.hash.slice(1).split("?", 2);
  return { view: VIEWS.find((view) => view === name) ?? "now", query: Object.fromEntries(new URLSearchParams(search)) };
}

/** What decides which images a list holds, and their order. */
const LIST_PARAMETERS = [
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
  return new URLSearchParams(LIST_PARAMETERS.flatMap((name) => {
    const value = query[name] ?? "";
    return value === "" ? [] : [[name, value]];
  })).toString();
}

/** The list that an image was opened from, as a query of `/api/images`: it decides which images come before and after it; `tonight` is the night that is shown where the address names none. */
export function listOf({ view, query }: Route, tonight: string): string {
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
