/**
 * When each camera made its last image, and whether it should have made another by now.
 *
 * @module
 */
import type { JSX } from "preact";
import type { JobView } from "../../../reports/api_types.ts";
import { ago, duration } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { Moment } from "../parts/time.tsx";
import { now } from "../store/clock.ts";
import { part } from "../store/live.ts";

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
