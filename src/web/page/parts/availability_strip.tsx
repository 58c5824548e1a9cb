/**
 * When a destination could be delivered to, as a strip: gaps in it are outages.
 *
 * @module
 */
import type { JSX } from "preact";
import type { Outage } from "../../../reports/api_types.ts";
import { duration } from "./format.ts";
import { timeText } from "./time.tsx";

/** From `from` to `to`, milliseconds since 1970 UTC. */
interface StripProps {
  readonly name: string;
  readonly outages: readonly Outage[];
  readonly from: number;
  readonly to: number;
}

const WORDS: Readonly<Record<Outage["state"], string>> = {
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
export function AvailabilityStrip({ name, outages, from, to }: StripProps): JSX.Element {
  const shown = outages.filter((one) => (one.to ?? to) > from && one.from < to);
  const said = shown.slice(-MOST_SAID).map((one) => textOf(one)).join("; ");
  const hours = Math.round((to - from) / 3_600_000);
  return (
    <div class="strip-row">
      <div
        class="availability"
        role="img"
        aria-label={`${name} in the last ${hours} hours: ${said === "" ? "always available" : said}`}
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
      <span class="strip-scale">{hours} h</span>
    </div>
  );
}

function textOf({ state, from, to }: Outage): string {
  const until = to === null ? "until now" : `until ${timeText(to, "minute")} (${duration(to - from)})`;
  return `${WORDS[state]} from ${timeText(from, "minute")} ${until}`;
}
