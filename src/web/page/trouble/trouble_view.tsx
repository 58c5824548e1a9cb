/**
 * The view Trouble: what failed, why, and what to do.
 *
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { TroubleItem, TroubleList } from "../../../reports/api_types.ts";
import { count, duration, plural } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { Name, PathText } from "../parts/name.tsx";
import { resume, retry, scan } from "../store/actions.ts";
import { useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";
import { isLive, part, troubleCount } from "../store/live.ts";
import { show } from "../store/route.ts";

const first = part("trouble");
const destinations = part("destinations");

/** The first 50 come with the live state; more are asked for where there are more. */
export function TroubleView(): JSX.Element {
  const known = first.value ?? [];
  const total = troubleCount.value;
  const { answer } = useAsk<TroubleList>(total > known.length ? "/api/trouble" : null, first.value);
  const items = total > known.length && answer !== null ? answer.value.items : known;
  const failed = items.filter(({ kind }) => kind === "delivery").length;
  return (
    <div class={isLive.value ? "" : "is-stale"}>
      <header class="view-head">
        <h1>Trouble</h1>
        <p class="found">{total === 0 ? "" : `${count(total)} ${plural(total, "item")} to resolve`}</p>
        {failed > 1 && <RetryAll />}
      </header>
      {total === 0 ? <Nothing /> : (
        <ul class="troubles">
          {items.map((one) => <Item key={one.key} one={one} />)}
        </ul>
      )}
      {items.length > 0 && total > items.length && <p class="more">and {count(total - items.length)} more</p>}
    </div>
  );
}

function Nothing(): JSX.Element {
  return (
    <div class="all-well">
      <Glyph name={isLive.value ? "good" : "away"} />
      <p>{isLive.value ? "Nothing needs your attention." : "Nothing needed your attention when the daemon last responded."}</p>
    </div>
  );
}

function RetryAll(): JSX.Element {
  return (
    <button type="button" class="button is-primary" disabled={!isLive.value} onClick={() => retry(null)}>
      <Glyph name="retry" />Retry all failed
    </button>
  );
}

function Item({ one }: { readonly one: TroubleItem }): JSX.Element {
  return (
    <li class={`trouble tone-${one.severity}`}>
      <Glyph name={one.severity} />
      <div class="trouble-words">
        <h2>
          <Name text={one.what} />
        </h2>
        <p class="trouble-where">
          {WHERE[one.kind]}{" "}
          <span class="mono">
            <PathText text={one.where} />
          </span>
          {one.since !== null && <span class="dim">, for {duration(now.value - one.since)}</span>}
        </p>
        <p class="trouble-message">{one.message}</p>
        {one.hint !== "" && (
          <p class="why-hint">
            <span class="what-to-do">What to do:</span> {one.hint}
          </p>
        )}
      </div>
      <Do one={one} />
    </li>
  );
}

function isPaused(name: string): boolean {
  return destinations.value?.some((one) => one.name === name && one.state === "paused") ?? false;
}

const WHERE: Readonly<Record<TroubleItem["kind"], string>> = {
  destination: "Destination",
  job: "Watched folder",
  delivery: "To",
  file: "In job",
};

function Do({ one }: { readonly one: TroubleItem }): JSX.Element | null {
  const [busy, setBusy] = useState(false);
  const { action } = one;
  const act = async (what: Promise<void>) => {
    setBusy(true);
    await what;
    setBusy(false);
  };
  if (action === null) return null;
  const off = busy || !isLive.value;
  switch (action.do) {
    case "retry":
      return (
        <div class="trouble-actions">
          <button
            type="button"
            class="button"
            disabled={off}
            aria-label={`Retry ${one.what}`}
            onClick={() => act(retry(action.ids))}
          >
            <Glyph name="retry" />Retry
          </button>
          <button type="button" class="button" aria-label={`Details of ${one.what}`} onClick={() => show(action.ids[0]!)}>
            Details
          </button>
        </div>
      );
    case "resume": {
      const word = isPaused(action.destination) ? "Resume" : "Retry now";
      return (
        <div class="trouble-actions">
          <button
            type="button"
            class="button is-primary"
            disabled={off}
            aria-label={`${word}: ${action.destination}`}
            onClick={() => act(resume(action.destination))}
          >
            <Glyph name="retry" />
            {word}
          </button>
        </div>
      );
    }
    case "scan":
      return (
        <div class="trouble-actions">
          <button
            type="button"
            class="button"
            disabled={off}
            aria-label={`Scan again: ${one.what}`}
            onClick={() => act(scan(action.job))}
          >
            <Glyph name="scan" />Scan again
          </button>
        </div>
      );
    default:
      return action satisfies never;
  }
}
