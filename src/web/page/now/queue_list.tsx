/**
 * What is sent next, as the outboxes take it.
 *
 * @module
 */
import type { JSX } from "preact";
import type { DeliveryView } from "../../../reports/api_types.ts";
import { bytes, count, duration } from "../parts/format.ts";
import { Name } from "../parts/name.tsx";
import { Panel } from "../parts/panel.tsx";
import { useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";
import { part } from "../store/live.ts";
import { hrefOf, show } from "../store/route.ts";

const status = part("status");
const MOST = 6;

/** The 6 that are sent next. */
export function QueueList(): JSX.Element {
  const { queued = 0, deferred = 0, delivered = 0 } = status.value?.deliveries ?? {};
  const total = queued + deferred;
  const { answer } = useAsk<readonly DeliveryView[]>(total > 0 ? "/api/next" : null, `${queued} ${deferred} ${delivered}`);
  const rows = total > 0 ? answer?.value.slice(0, MOST) ?? [] : [];
  return (
    <Panel title="Queue" aside={total > 0 ? count(total) : undefined} class="queue">
      {total === 0 ? <p class="nothing">The queue is empty</p> : (
        <ul class="rows">
          {rows.map((one) => <Row key={one.id} one={one} />)}
        </ul>
      )}
      {total > rows.length && rows.length > 0 && (
        <p class="more">
          <a href={hrefOf("history", { state: "queued,deferred", order: "asc" })}>see all {count(total)} in History</a>
        </p>
      )}
    </Panel>
  );
}

function Row({ one }: { readonly one: DeliveryView }): JSX.Element {
  const retryMs = one.retry_at === null ? null : Date.parse(one.retry_at) - now.value;
  return (
    <li>
      <button type="button" class="row-button" onClick={() => show(one.id)}>
        <span class="row-line">
          <Name text={one.name} />
          <span class="to">{one.destination}</span>
        </span>
        <span class="row-note">
          <span>{bytes(one.size)}</span>
          <span>
            {retryMs === null
              ? `waiting for ${duration(now.value - Date.parse(one.queued_at))}`
              : retryMs < 1000
              ? "retrying now"
              : `retrying in ${duration(retryMs)}`}
          </span>
        </span>
        {one.error !== null && <span class="row-note tone-text-warning">{one.error.message}</span>}
      </button>
    </li>
  );
}
