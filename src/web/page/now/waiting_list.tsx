/**
 * Files at the camera that are not finished: growing, waited for, or given up as incomplete.
 *
 * @module
 */
import type { JSX } from "preact";
import type { JobView, WaitingView } from "../../../reports/api_types.ts";
import { bytes, count, duration } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { Name, PathText } from "../parts/name.tsx";
import { Panel } from "../parts/panel.tsx";
import { Progress } from "../parts/progress.tsx";
import { now } from "../store/clock.ts";
import { part } from "../store/live.ts";

const waiting = part("waiting");
const jobs = part("jobs");
const MOST = 8;

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
export function WaitingList(): JSX.Element {
  const all = waiting.value ?? [];
  const places = jobs.value ?? [];
  const total = Math.max(all.length, places.reduce((sum, { filesWaiting }) => sum + filesWaiting, 0));
  return (
    <Panel title="Incoming files" aside={total > 0 ? count(total) : undefined} class="waiting">
      <ul class="places">
        {places.map((job) => <Place key={job.name} job={job} />)}
      </ul>
      {all.length === 0 ? <p class="nothing">No files are being written</p> : (
        <ul class="rows">
          {all.slice(0, MOST).map((one) => <Row key={`${one.job}/${one.name}`} one={one} />)}
        </ul>
      )}
      {total > Math.min(MOST, all.length) && all.length > 0 && (
        <p class="more">and {count(total - Math.min(MOST, all.length))} more</p>
      )}
    </Panel>
  );
}

function Place({ job }: { readonly job: JobView }): JSX.Element {
  return (
    <li class={job.failure === null ? "place" : "place tone-bad"}>
      {job.failure !== null && <Glyph name="bad" />}
      <span class="mono">
        <PathText text={job.watchPath} />
      </span>
      <span class="dim">{watched(job)}</span>
      {job.failure !== null && <span class="why-hint">{`${job.failure.message}. ${job.failure.hint}`}</span>}
    </li>
  );
}

function watched({ watching, failure }: JobView): string {
  if (failure !== null) return "not watched";
  return watching === null ? "starting" : watching === "events" ? "watched" : "checked periodically";
}

function Row({ one }: { readonly one: WaitingView }): JSX.Element {
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
