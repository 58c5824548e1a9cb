/** The state for a screen on a wall, to be read from three metres: `?wall` in the address. */
import type { JSX, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { count, duration } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { Moment, timeText } from "../parts/time.tsx";
import { now } from "../store/clock.ts";
import { isLive, part } from "../store/live.ts";
import { CameraLines } from "./headline_panel.tsx";
import { type DestinationGroup, destinationGroups } from "./destination_cards.tsx";
import { shownHeadline } from "../store/headline.ts";

const destinations = part("destinations");
const tonight = part("tonight");
/** Of the letters: the first with which nothing is below the screen. */
const SIZES = [1, 0.92, 0.85, 0.78, 0.72, 0.66, 0.6, 0.55, 0.5] as const;

/** Nothing can be pressed there. */
export function WallView(): JSX.Element {
  const { level, text, advice } = shownHeadline.value;
  const wall = useFit();
  return (
    <main ref={wall} class={`wall level-${level}`}>
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

/** Nobody scrolls there. */
function useFit(): RefObject<HTMLElement | null> {
  const wall = useRef<HTMLElement>(null);
  const fit = () => {
    for (const size of SIZES) {
      wall.current?.style.setProperty("--fit", String(size));
      if (document.documentElement.scrollHeight <= innerHeight) return;
    }
  };
  useLayoutEffect(fit);
  useEffect(() => {
    addEventListener("resize", fit);
    return () => removeEventListener("resize", fit);
  }, []);
  return wall;
}

function Place({ group: { name, rows, tone, glyph, word } }: { readonly group: DestinationGroup }): JSX.Element {
  const sums = tonight.value?.destinations.filter((one) => one.name === name) ?? [];
  const [delivered, expected] = (["delivered", "expected"] as const).map((of) => sums.reduce((sum, one) => sum + one[of], 0));
  const [worst] = rows;
  const [since] = rows.map((one) => one.since).filter((at) => at !== null);
  return (
    <li class={`wall-place tone-${tone}`}>
      <h2>{name}</h2>
      <p class="wall-word">
        <Glyph name={glyph} />
        {word}
      </p>
      {worst?.state === "closed"
        ? (
          <p>
            {worst.until === null ? "on request" : (
              <>
                next run <Moment at={worst.until} />
              </>
            )}
          </p>
        )
        : since !== undefined && <p>for {duration(now.value - since)}</p>}
      {expected! > 0 && <p class="wall-count">{count(delivered!)} of {count(expected!)}</p>}
    </li>
  );
}
