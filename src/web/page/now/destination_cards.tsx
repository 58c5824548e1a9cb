/**
 * Every destination: how it is, why it takes nothing and what to do, and the numbers.
 *
 * @module
 */
import type { JSX } from "preact";
import type { DestinationView } from "../../../reports/api_types.ts";
import { ago, bytes, count, duration, rate } from "../parts/format.ts";
import { Glyph, type GlyphName } from "../parts/glyph.tsx";
import { PathText } from "../parts/name.tsx";
import { Progress } from "../parts/progress.tsx";
import { Time } from "../parts/time.tsx";
import { pause, resume } from "../store/actions.ts";
import { now } from "../store/clock.ts";
import { isLive, part } from "../store/live.ts";
import { hrefOf } from "../store/route.ts";

const destinations = part("destinations");
const tonight = part("tonight");

type Tone = "good" | "busy" | "warning" | "bad";

/** One card for each destination of each job. */
export function DestinationCards(): JSX.Element {
  const all = destinations.value ?? [];
  const severalJobs = new Set(all.map(({ job }) => job)).size > 1;
  return (
    <section aria-labelledby="destinations">
      <h2 id="destinations" class="unseen">Destinations</h2>
      <ul class="cards">
        {all.map((one) => <Card key={`${one.job}/${one.name}`} one={one} severalJobs={severalJobs} />)}
      </ul>
    </section>
  );
}

function Card({ one, severalJobs }: { readonly one: DestinationView; readonly severalJobs: boolean }): JSX.Element {
  const { tone, glyph, word } = conditionOf(one);
  const sum = tonight.value?.destinations.find(({ job, name }) => job === one.job && name === one.name);
  return (
    <li class={`card tone-${tone}`}>
      <header class="card-head">
        <h3>{one.name}</h3>
        <span class="pill">
          <Glyph name={glyph} />
          {word}
        </span>
      </header>
      <p class="card-place">
        {severalJobs && <span class="job">{one.job}</span>}
        <span class="mono">
          <PathText text={one.place} />
        </span>{" "}
        <span class="method">{one.method}</span>
      </p>
      <Why one={one} />
      {sum !== undefined && sum.expected > 0 && (
        <div class="card-night">
          <p>
            <strong>{count(sum.delivered)}</strong> of {count(sum.expected)} tonight
            {sum.failed > 0 && <a class="tone-text-bad" href={hrefOf("trouble")}>{count(sum.failed)} failed</a>}
          </p>
          <Progress
            done={sum.delivered}
            all={sum.expected}
            label={`Tonight's images on ${one.name}`}
            text={`${sum.delivered} of ${sum.expected}`}
            tone={sum.failed > 0 ? "bad" : sum.delivered >= sum.expected ? "good" : tone === "good" ? "busy" : tone}
          />
        </div>
      )}
      <Numbers one={one} />
      {isLive.value && <CardActions one={one} />}
    </li>
  );
}

function conditionOf({ state, counts, bytesPerSecond }: DestinationView): { tone: Tone; glyph: GlyphName; word: string } {
  switch (state) {
    case "on_hold":
      return { tone: "bad", glyph: "bad", word: "On hold" };
    case "backing_off":
      return { tone: "warning", glyph: "warning", word: "Unavailable" };
    case "paused":
      return { tone: "warning", glyph: "pause", word: "Paused" };
    case "closed":
      return { tone: "good", glyph: "night", word: "Closed" };
    case "open":
      return counts.sending > 0 || bytesPerSecond > 0
        ? { tone: "busy", glyph: "busy", word: "Sending" }
        : { tone: "good", glyph: "good", word: "Ready" };
    default:
      return state satisfies never;
  }
}

function Why({ one }: { readonly one: DestinationView }): JSX.Element | null {
  if (one.pausedBy !== null) {
    return <p class="why">Paused by {one.pausedBy}. Nothing is lost; images are waiting in the queue.</p>;
  }
  if (one.state === "closed") {
    return (
      <p class="why">
        {one.until === null ? "Sends when you choose Scan now." : (
          <>
            Sends next at <Time at={one.until} />, by its schedule.
          </>
        )}
      </p>
    );
  }
  if (one.failure === null) return null;
  const leftMs = one.until === null ? null : one.until - now.value;
  return (
    <div class="why">
      <p class="why-message">{one.failure.message}</p>
      {one.failure.hint !== "" && <p class="why-hint">{one.failure.hint}</p>}
      {leftMs !== null && isLive.value && <p class="dim">{leftMs < 1000 ? "Retrying now" : `Retrying in ${duration(leftMs)}`}</p>}
    </div>
  );
}

function Numbers({ one }: { readonly one: DestinationView }): JSX.Element {
  const waiting = one.counts.queued + one.counts.sending + one.counts.deferred;
  const lagMs = one.oldestWaiting === null ? null : now.value - one.oldestWaiting;
  return (
    <dl class="numbers">
      <div>
        <dt>Speed</dt>
        <dd>
          {one.bytesPerSecond > 0 ? rate(one.bytesPerSecond) : "–"}
          {one.limit !== null && <span class="dim">limit {rate(one.limit)}</span>}
        </dd>
      </div>
      <div>
        <dt>Waiting</dt>
        <dd>{count(waiting)}</dd>
      </div>
      <div>
        <dt>Lag</dt>
        <dd>{lagMs === null ? "none" : duration(lagMs)}</dd>
      </div>
      <div>
        <dt>Free</dt>
        <dd>{one.freeBytes === null ? "unknown" : bytes(one.freeBytes)}</dd>
      </div>
      <div class="numbers-wide">
        <dt>Last delivery</dt>
        <dd>
          {one.lastDelivered === null ? "none yet" : (
            <>
              <Time at={one.lastDelivered} /> <span class="dim">{ago(now.value - one.lastDelivered)}</span>
            </>
          )}
        </dd>
      </div>
    </dl>
  );
}

function CardActions({ one }: { readonly one: DestinationView }): JSX.Element {
  const { name, state } = one;
  return (
    <div class="card-actions">
      {(state === "on_hold" || state === "backing_off") && (
        <button
          type="button"
          class="button is-primary"
          aria-label={`Retry now: ${name}`}
          onClick={() => resume(name)}
        >
          <Glyph name="retry" />Retry now
        </button>
      )}
      {state === "paused"
        ? (
          <button type="button" class="button is-primary" aria-label={`Resume ${name}`} onClick={() => resume(name)}>
            <Glyph name="play" />Resume
          </button>
        )
        : (
          <button type="button" class="button" aria-label={`Pause ${name}`} onClick={() => pause(name)}>
            <Glyph name="pause" />Pause
          </button>
        )}
    </div>
  );
}
