/**
 * The bar at the top: views, connection, time scale, colours. On a phone the views lie at the bottom, where a thumb reaches them.
 *
 * @module
 */
import type { JSX } from "preact";
import { shownHeadline } from "../now/shown_headline.ts";
import { helpIsOpen } from "../shortcuts.ts";
import { now } from "../store/clock.ts";
import { heardAt, link, toldAt, troubleCount } from "../store/live.ts";
import { nextTheme, preferences, THEMES, type Zone } from "../store/preferences.ts";
import { hrefOf, route, type View } from "../store/route.ts";
import { ago, count } from "./format.ts";
import { Glyph } from "./glyph.tsx";
import { nextZone, timeText } from "./time.tsx";

const NAMES: Readonly<Record<View, string>> = {
  now: "Now",
  night: "Night",
  history: "History",
  trouble: "Trouble",
  setup: "Setup",
};

/** Stands above every view; outside Now with the headline in short. */
export function Bar(): JSX.Element {
  const { view } = route.value;
  return (
    <header class="bar">
      <a class="brand" href={hrefOf("now")} aria-label="image-transfer">
        <img src="/assets/icon.svg" alt="" width="28" height="28" />
        <span>image-transfer</span>
      </a>
      <nav class="tabs" aria-label="Views">
        {(Object.keys(NAMES) as View[]).map((name) => (
          <a key={name} class="tab" href={hrefOf(name)} aria-current={name === view ? "page" : undefined}>
            <Glyph name={name} />
            <span>{NAMES[name]}</span>
            {name === "trouble" && troubleCount.value > 0 && (
              <span class="badge">
                {count(troubleCount.value)}
                <span class="unseen">&nbsp;to resolve</span>
              </span>
            )}
          </a>
        ))}
      </nav>
      <div class="bar-end">
        <Connection />
        <Switches />
      </div>
      {view !== "now" && <Strip />}
    </header>
  );
}

function Connection(): JSX.Element {
  const { kind } = link.value;
  if (kind === "live") {
    return (
      <p class="connection is-live" title="Changes appear immediately">
        <span class="pulse" />
        <span>Live</span>
        <span class="clock">{timeText(now.value, "clock")}</span>
      </p>
    );
  }
  if (kind === "connecting" || heardAt.value === 0) {
    return (
      <p class="connection">
        <span class="pulse" />Connecting…
      </p>
    );
  }
  return (
    <p class="connection is-lost" title={`Data as of ${timeText(toldAt.value, "full")}`}>
      <Glyph name="away" />
      <span>Last update {now.value && ago(Date.now() - heardAt.value)}</span>
    </p>
  );
}

function Switches(): JSX.Element {
  const { theme, zone } = preferences;
  const next = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length]!;
  return (
    <div class="switches">
      <button
        type="button"
        class="switch"
        aria-label={`Times: ${ZONE_NAMES[zone.value]}. Change`}
        title={`Times: ${ZONE_NAMES[zone.value]}; change (u)`}
        onClick={nextZone}
      >
        {zone.value}
      </button>
      <button
        type="button"
        class="switch"
        aria-label={`Colours: ${theme.value}. Change to ${next}`}
        title={`Colours: ${theme.value}; next: ${next} (c)`}
        onClick={nextTheme}
      >
        <Glyph name={theme.value} />
      </button>
      <button
        type="button"
        class="switch wide-only"
        aria-label="Help and shortcuts"
        title="Help and shortcuts (?)"
        onClick={() => helpIsOpen.value = true}
      >
        <Glyph name="help" />
      </button>
    </div>
  );
}

const ZONE_NAMES: Readonly<Record<Zone, string>> = { site: "of the site", UT: "UT", mine: "of this browser" };

/** The headline in short, wherever one is. */
function Strip(): JSX.Element {
  const { level, text } = shownHeadline.value;
  return (
    <a class={`strip level-${level}`} href={hrefOf("now")}>
      <Glyph name={level} />
      <span>{text}</span>
    </a>
  );
}
