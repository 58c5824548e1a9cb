/**
 * All images of a night in the order in which they were taken, small. Only those in sight exist, and only their pictures are loaded.
 *
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { historyPages } from "../history/history_pages.ts";
import { LongList } from "../history/long_list.tsx";
import { nightFilter } from "../image/image_list.ts";
import { count, plural } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { Panel } from "../parts/panel.tsx";
import { imageKey, Thumbnail } from "../parts/thumbnail.tsx";
import { hrefOf, route, setQuery } from "../store/route.ts";

/** Pixels; a picture is as wide at least. */
const LEAST_WIDTH = 150;

/** Follows the night while images arrive. */
export function ContactSheet({ night }: { readonly night: string }): JSX.Element {
  const { query } = route.value;
  const filter = nightFilter(query, night);
  const pages = useMemo(() => historyPages(filter, () => true), [filter]);
  useEffect(() => pages.close, [pages]);
  const box = useRef<HTMLDivElement>(null);
  const columns = useColumns(box);
  // Read here, so that the rows are drawn anew when they change.
  const [total, , problem] = [pages.total.value, pages.version.value, pages.problem.value];
  const rows = Math.ceil((total ?? 0) / columns);
  const { target = "", filter: colour = "" } = query;
  const chosen = [target, colour].filter((one) => one !== "" && one !== "-").join(", ");
  const row = (at: number) => (
    <ul key={at} class="sheet-row" style={{ "--columns": columns }}>
      {Array.from({ length: Math.min(columns, (total ?? 0) - at * columns) }, (_, column) => {
        const one = pages.row(at * columns + column);
        return one === undefined
          ? <li key={column} class="thumbnail" aria-busy="true" />
          : <Thumbnail key={imageKey(one)} one={{ ...one, delivered_at: null }} />;
      })}
    </ul>
  );
  return (
    <Panel
      title={chosen === "" ? "Contact sheet" : `Contact sheet: ${chosen}`}
      aside={
        <>
          <span role="status">{total === null ? "…" : `${count(total)} ${plural(total, "image")}`}</span>
          {(target !== "" || colour !== "") && (
            <button
              type="button"
              class="button"
              onClick={() => setQuery({ target: "", filter: "" })}
            >
              <Glyph name="close" />All targets
            </button>
          )}
          <a href={hrefOf("history", { night, target, filter: colour })}>see them in History</a>
        </>
      }
    >
      {problem !== null && <p class="problem" role="alert">{`${problem.message}. ${problem.hint}`}</p>}
      <div class="sheet" ref={box} style={{ "--rows": Math.max(1, rows) }}>
        {total === 0
          ? <p class="nothing">{chosen === "" ? "No images yet" : "No images of this target through this filter"}</p>
          : (
            <LongList
              role="group"
              count={rows}
              label="Images"
              top={filter}
              onScroll={() => {}}
              onSight={(from, to) => pages.need(from * columns, to * columns)}
              row={row}
            />
          )}
      </div>
    </Panel>
  );
}

function useColumns(box: { readonly current: HTMLDivElement | null }): number {
  const [columns, setColumns] = useState(1);
  useLayoutEffect(() => {
    const place = box.current;
    if (place === null) return;
    const look = () => setColumns(Math.max(2, Math.floor(place.clientWidth / LEAST_WIDTH)));
    const watcher = new ResizeObserver(look);
    watcher.observe(place);
    look();
    return () => watcher.disconnect();
  }, []);
  return columns;
}
