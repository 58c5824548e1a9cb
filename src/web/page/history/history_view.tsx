/**
 * The view History: every image there ever was with a column for each destination, to be searched, filtered and taken along.
 *
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { DeliveryAsk, ImageView } from "../../../reports/api_types.ts";
import { count, plural } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { part } from "../store/live.ts";
import { route, setQuery } from "../store/route.ts";
import { historyFilter } from "./history_filter.ts";
import { HistoryFilters } from "./history_filters.tsx";
import { type HistoryPages, historyPages } from "./history_pages.ts";
import { HistoryRow } from "./history_row.tsx";
import { LongList } from "./long_list.tsx";

type Sort = NonNullable<DeliveryAsk["sort"]>;
interface Column {
  readonly name: string;
  readonly class: string;
  readonly sort?: Sort;
}

const status = part("status");
const destinations = part("destinations");
/** With more columns, cells have signs only. */
const MOST_WORDS = 4;
/** Scrolled down less than this many pixels, new rows are added at once. */
const TOP_PX = 20;
const MOST_DRAWN = 500;

/** Another filter makes another list, from its top. */
export function HistoryView(): JSX.Element {
  const filter = historyFilter(route.value.query);
  const scrolled = useRef(0);
  const pages = useMemo(() => historyPages(filter, () => scrolled.current < TOP_PX), [filter]);
  useEffect(() => pages.close, [pages]);
  // Read here, so that the rows are drawn anew when they change.
  const [total, , problem, stale] = [pages.total.value, pages.version.value, pages.problem.value, pages.stale.value];
  const places = placesOf(pages);
  const rowOf = useMemo(() => drawnRows(pages, places), [pages, places.join("\n")]);
  return (
    <>
      <header class="view-head">
        <h1>History</h1>
        <p class="found" role="status">{total === null ? "…" : `${count(total)} ${plural(total, "image")}`}</p>
        <Exports filter={filter} />
      </header>
      <HistoryFilters />
      {problem !== null && <p class="problem" role="alert">{`${problem.message}. ${problem.hint}`}</p>}
      <div
        class={places.length > MOST_WORDS ? "history has-signs" : "history"}
        style={{ "--places": Math.max(1, places.length) }}
        role="table"
        aria-label="Images"
        aria-rowcount={(total ?? 0) + 1}
      >
        <div class="history-head" role="rowgroup">
          <div class="history-line" role="row" aria-rowindex={1}>
            {columnsOf(places).map((column) => <Head key={`${column.class} ${column.name}`} {...column} />)}
          </div>
        </div>
        {total === 0
          ? (
            <p class="nothing is-large" role="row">
              <span role="cell">{nothing(exported(filter) !== "")}</span>
            </p>
          )
          : (
            <LongList
              role="rowgroup"
              count={total ?? 0}
              label="Rows"
              top={filter}
              onScroll={(px) => scrolled.current = px}
              onSight={pages.need}
              row={rowOf}
            />
          )}
        {stale && (
          <button type="button" class="button is-primary fresh" onClick={pages.refresh}>
            <Glyph name="scan" />Show new images
          </button>
        )}
      </div>
    </>
  );
}

function columnsOf(places: readonly string[]): readonly Column[] {
  return [
    { name: "Image", class: "col-name", sort: "path" },
    ...places.map((name) => ({ name, class: "col-place" })),
    { name: "Size", class: "col-size", sort: "size" },
    { name: "Finished", class: "col-queued", sort: "queued_at" },
    { name: "Delivered", class: "col-delivered", sort: "delivered_at" },
  ];
}

/** Those that are configured, in that order, and former ones of the images that are shown. */
function placesOf(pages: HistoryPages): string[] {
  const configured = (destinations.value ?? []).map(({ name }) => name);
  const former = pages.rows().flatMap(({ deliveries }) => deliveries.map(({ destination }) => destination));
  return [...new Set([...configured, ...former])];
}

/** Why the list is empty: there are no images at all, or none that match. */
function nothing(isFiltered: boolean): string {
  const counts = status.value?.deliveries;
  const isNew = counts !== undefined && Object.values(counts).every((number) => number === 0);
  return isFiltered && !isNew
    ? "No images match these filters."
    : "No images yet. Each image appears here as soon as it is finished.";
}

/** Keeps what is drawn already: the same element twice is not looked at again. */
function drawnRows(pages: HistoryPages, places: readonly string[]): (at: number) => JSX.Element {
  const drawn = new Map<number, { readonly one: ImageView | undefined; readonly element: JSX.Element }>();
  return (at) => {
    const one = pages.row(at);
    const known = drawn.get(at);
    if (known !== undefined && known.one === one) return known.element;
    if (drawn.size > MOST_DRAWN) drawn.clear();
    const element = <HistoryRow key={at} at={at} one={one} places={places} />;
    drawn.set(at, { one, element });
    return element;
  };
}

function Exports({ filter }: { readonly filter: string }): JSX.Element {
  return (
    <nav class="exports" aria-label="Export">
      {(["csv", "json"] as const).map((kind) => (
        <a key={kind} class="button" href={`/api/deliveries.${kind}?${exported(filter)}`} download={`image-transfer.${kind}`}>
          <Glyph name="save" />
          {kind.toUpperCase()}
        </a>
      ))}
    </nav>
  );
}

/** The order is that of queueing in an export. */
function exported(filter: string): string {
  const query = new URLSearchParams(filter);
  query.delete("sort");
  query.delete("order");
  return query.toString();
}

function Head({ name, class: column, sort }: Column): JSX.Element {
  const { query } = route.value;
  const isSorted = sort !== undefined && (query["sort"] ?? "queued_at") === sort;
  const order = query["order"] === "asc" ? "asc" : "desc";
  return (
    <div class={column} role="columnheader" aria-sort={isSorted ? order === "asc" ? "ascending" : "descending" : undefined}>
      {sort === undefined ? <span title={name}>{name}</span> : (
        <button
          type="button"
          class={isSorted ? `sorted is-${order}` : ""}
          onClick={() => setQuery({ sort, order: isSorted && order === "desc" ? "asc" : "desc" })}
        >
          {name}
        </button>
      )}
    </div>
  );
}
