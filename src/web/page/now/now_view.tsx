/** The view Now: is everything delivered, and if not, what is there to do? */
import type { ComponentChildren, JSX } from "preact";
import { Panel, Progress } from "../parts/panel.tsx";
import { imageKey, Thumbnail } from "../parts/thumbnail.tsx";
import { isLive, live, part } from "../store/live.ts";
import { hrefOf, show } from "../store/route.ts";
import { DestinationCards } from "./destination_cards.tsx";
import { FleetPanel } from "./fleet_panel.tsx";
import { HeadlinePanel } from "./headline_panel.tsx";
import type { DeliveryView, JobView, TransferView, WaitingView } from "../../../reports/api_types.ts";
import { bytes, count, duration, rate, retrying, withHint } from "../parts/format.ts";
import { Name, PathText } from "../parts/name.tsx";
import { now } from "../store/clock.ts";
import { Glyph } from "../parts/glyph.tsx";
import { useAsk } from "../store/ask.ts";

/** Only the headline before the first snapshot; marked as stale while not connected. */
export function NowView(): JSX.Element {
  return (
    <>
      <HeadlinePanel />
      {live.value !== null && (
        <div class={`now-body${isLive.value ? "" : " is-stale"}`}>
          <DestinationCards />
          <div class="columns">
            <TransferList />
            <WaitingList />
            <QueueList />
          </div>
          <NewestStrip />
          <FleetPanel />
        </div>
      )}
    </>
  );
}

/** At most `most` of the rows; `total` of them there are, `more` is said of those that are not shown. */
interface RowsProps {
  readonly title: string;
  readonly class: string;
  readonly total: number;
  /** Said where there are none. */
  readonly nothing: string;
  readonly rows: readonly JSX.Element[];
  readonly more?: JSX.Element;
  /** Above the rows. */
  readonly children?: ComponentChildren;
}

function Rows({ title, class: name, total, nothing, rows, more, children }: RowsProps): JSX.Element {
  return (
    <Panel title={title} aside={total > 0 ? count(total) : undefined} class={name}>
      {children}
      {rows.length === 0 ? <p class="nothing">{nothing}</p> : <ul class="rows">{rows}</ul>}
      {total > rows.length && rows.length > 0 && <p class="more">{more ?? `and ${count(total - rows.length)} more`}</p>}
    </Panel>
  );
}

const newest = part("newest");
const MOST_NEWEST = 16;

/** The images that arrived last, at most 16; null while there is none. */
function NewestStrip(): JSX.Element | null {
  const all = newest.value ?? [];
  if (all.length === 0) return null;
  return (
    <Panel title="Latest images" aside={<a href={hrefOf("night")}>all images from this night</a>}>
      <ul class="strip-of-images">
        {all.slice(0, MOST_NEWEST).map((one) => <Thumbnail key={imageKey(one)} one={one} />)}
      </ul>
    </Panel>
  );
}

const transfers = part("transfers");
const status = part("status");
/** More are only counted. */
const MOST_TRANSFERS = 8;
/** A speed over less time than this means nothing. */
const MEANINGFUL_MS = 1500;

/** At most 8; speeds are the mean since each began. */
function TransferList(): JSX.Element {
  const all = transfers.value ?? [];
  const sending = Math.max(all.length, status.value?.deliveries.sending ?? 0);
  return (
    <Rows
      title="Transfers"
      class="transfers"
      total={sending}
      nothing={sending > 0 ? "Starting…" : "Nothing is being sent"}
      rows={all.slice(0, MOST_TRANSFERS).map((one) => <TransferRow key={one.id} one={one} />)}
    />
  );
}

function TransferRow({ one }: { readonly one: TransferView }): JSX.Element {
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

const waiting = part("waiting");
const jobs = part("jobs");
const MOST_FILES = 8;

const REASONS: Readonly<Record<string, string>> = {
  growing: "growing",
  quiet: "waiting until it stops changing",
  "writer open": "still being written",
  checking: "contents are being checked",
  short: "not complete yet",
  marker: "waiting for its marker file",
  incomplete: "incomplete",
  refused: "rejected",
};

/** The watched folders, and at most 8 files. */
function WaitingList(): JSX.Element {
  const all = waiting.value ?? [];
  const places = jobs.value ?? [];
  const total = Math.max(all.length, places.reduce((sum, { filesWaiting }) => sum + filesWaiting, 0));
  return (
    <Rows
      title="Incoming files"
      class="waiting"
      total={total}
      nothing="No files are being written"
      rows={all.slice(0, MOST_FILES).map((one) => <WaitingRow key={`${one.job}/${one.name}`} one={one} />)}
    >
      <ul class="places">{places.map((job) => <WatchedFolder key={job.name} job={job} />)}</ul>
    </Rows>
  );
}

function WatchedFolder({ job }: { readonly job: JobView }): JSX.Element {
  return (
    <li class={job.failure === null ? "place" : "place tone-bad"}>
      {job.failure !== null && <Glyph name="bad" />}
      <PathText mono text={job.watchPath} />
      <span class="dim">{job.failure === null ? WATCHED[job.watching ?? "none"] : "not watched"}</span>
      {job.failure !== null && <span class="why-hint">{withHint(job.failure)}</span>}
    </li>
  );
}

const WATCHED = { none: "starting", events: "watched", poll: "checked periodically" } as const;

function WaitingRow({ one }: { readonly one: WaitingView }): JSX.Element {
  const stuck = one.reason === "incomplete" || one.reason === "refused";
  const size = one.declared === null ? bytes(one.size) : `${bytes(one.size)} of ${bytes(one.declared)}`;
  return (
    <li class="transfer">
      <p class="row-line">
        <Name text={one.name} />
        <span class={stuck ? "to tone-text-warning" : "to"}>{REASONS[one.reason] ?? one.reason}</span>
      </p>
      {one.declared !== null && (
        <Progress done={one.size} all={one.declared} label={one.name} text={size} tone={stuck ? "warning" : "busy"} />
      )}
      <p class="row-note">
        <span>{size}</span>
        <span>for {duration(now.value - one.since)}</span>
      </p>
      {one.ahead?.map(({ destination, bytes: there, stalled }) => (
        <p class="row-note" key={destination}>
          <span>
            {bytes(there)} sent to {destination} already{stalled ? "; it has stopped growing" : ""}
          </span>
        </p>
      ))}
      {stuck && one.detail !== "" && <p class="row-note">{one.detail}</p>}
    </li>
  );
}

const MOST_QUEUED = 6;

/** The 6 that are sent next. */
function QueueList(): JSX.Element {
  const { queued = 0, deferred = 0, delivered = 0 } = status.value?.deliveries ?? {};
  const total = queued + deferred;
  const { answer } = useAsk<readonly DeliveryView[]>(total > 0 ? "/api/next" : null, `${queued} ${deferred} ${delivered}`);
  const rows = total > 0 ? answer?.value.slice(0, MOST_QUEUED) ?? [] : [];
  return (
    <Rows
      title="Queue"
      class="queue"
      total={total}
      nothing={total === 0 ? "The queue is empty" : "Loading…"}
      rows={rows.map((one) => <QueueRow key={one.id} one={one} />)}
      more={<a href={hrefOf("history", { state: "queued,deferred", order: "asc" })}>see all {count(total)} in History</a>}
    />
  );
}

function QueueRow({ one }: { readonly one: DeliveryView }): JSX.Element {
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
            {retryMs === null ? `waiting for ${duration(now.value - Date.parse(one.queued_at))}` : retrying(retryMs)}
          </span>
        </span>
        {one.error !== null && <span class="row-note tone-text-warning">{one.error.message}</span>}
      </button>
    </li>
  );
}
