/**
 * A delivery as a line of the list.
 *
 * @module
 */
import type { JSX } from "preact";
import type { DeliveryView } from "../../../reports/api_types.ts";
import { bytes } from "../parts/format.ts";
import { Name } from "../parts/name.tsx";
import { StateWord } from "../parts/state_word.tsx";
import { Time } from "../parts/time.tsx";
import { show } from "../store/route.ts";

/** `at` is the place in the whole list, from 0. */
interface HistoryRowProps {
  readonly at: number;
  /** Undefined while it is on its way. */
  readonly one: DeliveryView | undefined;
}

/** Says its place in the whole list, as most rows are not in the document (`aria-rowindex`, WAI-ARIA 1.2). */
export function HistoryRow({ at, one }: HistoryRowProps): JSX.Element {
  if (one === undefined) {
    return (
      <div class="history-line is-empty" role="row" aria-rowindex={at + 2} aria-busy="true">
        <div class="col-name" role="cell">…</div>
      </div>
    );
  }
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
      <div class="col-to" role="cell">{one.destination}</div>
      <div class="col-state" role="cell">
        <StateWord one={one} />
      </div>
      <div class="col-size" role="cell">{bytes(one.size)}</div>
      <div class="col-queued" role="cell">
        <Time at={Date.parse(one.queued_at)} shape="day" />
      </div>
      <div class="col-delivered" role="cell">
        {one.delivered_at === null ? <span class="dim">–</span> : <Time at={Date.parse(one.delivered_at)} shape="day" />}
      </div>
    </div>
  );
}
