/**
 * The state for a screen on a wall, to be read from three metres: `?wall` in the address.
 *
 * @module
 */
import type { JSX } from "preact";
import { count, duration } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { timeText } from "../parts/time.tsx";
import { now } from "../store/clock.ts";
import { isLive, part } from "../store/live.ts";
import { CameraLines } from "./camera_lines.tsx";
import { type DestinationGroup, destinationGroups } from "./destination_groups.ts";
import { shownHeadline } from "./shown_headline.ts";

const destinations = part("destinations");
const tonight = part("tonight");

/** Nothing can be pressed there. */
export function WallView(): JSX.Element {
  const { level, text, advice } = shownHeadline.value;
  return (
    <main class={`wall level-${level}`}>
      <section class="wall-headline" aria-label="Status">
        <Glyph name={level} />
        <div>
          <h1>{text}</h1>
          {advice !== "" && <p class="wall-advice">{advice}</p>}
        </div>
      </section>
      <ul class={`wall-places${isLive.value ? "" : " is-stale"}`}>
        {destinationGroups(destinations.value ?? []).map((group) => <Place key={group.name} group={group} />)}
      </ul>
      <footer class="wall-foot">
        <CameraLines />
        <p class="wall-clock">{timeText(now.value, "minute")}</p>
      </footer>
    </main>
  );
}

function Place({ group: { name, rows, tone, glyph, word } }: { readonly group: DestinationGroup }): JSX.Element {
  const sums = tonight.value?.destinations.filter((one) => one.name === name) ?? [];
  const [delivered, expected] = [
    sums.reduce((sum, one) => sum + one.delivered, 0),
    sums.reduce((sum, one) => sum + one.expected, 0),
  ];
  const [worst] = rows;
  const [since] = rows.map((one) => one.since).filter((at) => at !== null);
  return (
    <li class={`wall-place tone-${tone}`}>
      <h2>{name}</h2>
      <p class="wall-word">
        <Glyph name={glyph} />
        {word}
      </p>
      {worst?.state === "closed" && worst.until !== null
        ? <p>next run {timeText(worst.until, "minute")}</p>
        : since !== undefined && <p>for {duration(now.value - since)}</p>}
      {expected > 0 && <p class="wall-count">{count(delivered)} of {count(expected)}</p>}
    </li>
  );
}
