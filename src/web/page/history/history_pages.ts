/**
 * A list of any length, read page by page where it is looked at. What changes meanwhile is put into the rows that are here; new
 * rows are told of, and shown when they are asked for, so that nothing moves under the eyes.
 *
 * @module
 */
import { type Signal, signal } from "@preact/signals";
import type { DeliveryView } from "../../../reports/api_types.ts";
import { ask, AskError } from "../store/ask.ts";
import { type Changes, onChanges } from "../store/live.ts";

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
  row(at: number): DeliveryView | undefined;
  /** Reads these rows where they are not here. */
  need(from: number, to: number): void;
  /** Reads all anew. */
  refresh(): void;
  close(): void;
}

const PAGE = 100;
/** A list that is scrolled quickly is read where it comes to rest. */
const REST_MS = 60;
/** Changes come in heaps. */
const FRESH_MS = 1_500;
const MOST_PAGES = 60;

/** The rows that match `filter`, a query string; `onTop` tells whether new rows may come in by themselves. */
export function historyPages(filter: string, onTop: () => boolean): HistoryPages {
  const [total, version] = [signal<number | null>(null), signal(0)];
  const [problem, stale] = [signal<AskError | null>(null), signal(false)];
  const pages = new Map<number, readonly DeliveryView[]>();
  const asking = new Map<number, AbortController>();
  let wanted: readonly [number, number] = [0, 0];
  let restTimer: ReturnType<typeof setTimeout> | undefined;
  let freshTimer: typeof restTimer;
  const deaf = onChanges(hear);
  void read(0);

  function row(at: number): DeliveryView | undefined {
    return pages.get(Math.floor(at / PAGE))?.[at % PAGE];
  }

  function need(from: number, to: number): void {
    const range = [Math.floor(Math.max(0, from) / PAGE), Math.floor(Math.max(0, to) / PAGE)] as const;
    if (range[0] === wanted[0] && range[1] === wanted[1]) return;
    wanted = range;
    clearTimeout(restTimer);
    restTimer = setTimeout(readWanted, REST_MS);
  }

  function readWanted(): void {
    for (const [page, end] of asking) if (page < wanted[0] || page > wanted[1]) end.abort();
    for (let page = wanted[0]; page <= wanted[1]; page++) if (!pages.has(page) && !asking.has(page)) void read(page);
  }

  async function read(page: number): Promise<void> {
    const end = new AbortController();
    asking.set(page, end);
    try {
      const path = `/api/deliveries?${filter}${filter === "" ? "" : "&"}limit=${PAGE}&offset=${page * PAGE}`;
      const answer = await ask<readonly DeliveryView[]>(path, end.signal);
      pages.delete(page);
      pages.set(page, answer.value);
      forget();
      total.value = answer.total ?? answer.value.length;
      problem.value = null;
      version.value++;
    } catch (error) {
      if (!end.signal.aborted && error instanceof AskError) problem.value = error;
    } finally {
      if (asking.get(page) === end) asking.delete(page);
    }
  }

  function forget(): void {
    for (const page of pages.keys()) {
      if (pages.size <= MOST_PAGES) return;
      if (page < wanted[0] || page > wanted[1]) pages.delete(page);
    }
  }

  function hear({ rows }: Changes): void {
    const fresh = new Map(rows.map((one) => [one.id, one]));
    for (const [page, known] of pages) {
      if (known.some(({ id }) => fresh.has(id))) pages.set(page, known.map((one) => fresh.get(one.id) ?? one));
    }
    version.value++;
    clearTimeout(freshTimer);
    freshTimer = setTimeout(() => {
      if (onTop()) refresh();
      else stale.value = true;
    }, FRESH_MS);
  }

  function refresh(): void {
    stale.value = false;
    for (const page of [...pages.keys()]) if (page < wanted[0] || page > wanted[1]) pages.delete(page);
    for (let page = wanted[0]; page <= wanted[1]; page++) {
      asking.get(page)?.abort();
      void read(page);
    }
  }

  function close(): void {
    deaf();
    clearTimeout(restTimer);
    clearTimeout(freshTimer);
    for (const end of asking.values()) end.abort();
  }

  return { total, version, problem, stale, row, need, refresh, close };
}
