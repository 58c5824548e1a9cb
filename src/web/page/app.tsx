/** The frame of the page: where one is, whether it is live, the view, and what is said in between. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { HistoryView } from "./history/history_view.tsx";
import { ImageDialog } from "./image/image_dialog.tsx";
import { NightView } from "./night/night_view.tsx";
import { NowView } from "./now/now_view.tsx";
import { WallView } from "./now/wall_view.tsx";
import { HelpDialog, helpIsOpen } from "./help.tsx";
import { shownHeadline } from "./store/headline.ts";
import { heardAt, link, live, toldAt, troubleCount } from "./store/live.ts";
import { SetupView } from "./setup/setup_view.tsx";
import { hrefOf, route, type View, VIEWS } from "./store/route.ts";
import { TroubleView } from "./trouble/trouble_view.tsx";
import { now } from "./store/clock.ts";
import { nextTheme, preferences, THEMES, type Zone } from "./store/preferences.ts";
import { ago, count } from "./parts/format.ts";
import { Glyph } from "./parts/glyph.tsx";
import { Quiet } from "./parts/panel.tsx";
import { nextZone, timeText } from "./parts/time.tsx";
import { dismiss, toasts } from "./store/actions.ts";

/** Decided by the address, once. */
const isWall = new URLSearchParams(location.search).has("wall");

const SHOWN: Readonly<Record<View, { readonly title: string; readonly Content: () => JSX.Element }>> = {
  now: { title: "Now", Content: NowView },
  night: { title: "Night", Content: NightView },
  history: { title: "History", Content: HistoryView },
  trouble: { title: "Trouble", Content: TroubleView },
  setup: { title: "Setup", Content: SetupView },
};

/** Rendered once; everything else is drawn by the signals of `store/`. */
export function App(): JSX.Element {
  const { view, query } = route.value;
  const { kind } = link.value;
  useTitle(view);
  if (kind === "no_session") return <SessionOver />;
  if (isWall) return <WallView />;
  const { Content } = SHOWN[view];
  const shown = Number(query["show"]);
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")?.focus();
        }}
      >
        Skip to content
      </a>
      <Bar />
      <main id="main" tabIndex={-1} class={`view view-${view}`} aria-busy={live.value === null}>
        <Content key={view} />
      </main>
      {Number.isSafeInteger(shown) && shown > 0 && <ImageDialog id={shown} />}
      <HelpDialog />
      <Toasts />
      <Announcer />
    </>
  );
}

/** The tab of the browser tells the state as well. */
function useTitle(view: View): void {
  const { level, text } = shownHeadline.value;
  const sign = { good: "✓", busy: "↑", warning: "…", bad: "⚠", away: "–" }[level];
  useEffect(() => {
    document.title = `${sign} ${text} · ${SHOWN[view].title}`;
  }, [sign, text, view]);
}

/** Stands above every view; outside Now with the headline in short. */
function Bar(): JSX.Element {
  const { view } = route.value;
  const { level, text } = shownHeadline.value;
  return (
    <header class="bar">
      <a class="brand" href={hrefOf("now")} aria-label="image-transfer">
        <img src="/assets/icon.svg" alt="" width="28" height="28" />
        <span>image-transfer</span>
      </a>
      <nav class="tabs" aria-label="Views">
        {VIEWS.map((name) => (
          <a key={name} class="tab" href={hrefOf(name)} aria-current={name === view ? "page" : undefined}>
            <Glyph name={name} />
            <span>{SHOWN[name].title}</span>
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
      {view !== "now" && (
        <a class={`strip level-${level}`} href={hrefOf("now")}>
          <Glyph name={level} />
          <span>{text}</span>
        </a>
      )}
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
  const times = ZONE_NAMES[zone.value];
  return (
    <div class="switches">
      <Switch label={`Times: ${times}. Change`} title={`Times: ${times}; change (u)`} onClick={nextZone}>{zone.value}</Switch>
      <Switch
        label={`Colours: ${theme.value}. Change to ${next}`}
        title={`Colours: ${theme.value}; next: ${next} (c)`}
        onClick={nextTheme}
      >
        <Glyph name={theme.value} />
      </Switch>
      <Switch
        class="switch wide-only"
        label="Help and shortcuts"
        title="Help and shortcuts (?)"
        onClick={() => helpIsOpen.value = true}
      >
        <Glyph name="help" />
      </Switch>
    </div>
  );
}

interface SwitchProps {
  readonly class?: string;
  readonly label: string;
  readonly title: string;
  readonly onClick: () => void;
  readonly children: ComponentChildren;
}

function Switch({ class: name = "switch", label, ...rest }: SwitchProps): JSX.Element {
  return <button type="button" class={name} aria-label={label} {...rest} />;
}

const ZONE_NAMES: Readonly<Record<Zone, string>> = { site: "of the site", UT: "UT", mine: "of this browser" };

const QUIET_MS = 30_000;

/** A live region (WAI-ARIA 1.2, `status`); the same level is said again after 30 s at the earliest. */
function Announcer(): JSX.Element {
  const { level, text, advice } = shownHeadline.value;
  const [said, say] = useState("");
  const last = useRef({ level: "", at: 0 });
  useEffect(() => {
    const waitMs = last.current.level === level ? Math.max(0, last.current.at + QUIET_MS - Date.now()) : 0;
    const timer = setTimeout(() => {
      last.current = { level, at: Date.now() };
      // Without the advice where it counts down.
      say(level === "away" ? text : `${text}. ${advice}`);
    }, waitMs);
    return () => clearTimeout(timer);
  }, [level, text]);
  return <p class="unseen" role="status" aria-live="polite">{said}</p>;
}

/** Takes the place of the whole page while `link` says `no_session`. */
function SessionOver(): JSX.Element {
  return (
    <main class="session-over">
      <img src="/assets/icon.svg" alt="" width="56" height="56" />
      <h1>Your session has ended</h1>
      <p>On the computer where the daemon runs, this command opens the page again:</p>
      <pre>image-transfer open</pre>
      <p>
        Or <a href="/">log in with the token</a>. Delivery continues in the meantime, and this page resumes as soon as you log in.
      </p>
    </main>
  );
}

/** A log (WAI-ARIA 1.2) of the last three. */
function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="log" aria-live="polite" aria-label="Notifications">
      {toasts.value.map(({ id, level, text }) => (
        <div key={id} class={`toast level-${level}`}>
          <Glyph name={level} />
          <span>{text}</span>
          <Quiet glyph="close" label="Dismiss" onClick={() => dismiss(id)} />
        </div>
      ))}
    </div>
  );
}
