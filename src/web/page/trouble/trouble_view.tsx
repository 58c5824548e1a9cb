/** The view Trouble: what failed, why, and what to do. */
import type { JSX } from "preact";
import { useId, useState } from "preact/hooks";
import type { TroubleCause, TroubleItem, TroubleList } from "../../../reports/api_types.ts";
import { count, duration, plural } from "../parts/format.ts";
import { Glyph, type GlyphName } from "../parts/glyph.tsx";
import { Name, PathText } from "../parts/name.tsx";
import { Button } from "../parts/panel.tsx";
import { Moment } from "../parts/time.tsx";
import { act } from "../store/actions.ts";
import { useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";
import { isLive, part, troubleCount } from "../store/live.ts";
import { show } from "../store/route.ts";

const first = part("trouble");
const causes = part("troubleCauses");
const destinations = part("destinations");

/** By cause. The first 50 come with the live state; more are asked for where there are more. */
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
        {failed > 1 && (
          <Button primary disabled={!isLive.value} onClick={() => act("retry", { ids: null })} glyph="retry">
            Retry all failed
          </Button>
        )}
      </header>
      {total === 0 ? <Nothing /> : (causes.value ?? []).map((cause) => (
        <Cause
          key={cause.key}
          cause={cause}
          items={items.filter((one) => one.cause === cause.key)}
        />
      ))}
    </div>
  );
}

/** More are folded up. */
const MOST_OPEN = 3;

/** What it is, since when, how many wait; below it each item, folded up where they are many. */
function Cause({ cause, items }: { readonly cause: TroubleCause; readonly items: readonly TroubleItem[] }): JSX.Element {
  const id = useId();
  const { title, hint, since, waiting, severity, count: all } = cause;
  const list = (
    <ul class="troubles">
      {items.map((one) => <Item key={one.key} one={one} />)}
    </ul>
  );
  return (
    <section class={`cause tone-${severity}`} aria-labelledby={id}>
      <header class="cause-head">
        <Glyph name={severity} />
        <div>
          <h2 id={id}>{title}</h2>
          <p class="cause-sum">
            {since !== null && (
              <span>
                since <Moment at={since} />, {duration(now.value - since)}
              </span>
            )}
            {waiting > 0 && <span>{count(waiting)} {plural(waiting, "image")} waiting</span>}
            {all > 1 && <span>{count(all)} {plural(all, "item")}</span>}
          </p>
          {hint !== "" && items.length !== 1 && <p>{hint}</p>}
        </div>
      </header>
      {items.length <= MOST_OPEN ? list : (
        <details>
          <summary>Show {count(items.length)} {plural(items.length, "item")}</summary>
          {list}
        </details>
      )}
      {all > items.length && <p class="more">and {count(all - items.length)} more</p>}
    </section>
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

function Item({ one }: { readonly one: TroubleItem }): JSX.Element {
  return (
    <li class={`trouble tone-${one.severity}`}>
      <Glyph name={one.severity} />
      <div class="trouble-words">
        <h3>
          <Name text={one.what} />
        </h3>
        <p class="trouble-where">
          {WHERE[one.kind]} <PathText mono text={one.where} />
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

const WHERE: Readonly<Record<TroubleItem["kind"], string>> = {
  daemon: "The daemon",
  destination: "Destination",
  job: "Watched folder",
  delivery: "To",
  file: "In job",
};

/** What the page can do about it. */
function Do({ one: { action, what } }: { readonly one: TroubleItem }): JSX.Element | null {
  const [busy, setBusy] = useState(false);
  if (action === null) return null;
  const { word, glyph, primary = false, about = what, run } = remedyOf(action);
  const press = async () => {
    setBusy(true);
    await run();
    setBusy(false);
  };
  return (
    <div class="trouble-actions">
      <Button
        primary={primary}
        glyph={glyph}
        aria-label={`${word}${action.do === "retry" ? "" : ":"} ${about}`}
        disabled={busy || !isLive.value}
        onClick={press}
      >
        {word}
      </Button>
      {action.do === "retry" && <Button aria-label={`Details of ${what}`} onClick={() => show(action.ids[0]!)}>Details</Button>}
    </div>
  );
}

/** `about` is what the button is for, where that is not the item. */
interface Remedy {
  readonly word: string;
  readonly glyph: GlyphName;
  readonly primary?: boolean;
  readonly about?: string;
  readonly run: () => Promise<void>;
}

function remedyOf(action: NonNullable<TroubleItem["action"]>): Remedy {
  switch (action.do) {
    case "retry":
      return { word: "Retry", glyph: "retry", run: () => act("retry", { ids: action.ids }) };
    case "resume": {
      const { destination } = action;
      const paused = destinations.value?.some((one) => one.name === destination && one.state === "paused") ?? false;
      const button = paused ? { word: "Resume", glyph: "play" } as const : { word: "Retry now", glyph: "retry" } as const;
      return { ...button, primary: true, about: destination, run: () => act("resume", { destination }) };
    }
    case "scan":
      return { word: "Scan again", glyph: "scan", run: () => act("scan", { job: action.job }) };
    case "accept_removed":
      return { word: "End this job", glyph: "good", run: () => act("accept-removed", { job: action.job }) };
    default:
      return action satisfies never;
  }
}
