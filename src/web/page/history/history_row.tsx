/**
 * An image as a line of the list, with a cell for each destination.
 *
 * @module
 */
import type { JSX } from "preact";
import type { ImageView } from "../../../reports/api_types.ts";
import { bytes } from "../parts/format.ts";
import { Name } from "../parts/name.tsx";
import { StateWord } from "../parts/state_word.tsx";
import { Time } from "../parts/time.tsx";
import { show } from "../store/route.ts";

/** `at` is the place in the whole list, from 0. */
interface HistoryRowProps {
  readonly at: number;
  /** Undefined while it is on its way. */
  readonly one: ImageView | undefined;
  /** Destinations, a column each. */
  readonly places: readonly string[];
}

/** Says its place in the whole list, as most rows are not in the document (`aria-rowindex`, WAI-ARIA 1.2). */
export function HistoryRow({ at, one, places }: HistoryRowProps): JSX.Element {
  if (one === undefined) {
    return (
      <div class="history-line is-empty" role="row" aria-rowindex={at + 2} aria-busy="true">
        <div class="col-name" role="cell">…</div>
      </div>
    );
  }
  const deliveredAt = deliveredEverywhere(one);
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
      {places.map((place) => <Place key={place} one={one} place={place} />)}
      <div class="col-size" role="cell">{bytes(one.size)}</div>
      <div class="col-queued" role="cell">
        <Time at={Date.parse(one.queued_at)} shape="day" />
      </div>
      <div class="col-delivered" role="cell">
        {deliveredAt === null ? <span class="dim">–</span> : <Time at={deliveredAt} shape="day" />}
      </div>
    </div>
  );
}

function Place({ one, place }: { readonly one: ImageView; readonly place: string }): JSX.Element {
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

/** When the last of its destinations had it; null while one has not. */
function deliveredEverywhere({ deliveries }: ImageView): number | null {
  const times = deliveries.map(({ delivered_at }) => delivered_at === null ? Infinity : Date.parse(delivered_at));
  const last = Math.max(...times);
  return Number.isFinite(last) ? last : null;
}
