/**
 * The frame of the page: where one is, whether it is live, the view, and what is said in between.
 *
 * @module
 */
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { HistoryView } from "./history/history_view.tsx";
import { ImageDialog } from "./image/image_dialog.tsx";
import { NightView } from "./night/night_view.tsx";
import { NowView } from "./now/now_view.tsx";
import { WallView } from "./now/wall_view.tsx";
import { Announcer } from "./parts/announcer.tsx";
import { Bar } from "./parts/bar.tsx";
import { HelpDialog } from "./parts/help_dialog.tsx";
import { SessionOver } from "./parts/session_over.tsx";
import { Toasts } from "./parts/toasts.tsx";
import { shownHeadline } from "./now/shown_headline.ts";
import { link, live } from "./store/live.ts";
import { SetupView } from "./setup/setup_view.tsx";
import { route, type View } from "./store/route.ts";
import { TroubleView } from "./trouble/trouble_view.tsx";

/** Decided by the address, once. */
const isWall = new URLSearchParams(location.search).has("wall");

const TITLES: Readonly<Record<View, string>> = {
  now: "Now",
  night: "Night",
  history: "History",
  trouble: "Trouble",
  setup: "Setup",
};

/** Rendered once; everything else is drawn by the signals of `store/`. */
export function App(): JSX.Element {
  const { view, query } = route.value;
  const { kind } = link.value;
  useTitle(view);
  if (kind === "no_session") return <SessionOver />;
  if (isWall) return <WallView />;
  const shown = Number(query["show"]);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>Skip to content</a>
      <Bar />
      <main id="main" tabIndex={-1} class={`view view-${view}`} aria-busy={live.value === null}>
        {view === "now" && <NowView />}
        {view === "night" && <NightView />}
        {view === "history" && <HistoryView />}
        {view === "trouble" && <TroubleView />}
        {view === "setup" && <SetupView />}
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
    document.title = `${sign} ${text} · ${TITLES[view]}`;
  }, [sign, text, view]);
}

function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("main")?.focus();
}
