/**
 * A list of any length, of which the pages in view are read. Changes are put into the rows that are loaded; new rows are announced,
 * and shown on request, so that nothing moves while somebody reads.
 */
import { signal } from "@preact/signals";
import type { ImageView } from "../../../reports/api_types.ts";
import { ask, AskError } from "../store/ask.ts";
import { onChanges } from "../store/live.ts";

/** To be closed when it is no longer shown. */
export type HistoryPages = ReturnType<typeof historyPages>;

const PAGE = 100;
/** A list that is scrolled quickly is read where it comes to rest. */
const REST_MS = 60;
/** Changes come in bursts: they are shown when there is a pause, or when the first of them is so old. */
const FRESH_MS = 1_500;
const OLD_MS = 10_000;
const MOST_PAGES = 60;

/** The rows that match `filter`, a query string, by their place in the whole list, from 0; `onTop` tells whether new rows may be added at once. */
export function historyPages(filter: string, onTop: () => boolean) {
  const total = signal<number | null>(null);
  const version = signal(0);
  const problem = signal<AskError | null>(null);
  const stale = signal(false);
  const pages = new Map<number, readonly ImageView[]>();
  const asking = new Map<number, AbortController>();
  let [first, last] = [0, 0];
  let restTimer: ReturnType<typeof setTimeout> | undefined;
  let freshTimer: typeof restTimer;
  let changedAt: number | null = null;
  const isWanted = (page: number) => page >= first && page <= last;
  const wanted = () => Array.from({ length: last - first + 1 }, (_, at) => first + at);

  const deaf = onChanges(({ rows }) => {
    const fresh = new Map(rows.map((one) => [one.id, one]));
    for (const [page, known] of pages) {
      // The same object where nothing of it changed.
      const renewed = known.map((image) => {
        if (!image.deliveries.some(({ id }) => fresh.has(id))) return image;
        return { ...image, deliveries: image.deliveries.map((one) => fresh.get(one.id) ?? one) };
      });
      pages.set(page, renewed);
    }
    version.value++;
    clearTimeout(freshTimer);
    changedAt ??= performance.now();
    freshTimer = setTimeout(() => {
      changedAt = null;
      if (onTop()) refresh();
      else stale.value = true;
    }, Math.min(FRESH_MS, Math.max(0, changedAt + OLD_MS - performance.now())));
  });
  readWanted();

  async function read(page: number): Promise<void> {
    const end = new AbortController();
    asking.set(page, end);
    try {
      const path = `/api/images?${filter}${filter === "" ? "" : "&"}limit=${PAGE}&offset=${page * PAGE}`;
      const answer = await ask<readonly ImageView[]>(path, end.signal);
      pages.delete(page);
      pages.set(page, answer.value);
      const far = [...pages.keys()].filter((one) => !isWanted(one));
      for (const one of far.slice(0, Math.max(0, pages.size - MOST_PAGES))) pages.delete(one);
      total.value = answer.total ?? answer.value.length;
      problem.value = null;
      version.value++;
    } catch (error) {
      if (!end.signal.aborted && error instanceof AskError) problem.value = error;
    } finally {
      if (asking.get(page) === end) asking.delete(page);
    }
  }

  function readWanted(): void {
    for (const [page, end] of asking) if (!isWanted(page)) end.abort();
    for (const page of wanted()) if (!pages.has(page) && !asking.has(page)) void read(page);
  }

  function refresh(): void {
    stale.value = false;
    for (const page of [...pages.keys()]) if (!isWanted(page)) pages.delete(page);
    for (const page of wanted()) {
      asking.get(page)?.abort();
      void read(page);
    }
  }

  return {
    /** How many match; null while that is not known. */
    total,
    /** Counts up with every change of the rows. */
    version,
    /** Why the last question had no answer; null while all is well. */
    problem,
    /** True where there may be rows that are not in the list yet. */
    stale,
    /** Undefined while it is not here; `need` reads it. */
    row: (at: number) => pages.get(Math.floor(at / PAGE))?.[at % PAGE],
    /** All that are here, in no order. */
    rows: () => [...pages.values()].flat(),
    /** Reads these rows where they are not here. */
    need(from: number, to: number): void {
      const before = `${first} ${last}`;
      [first, last] = [Math.floor(Math.max(0, from) / PAGE), Math.floor(Math.max(0, to) / PAGE)];
      if (before === `${first} ${last}`) return;
      clearTimeout(restTimer);
      restTimer = setTimeout(readWanted, REST_MS);
    },
    /** Reads everything again. */
    refresh,
    close(): void {
      deaf();
      clearTimeout(restTimer);
      clearTimeout(freshTimer);
      asking.forEach((end) => end.abort());
    },
  };
}
