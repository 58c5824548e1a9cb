/**
 * What is being sent.
 *
 * @module
 */
import type { JSX } from "preact";
import type { TransferView } from "../../../reports/api_types.ts";
import { bytes, count, duration, rate } from "../parts/format.ts";
import { Name } from "../parts/name.tsx";
import { Panel } from "../parts/panel.tsx";
import { Progress } from "../parts/progress.tsx";
import { now } from "../store/clock.ts";
import { isLive, part } from "../store/live.ts";

const transfers = part("transfers");
const status = part("status");
/** More are only counted. */
const MOST = 8;
/** A speed over less time than this means nothing. */
const MEANINGFUL_MS = 1500;

/** At most 8; speeds are the mean since each began. */
export function TransferList(): JSX.Element {
  const all = transfers.value ?? [];
  const sending = Math.max(all.length, status.value?.deliveries.sending ?? 0);
  return (
    <Panel title="Transfers" aside={sending > 0 ? count(sending) : undefined} class="transfers">
      {all.length === 0 ? <p class="nothing">{sending > 0 ? "Starting…" : "Nothing is being sent"}</p> : (
        <ul class="rows">
          {all.slice(0, MOST).map((one) => <Row key={one.id} one={one} />)}
        </ul>
      )}
      {sending > Math.min(MOST, all.length) && all.length > 0 && (
        <p class="more">and {count(sending - Math.min(MOST, all.length))} more</p>
      )}
    </Panel>
  );
}

function Row({ one }: { readonly one: TransferView }): JSX.Element {
  const sinceMs = now.value - one.since;
  const speed = sinceMs < MEANINGFUL_MS ? 0 : one.bytes / (sinceMs / 1000);
  const leftMs = speed === 0 ? null : (one.size - one.bytes) / speed * 1000;
  const all = one.bytes >= one.size;
  const done = `${bytes(one.bytes)} of ${bytes(one.size)}`;
  return (
    <li class="transfer">
      <p class="row-line">
        <Name text={one.name} />
        <span class="to">{one.destination}</span>
      </p>
      <Progress done={one.bytes} all={one.size} label={`${one.name} to ${one.destination}`} text={done} />
      <p class="row-note">
        <span>{done}</span>
        {all
          ? <span>verifying</span>
          : speed > 0 && isLive.value && <span>{rate(speed)}{leftMs !== null && `, ${duration(leftMs)} left`}</span>}
      </p>
    </li>
  );
}
