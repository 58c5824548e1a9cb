/** The headline, in type that can be read from a distance, what to do about it, and the night in numbers. */
import type { JSX } from "preact";
import { ago, bytes, count, duration, plural } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { Button } from "../parts/panel.tsx";
import { Moment, nightName } from "../parts/time.tsx";
import { act } from "../store/actions.ts";
import { now } from "../store/clock.ts";
import { isLive, link, live, part, reconnect } from "../store/live.ts";
import { hrefOf } from "../store/route.ts";
import { shownHeadline } from "../store/headline.ts";
import type { JobView } from "../../../reports/api_types.ts";

const tonight = part("tonight");
const destinations = part("destinations");

/** Its buttons act on all destinations, and are shown only while connected. */
export function HeadlinePanel(): JSX.Element {
  const { level, text, advice } = shownHeadline.value;
  return (
    <section class={`headline level-${level}`} aria-label="Status">
      <Glyph name={level} />
      <div class="headline-words">
        <h1>{text}</h1>
        {advice !== "" && <p class="advice">{advice}</p>}
        <CameraLines />
        <Foot />
      </div>
      <div class="headline-actions">
        {isLive.value ? <Actions /> : link.value.kind === "lost" && (
          <Button onClick={reconnect} glyph="retry">
            Reconnect now<span class="dim">{countdown(link.value.retryAt)}</span>
          </Button>
        )}
      </div>
    </section>
  );
}

function Foot(): JSX.Element | null {
  const sum = tonight.value;
  if (sum === null || live.value === null) return null;
  // Seen, and counted nowhere else: they are incomplete, or were rejected.
  const notTaken = live.value.jobs.reduce((all, one) => all + one.notTaken, 0);
  return (
    <p class="headline-foot">
      <a href={hrefOf("night")}>Night of {nightName(sum.night)}</a>
      <span>{count(sum.files)} {plural(sum.files, "image")}</span>
      {sum.files > 0 && <span>{bytes(sum.bytes)}</span>}
      {notTaken > 0 && (
        <a class="tone-text-warning" href={hrefOf("trouble")}>
          {count(notTaken)} not taken
        </a>
      )}
    </p>
  );
}

function Actions(): JSX.Element {
  const all = destinations.value ?? [];
  const paused = all.filter(({ state }) => state === "paused").length;
  const everything = all.length > 1 ? " all" : "";
  return (
    <>
      <Button onClick={() => act("scan", {})} glyph="scan">Scan now</Button>
      {paused < all.length && <Button onClick={() => act("pause", { destination: null })} glyph="pause">Pause{everything}
      </Button>}
      {paused > 0 && <Button primary onClick={() => act("resume", { destination: null })} glyph="play">Resume{everything}
      </Button>}
    </>
  );
}

/** By the browser's own clock. */
function countdown(until: number): string {
  const leftMs = now.value === 0 ? 0 : until - Date.now();
  return leftMs < 1000 ? "" : `\u00a0(${duration(leftMs)})`;
}

const jobs = part("jobs");

/** One line for each job that has images, silent ones first: `Last image 05:20 CET, 3 h 47 min ago, usually every 2 min`. */
export function CameraLines(): JSX.Element | null {
  const all = (jobs.value ?? []).filter(({ lastImage }) => lastImage !== null)
    .sort((a, b) => Number(b.silent) - Number(a.silent));
  if (all.length === 0) return null;
  return (
    <ul class="cameras">
      {all.map((job) => <Camera key={job.name} job={job} isOnly={(jobs.value ?? []).length === 1} />)}
    </ul>
  );
}

function Camera({ job, isOnly }: { readonly job: JobView; readonly isOnly: boolean }): JSX.Element {
  const { name, silent, usualMs } = job;
  const lastImage = job.lastImage ?? 0;
  const agoMs = now.value - lastImage;
  return (
    <li class={silent ? "camera is-silent" : "camera"}>
      <Glyph name={silent ? "warning" : "image"} />
      <span>
        {isOnly ? "Last image " : (
          <>
            <strong>{name}</strong>: last image{" "}
          </>
        )}
        <Moment at={lastImage} />, {ago(agoMs)}
        {usualMs !== null && `, usually every ${duration(usualMs)}`}
      </span>
    </li>
  );
}
