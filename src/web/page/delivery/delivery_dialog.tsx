/**
 * Everything about one delivery: the image, how it went, and the header of the file.
 *
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { DeliveryView } from "../../../reports/api_types.ts";
import { bytes, count, duration, failedTries } from "../parts/format.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Glyph } from "../parts/glyph.tsx";
import { Name, PathText } from "../parts/name.tsx";
import { StateWord } from "../parts/state_word.tsx";
import { cardSummary } from "../parts/thumbnail.tsx";
import { bothTimes } from "../parts/time.tsx";
import { retry } from "../store/actions.ts";
import { useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";
import { isLive, onChanges } from "../store/live.ts";
import { closeShown } from "../store/route.ts";
import { HeaderCards } from "./header_cards.tsx";

/** `id` is that of the ledger. It follows the delivery while it is open. */
export function DeliveryDialog({ id }: { readonly id: number }): JSX.Element {
  const [changed, setChanged] = useState(0);
  useEffect(() =>
    onChanges(({ rows, more }) => {
      if (more || rows.some((one) => one.id === id)) setChanged((before) => before + 1);
    }), [id]);
  const { answer, error } = useAsk<DeliveryView>(`/api/deliveries/${id}`, changed, 500);
  const one = answer?.value ?? null;
  return (
    <Dialog
      class="delivery"
      title={one === null ? `Delivery ${id}` : <Name text={one.name} />}
      onClose={closeShown}
    >
      {one === null ? <p class="nothing" role="status">{error === null ? "Loading…" : `${error.message}. ${error.hint}`}</p> : (
        <>
          <div class="delivery-top">
            {one.preview !== null && <Preview path={one.preview} summary={cardSummary(one.cards)} />}
            <Facts one={one} />
          </div>
          {one.preview !== null && <HeaderCards id={id} />}
        </>
      )}
    </Dialog>
  );
}

function Preview({ path, summary }: { readonly path: string; readonly summary: string }): JSX.Element {
  const [broken, setBroken] = useState(false);
  return (
    <figure class="frame is-large">
      {broken
        ? (
          <figcaption class="nothing">
            <Glyph name="image" /> No preview available
          </figcaption>
        )
        : (
          <img
            src={path}
            alt={summary === "" ? "Preview of the image" : `Preview: ${summary}`}
            onError={() => setBroken(true)}
          />
        )}
    </figure>
  );
}

function Facts({ one }: { readonly one: DeliveryView }): JSX.Element {
  const queuedAt = Date.parse(one.queued_at);
  const deliveredAt = one.delivered_at === null ? null : Date.parse(one.delivered_at);
  const canRetry = one.state === "failed" || one.state === "deferred";
  return (
    <div class="facts">
      <p class="facts-state">
        <StateWord one={one} />
        {canRetry && (
          <button type="button" class="button is-primary" disabled={!isLive.value} onClick={() => retry([one.id])}>
            <Glyph name="retry" />Retry
          </button>
        )}
      </p>
      {one.error !== null && (
        <div class={one.state === "failed" ? "why tone-bad" : "why tone-warning"}>
          <p class="why-message">{one.error.message}</p>
          {one.error.hint !== "" && <p class="why-hint">{one.error.hint}</p>}
          {one.retry_at !== null && <p class="dim">Retrying in {duration(Date.parse(one.retry_at) - now.value)}</p>}
        </div>
      )}
      {one.warning !== null && (
        <div class="why tone-warning">
          <p class="why-message">Sent with a warning: {one.warning}</p>
        </div>
      )}
      <dl>
        <Fact name="File" value={one.path} mono />
        <Fact name="Destination" value={`${one.destination}: ${one.target}`} mono />
        <Fact name="Method" value={one.method} />
        <Fact name="Size" value={`${bytes(one.size)} (${count(one.size)} bytes)`} />
        {one.sha256 !== null && <Fact name="SHA-256" value={one.sha256} mono />}
        <Fact name="Finished" value={bothTimes(queuedAt)} />
        {deliveredAt !== null && (
          <Fact name="Delivered" value={`${bothTimes(deliveredAt)}, ${duration(deliveredAt - queuedAt)} later`} />
        )}
        {failedTries(one) > 0 && <Fact name="Failed attempts" value={count(failedTries(one))} />}
      </dl>
    </div>
  );
}

function Fact(
  { name, value, mono = false }: { readonly name: string; readonly value: string; readonly mono?: boolean },
): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={mono ? "mono" : ""}>
        <PathText text={value} />
      </dd>
    </div>
  );
}
