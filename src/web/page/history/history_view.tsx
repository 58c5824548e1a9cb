/** The view History: every image there ever was with a column for each destination, to be searched, filtered and taken along. */
import type { DeliveryAsk } from "../../api/api_routes.ts";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef } from "preact/hooks";
import type { ImageView, NightList } from "../../../reports/api_types.ts";
import { bytes, count, plural } from "../parts/format.ts";
import { Glyph, StateWord } from "../parts/glyph.tsx";
import { part } from "../store/live.ts";
import { historyFilter, route, setQuery, show } from "../store/route.ts";
import { type HistoryPages, historyPages } from "./history_pages.ts";
import { LongList } from "./long_list.tsx";
import { nightName, Time } from "../parts/time.tsx";
import { useAsk } from "../store/ask.ts";
import { Name } from "../parts/name.tsx";
import { Button, Choice, Problem } from "../parts/panel.tsx";

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
      <Problem of={problem} />
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
        {stale && <Button primary class="fresh" onClick={pages.refresh} glyph="scan">Show new images</Button>}
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

const jobs = part("jobs");
const tonight = part("tonight");
const TYPING_MS = 200;

const STATES: Readonly<Record<string, string>> = {
  "queued,sending,deferred": "In progress",
  "queued,deferred": "Waiting",
  delivered: "Delivered",
  failed: "Failed",
  trouble: "Needs attention",
};

const NONE = { search: "", destination: "", state: "", night: "", job: "", target: "", filter: "" } as const;

/** Reads and writes the query of the address; holds nothing itself. */
function HistoryFilters(): JSX.Element {
  const { query } = route.value;
  const names = [...new Set((destinations.value ?? []).map(({ name }) => name))];
  const nights = useAsk<NightList>("/api/nights", tonight.value?.night).answer?.value.nights ?? [];
  const jobNames = (jobs.value ?? []).map(({ name }) => name);
  const isSet = (name: string) => (query[name] ?? "") !== "";
  return (
    <search class="filters">
      <Search />
      <Filter name="destination" of={names} />
      <Filter name="state" of={Object.keys(STATES)} text={(state) => STATES[state] ?? state} />
      <Filter name="night" of={nights} text={nightName} />
      {(jobNames.length > 1 || isSet("job")) && <Filter name="job" of={jobNames} />}
      {isSet("target") && <Filter name="target" />}
      {isSet("filter") && <Filter name="filter" />}
      {Object.keys(NONE).some(isSet) && <Button onClick={() => setQuery(NONE)} glyph="close">Clear</Button>}
    </search>
  );
}

/** `text` is what a value is called: itself, unless given. */
interface FilterProps {
  readonly name: keyof typeof NONE;
  readonly of?: readonly string[];
  readonly text?: (value: string) => string;
}

function Filter({ name, of = [], text = (value) => value }: FilterProps): JSX.Element {
  const value = route.value.query[name] ?? "";
  // A value from an address that is not in the list is in force all the same.
  const all = value === "" || of.includes(value) ? of : [...of, value];
  return (
    <Choice
      label={`${name[0]!.toUpperCase()}${name.slice(1)}`}
      class={value === "" ? "" : "is-set"}
      value={value}
      of={[["", `Any ${name}`], ...all.map((one) => [one, text(one)] as const)]}
      onChoose={(chosen) => setQuery({ [name]: chosen })}
    />
  );
}

function Search(): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const value = route.value.query["search"] ?? "";
  // The address sets the field, but not while somebody types.
  useEffect(() => {
    if (field.current !== null && document.activeElement !== field.current) field.current.value = value;
  }, [value]);
  return (
    <label class="search">
      <Glyph name="search" />
      <input
        id="search"
        ref={field}
        type="search"
        placeholder="Search by name"
        aria-label="Search by name or part of the path"
        autocomplete="off"
        spellcheck={false}
        maxLength={500}
        onInput={(event) => {
          const text = event.currentTarget.value;
          clearTimeout(timer.current);
          timer.current = setTimeout(() => setQuery({ search: text }), TYPING_MS);
        }}
      />
    </label>
  );
}

/** `at` is the place in the whole list, from 0; `places` are destinations, a column each. */
interface RowProps {
  readonly at: number;
  /** Undefined while it is on its way. */
  readonly one: ImageView | undefined;
  readonly places: readonly string[];
}

/** Says its place in the whole list, as most rows are not in the document (`aria-rowindex`, WAI-ARIA 1.2). */
function HistoryRow({ at, one, places }: RowProps): JSX.Element {
  if (one === undefined) {
    return (
      <div class="history-line is-empty" role="row" aria-rowindex={at + 2} aria-busy="true">
        <div class="col-name" role="cell">…</div>
      </div>
    );
  }
  const times = one.deliveries.map(({ delivered_at }) => delivered_at === null ? Infinity : Date.parse(delivered_at));
  // When the last of its destinations had it.
  const deliveredAt = Math.max(...times);
  return (
    <div class="history-line" role="row" aria-rowindex={at + 2} onClick={() => show(one.id)}>
      <div class="col-name" role="cell">
        <button
          type="button"
          onClick={(event) => {
            event.stopPropagation();
            show(one.id);
          }}
        >
          <Name text={one.name} />
        </button>
      </div>
      {places.map((place) => <PlaceCell key={place} one={one} place={place} />)}
      <div class="col-size" role="cell">{bytes(one.size)}</div>
      <div class="col-queued" role="cell">
        <Time at={Date.parse(one.queued_at)} shape="day" />
      </div>
      <div class="col-delivered" role="cell">
        {Number.isFinite(deliveredAt) ? <Time at={deliveredAt} shape="day" /> : <span class="dim">–</span>}
      </div>
    </div>
  );
}

function PlaceCell({ one, place }: { readonly one: ImageView; readonly place: string }): JSX.Element {
  const its = one.deliveries.find(({ destination }) => destination === place);
  return (
    <div class={its === undefined ? "col-place is-none" : "col-place"} role="cell">
      {its === undefined ? <span class="dim" title={`Not meant for ${place}`}>–</span> : (
        <>
          <StateWord one={its} />
          <span class="col-place-name" aria-hidden="true">{place}</span>
        </>
      )}
    </div>
  );
}
