/**
 * One card for each destination, those in trouble first: how it is, why it takes nothing and what to do, and its jobs as rows.
 */
import type { JSX } from "preact";
import type { DestinationView, Outage } from "../../../reports/api_types.ts";
import { ago, bytes, count, duration, rate } from "../parts/format.ts";
import { Glyph, type GlyphName } from "../parts/glyph.tsx";
import { PathText } from "../parts/name.tsx";
import { Button, Facts, Progress, Why } from "../parts/panel.tsx";
import { Moment, Time, timeText } from "../parts/time.tsx";
import { act } from "../store/actions.ts";
import { now } from "../store/clock.ts";
import { isLive, part } from "../store/live.ts";
import { hrefOf } from "../store/route.ts";

const destinations = part("destinations");
const tonight = part("tonight");
const STRIP_HOURS = 12;
const STRIP_MS = STRIP_HOURS * 3_600_000;

/** Compact where all is well with it. */
export function DestinationCards(): JSX.Element {
  return (
    <section aria-labelledby="destinations">
      <h2 id="destinations" class="unseen">Destinations</h2>
      <ul class="cards">
        {destinationGroups(destinations.value ?? []).map((group) => <Card key={group.name} group={group} />)}
      </ul>
    </section>
  );
}

function Card({ group }: { readonly group: DestinationGroup }): JSX.Element {
  const { name, rows, tone, glyph, word } = group;
  const isTroubled = tone === "bad" || tone === "warning";
  const [worst] = rows;
  return (
    <li class={`card tone-${tone}${isTroubled ? "" : " is-compact"}`}>
      <header class="card-head">
        <h3>{name}</h3>
        <span class="pill">
          <Glyph name={glyph} />
          {word}
        </span>
      </header>
      <ul class="job-rows">
        {rows.map((one, at) => (
          <JobRow
            key={one.job}
            one={one}
            isOnly={rows.length === 1}
            // What holds all of them is said once.
            saysWhy={at === 0 || troubleOf(one) !== troubleOf(rows[at - 1]!)}
          />
        ))}
      </ul>
      {worst !== undefined && <AvailabilityStrip one={worst} />}
      {isLive.value && <CardActions group={group} />}
    </li>
  );
}

function troubleOf({ state, failure, pausedBy }: DestinationView): string {
  return JSON.stringify([state, failure?.message, pausedBy]);
}

interface RowProps {
  readonly one: DestinationView;
  readonly isOnly: boolean;
  readonly saysWhy: boolean;
}

/** What goes there from one job. */
function JobRow({ one, isOnly, saysWhy }: RowProps): JSX.Element {
  const { tone } = conditionOf(one);
  const sum = tonight.value?.destinations.find(({ job, name }) => job === one.job && name === one.name);
  return (
    <li class={`job-row tone-${tone}`}>
      <p class="card-place">
        {!isOnly && <span class="job">{one.job}</span>}
        <PathText mono text={one.place} /> <span class="method">{one.method}</span>
      </p>
      {saysWhy && <WhyNot one={one} />}
      {one.removalsHeld !== null && (
        <Why
          message={`Nothing is removed there: ${one.removalsHeld.reason}`}
          hint={
            <>
              If the files were deleted on purpose, run: <code>{one.removalsHeld.accept}</code>
            </>
          }
        />
      )}
      {sum !== undefined && sum.expected > 0 && (
        <div class="card-night">
          <p>
            <strong>{count(sum.delivered)}</strong> of {count(sum.expected)} tonight
            {sum.failed > 0 && <a class="tone-text-bad" href={hrefOf("trouble")}>{count(sum.failed)} failed</a>}
          </p>
          <Progress
            done={sum.delivered}
            all={sum.expected}
            label={`Tonight's images on ${one.name}${isOnly ? "" : ` from ${one.job}`}`}
            text={`${sum.delivered} of ${sum.expected}`}
            tone={sum.failed > 0 ? "bad" : sum.delivered >= sum.expected ? "good" : tone === "good" ? "busy" : tone}
          />
        </div>
      )}
      <Numbers one={one} />
    </li>
  );
}

/** Since when, why, and what to do. */
function WhyNot({ one }: { readonly one: DestinationView }): JSX.Element | null {
  const since = one.since === null ? null : (
    <p class="dim">
      Since <Time at={one.since} shape="minute" />, {duration(now.value - one.since)}
    </p>
  );
  if (one.pausedBy !== null) {
    return (
      <div class="why">
        <p>Paused by {one.pausedBy}. Nothing is lost; images are waiting in the queue.</p>
        {since}
      </div>
    );
  }
  if (one.state === "closed") {
    return (
      <p class="next-run">
        {one.until === null ? "Sends when you choose Send now." : (
          <>
            Next run <Moment at={one.until} />, in {duration(one.until - now.value)}
          </>
        )}
      </p>
    );
  }
  if (one.failure === null) return null;
  const leftMs = one.until === null ? null : one.until - now.value;
  return (
    <Why {...one.failure}>
      {since}
      {leftMs !== null && isLive.value && <p class="dim">{leftMs < 1000 ? "Retrying now" : `Retrying in ${duration(leftMs)}`}</p>}
    </Why>
  );
}

function Numbers({ one }: { readonly one: DestinationView }): JSX.Element {
  const waiting = one.counts.queued + one.counts.sending + one.counts.deferred;
  const lagMs = one.oldestWaiting === null ? null : now.value - one.oldestWaiting;
  const limit = one.limit === null ? null : <span class="dim">limit {rate(one.limit)}</span>;
  const last = one.lastDelivered === null ? "none yet" : (
    <>
      <Moment at={one.lastDelivered} /> <span class="dim">{ago(now.value - one.lastDelivered)}</span>
    </>
  );
  return (
    <Facts
      class="numbers"
      of={{
        Speed: one.bytesPerSecond > 0 ? [rate(one.bytesPerSecond), limit] : null,
        Waiting: waiting > 0 ? count(waiting) : null,
        Lag: lagMs === null ? null : duration(lagMs),
        Free: one.freeBytes === null ? "unknown" : bytes(one.freeBytes),
        "Last delivery": last,
      }}
    />
  );
}

function CardActions({ group: { name, rows } }: { readonly group: DestinationGroup }): JSX.Element {
  const is = (...states: DestinationView["state"][]) => rows.some(({ state }) => states.includes(state));
  return (
    <div class="card-actions">
      {is("on_hold", "backing_off") && (
        <Button
          primary
          aria-label={`Retry now: ${name}`}
          onClick={() => act("resume", { destination: name })}
          glyph="retry"
        >
          Retry now
        </Button>
      )}
      {rows.filter(({ state }) => state === "closed").map(({ job }) => (
        <Button
          key={job}
          aria-label={`Send now: ${job}`}
          onClick={() => act("scan", { job })}
          glyph="busy"
        >
          Send now{rows.length > 1 && ` (${job})`}
        </Button>
      ))}
      {is("paused")
        ? (
          <Button primary aria-label={`Resume ${name}`} onClick={() => act("resume", { destination: name })} glyph="play">
            Resume
          </Button>
        )
        : <Button aria-label={`Pause ${name}`} onClick={() => act("pause", { destination: name })} glyph="pause">Pause</Button>}
    </div>
  );
}

const WORST_FIRST = ["bad", "warning", "busy", "good"] as const;

/** How a destination is, in a word and a sign. */
interface Condition {
  readonly tone: typeof WORST_FIRST[number];
  readonly glyph: GlyphName;
  readonly word: string;
}

/** The jobs that send to destinations of one name, worst first; the condition is that of the worst. */
export interface DestinationGroup extends Condition {
  readonly name: string;
  readonly rows: readonly DestinationView[];
}

export function destinationGroups(all: readonly DestinationView[]): DestinationGroup[] {
  const groups = [...Map.groupBy(all, ({ name }) => name)].map(([name, its]) => {
    const rows = its.toSorted((a, b) => rank(conditionOf(a)) - rank(conditionOf(b)));
    return { name, rows, ...conditionOf(rows[0]!) };
  });
  // What is being sent stays in its place: cards that jump cannot be read.
  return groups.toSorted((a, b) => Math.min(2, rank(a)) - Math.min(2, rank(b)));
}

function rank({ tone }: Condition): number {
  return WORST_FIRST.indexOf(tone);
}

function conditionOf({ state, counts, bytesPerSecond, removalsHeld }: DestinationView): Condition {
  switch (state) {
    case "on_hold":
      return { tone: "bad", glyph: "bad", word: "On hold" };
    case "backing_off":
      return { tone: "warning", glyph: "warning", word: "Unavailable" };
    case "paused":
      return { tone: "warning", glyph: "pause", word: "Paused" };
    case "closed":
    case "open":
      if (removalsHeld !== null) return { tone: "warning", glyph: "warning", word: "Removals wait" };
      if (state === "closed") return { tone: "good", glyph: "night", word: "Scheduled" };
      return counts.sending > 0 || bytesPerSecond > 0
        ? { tone: "busy", glyph: "busy", word: "Sending" }
        : { tone: "good", glyph: "good", word: "Ready" };
    default:
      return state satisfies never;
  }
}

const OUTAGE_WORDS: Readonly<Record<Outage["state"], string>> = {
  on_hold: "on hold",
  backing_off: "unavailable",
  paused: "paused",
  closed: "waiting for its schedule",
  stopped: "daemon stopped",
  lost: "daemon not running",
};
/** Read out at most. */
const MOST_SAID = 5;

/** The outages are named for screen readers, and each when it is pointed at. */
function AvailabilityStrip({ one: { name, outages } }: { readonly one: DestinationView }): JSX.Element {
  const [from, to] = [now.value - STRIP_MS, now.value];
  const shown = outages.filter((one) => (one.to ?? to) > from && one.from < to);
  const said = shown.slice(-MOST_SAID).map((one) => textOf(one)).join("; ");
  return (
    <div class="strip-row">
      <div
        class="availability"
        role="img"
        aria-label={`${name} in the last ${STRIP_HOURS} hours: ${said === "" ? "always available" : said}`}
      >
        {shown.map((one) => {
          const left = Math.max(0, (one.from - from) / (to - from));
          const width = Math.min(1, ((one.to ?? to) - from) / (to - from)) - left;
          return (
            <span
              key={one.from}
              class={`out-${one.state}`}
              title={textOf(one)}
              style={{ left: `${left * 100}%`, width: `max(3px, ${width * 100}%)` }}
            />
          );
        })}
      </div>
      <span class="strip-scale">{STRIP_HOURS} h</span>
    </div>
  );
}

function textOf({ state, from, to }: Outage): string {
  const until = to === null ? "until now" : `until ${timeText(to, "minute")} (${duration(to - from)})`;
  return `${OUTAGE_WORDS[state]} from ${timeText(from, "minute")} ${until}`;
}
