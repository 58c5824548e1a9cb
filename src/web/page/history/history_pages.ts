/**
 * A list of any length, of which the pages in view are read. Changes are put into the rows that are loaded; new rows are announced,
 * and shown on request, so that nothing moves while somebody reads.
 */
import { type Signal, signal } from "@preact/signals";
import type { DeliveryView, ImageView } from "../../../reports/api_types.ts";
import { ask, AskError } from "../store/ask.ts";
import { onChanges } from "../store/live.ts";

/** Rows by their place in the whole list, from 0; to be closed when it is no longer shown. */
export interface HistoryPages {
  /** How many match; null while that is not known. */
  readonly total: Signal<number | null>;
  /** Counts up with every change of the rows. */
  readonly version: Signal<number>;
  /** Why the last question had no answer; null while all is well. */
  readonly problem: Signal<AskError | null>;
  /** True where there may be rows that are not in the list yet. */
  readonly stale: Signal<boolean>;
  /** Undefined while it is not here; `need` reads it. */
  row(at: number): ImageView | undefined;
  /** All that are here, in no order. */
  rows(): ImageView[];
  /** Reads these rows where they are not here. */
  need(from: number, to: number): void;
  /** Reads everything again. */
  refresh(): void;
  close(): void;
}

const PAGE = 100;
/** A list that is scrolled quickly is read where it comes to rest. */
const REST_MS = 60;
/** Changes come in bursts: they are shown when there is a pause, or when the first of them is so old. */
const FRESH_MS = 1_500;
const OLD_MS = 10_000;
const MOST_PAGES = 60;

/** The rows that match `filter`, a query string; `onTop` tells whether new rows may be added at once. */
export function historyPages(filter: string, onTop: () => boolean): HistoryPages {
  const version = signal(0);
  const pages = pagesOf(filter, () => version.value++);
  const stale = signal(false);
  let restTimer: ReturnType<typeof setTimeout> | undefined;
  let freshTimer: typeof restTimer;
  let changedAt: number | null = null;
  const deaf = onChanges(({ rows }) => {
    pages.replace(rows);
    version.value++;
    clearTimeout(freshTimer);
    changedAt ??= performance.now();
    freshTimer = setTimeout(() => {
      changedAt = null;
      if (onTop()) refresh();
      else stale.value = true;
    }, Math.min(FRESH_MS, Math.max(0, changedAt + OLD_MS - performance.now())));
  });
  pages.readWanted();

  function refresh(): void {
    stale.value = false;
    pages.readAnew();
  }

  return {
    total: pages.total,
    version,
    problem: pages.problem,
    stale,
    row: pages.row,
    rows: pages.rows,
    need(from, to) {
      if (!pages.want(from, to)) return;
      clearTimeout(restTimer);
      restTimer = setTimeout(pages.readWanted, REST_MS);
    },
    refresh,
    close() {
      deaf();
      clearTimeout(restTimer);
      clearTimeout(freshTimer);
      pages.close();
    },
  };
}

/** The pages that are loaded or loading; `changed` is called when one has come. */
function pagesOf(filter: string, changed: () => void) {
  const total = signal<number | null>(null);
  const problem = signal<AskError | null>(null);
  const pages = new Map<number, readonly ImageView[]>();
  const asking = new Map<number, AbortController>();
  let [first, last] = [0, 0];
  const isWanted = (page: number) => page >= first && page <= last;
  const wanted = () => Array.from({ length: last - first + 1 }, (_, at) => first + at);

  async function read(page: number): Promise<void> {
    const end = new AbortController();
    asking.set(page, end);
    try {
      const answer = await askForPage(filter, page, end.signal);
      pages.delete(page);
      pages.set(page, answer.value);
      const far = [...pages.keys()].filter((one) => !isWanted(one));
      for (const one of far.slice(0, Math.max(0, pages.size - MOST_PAGES))) pages.delete(one);
      total.value = answer.total ?? answer.value.length;
      problem.value = null;
      changed();
    } catch (error) {
      if (!end.signal.aborted && error instanceof AskError) problem.value = error;
    } finally {
      if (asking.get(page) === end) asking.delete(page);
    }
  }

  return {
    total,
    problem,
    row: (at: number) => pages.get(Math.floor(at / PAGE))?.[at % PAGE],
    rows: () => [...pages.values()].flat(),
    /** False where these rows are wanted already. */
    want(from: number, to: number): boolean {
      const before = `${first} ${last}`;
      [first, last] = [Math.floor(Math.max(0, from) / PAGE), Math.floor(Math.max(0, to) / PAGE)];
      return before !== `${first} ${last}`;
    },
    readWanted(): void {
      for (const [page, end] of asking) if (!isWanted(page)) end.abort();
      for (const page of wanted()) if (!pages.has(page) && !asking.has(page)) void read(page);
    },
    readAnew(): void {
      for (const page of [...pages.keys()]) if (!isWanted(page)) pages.delete(page);
      for (const page of wanted()) {
        asking.get(page)?.abort();
        void read(page);
      }
    },
    /** Puts what has changed into the rows that are here. */
    replace(rows: readonly DeliveryView[]): void {
      const fresh = new Map(rows.map((one) => [one.id, one]));
      for (const [page, known] of pages) pages.set(page, known.map((image) => renewed(image, fresh)));
    },
    close: () => asking.forEach((end) => end.abort()),
  };
}

/** The same object where nothing of it changed. */
function renewed(image: ImageView, fresh: ReadonlyMap<number, DeliveryView>): ImageView {
  if (!image.deliveries.some(({ id }) => fresh.has(id))) return image;
  return { ...image, deliveries: image.deliveries.map((one) => fresh.get(one.id) ?? one) };
}

function askForPage(filter: string, page: number, signal: AbortSignal) {
  const path = `/api/images?${filter}${filter === "" ? "" : "&"}limit=${PAGE}&offset=${page * PAGE}`;
  return ask<readonly ImageView[]>(path, signal);
}
