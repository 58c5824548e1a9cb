/**
 * The computers that report to the same PocketBase server, worst first; a click leads to the page of one.
 *
 * @module
 */
import type { JSX } from "preact";
import { printable } from "../../../domain/names/printable.ts";
import type { FleetMember, FleetNow } from "../../../domain/fleet.ts";
import { ago, count, plural } from "../parts/format.ts";
import { Glyph, type GlyphName } from "../parts/glyph.tsx";
import { Panel } from "../parts/panel.tsx";
import { useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";

const EVERY_MS = 30_000;
const LOOKS = {
  offline: { glyph: "away", tone: "bad", word: "offline" },
  bad: { glyph: "bad", tone: "bad", word: "needs attention" },
  warning: { glyph: "warning", tone: "warning", word: "waiting" },
  unknown: { glyph: "away", tone: "warning", word: "unknown" },
  busy: { glyph: "busy", tone: "busy", word: "delivering" },
  good: { glyph: "good", tone: "good", word: "well" },
} as const satisfies Record<FleetMember["level"], { glyph: GlyphName; tone: string; word: string }>;

/** Null without a server. */
export function FleetPanel(): JSX.Element | null {
  const { answer } = useAsk<FleetNow | null>("/api/fleet", Math.floor(now.value / EVERY_MS), EVERY_MS);
  const fleet = answer?.value ?? null;
  if (fleet === null) return null;
  const well = fleet.members.filter(({ level }) => level === "good" || level === "busy").length;
  return (
    <Panel
      title="All computers"
      class="fleet"
      aside={
        <span class="dim">
          {count(well)} of {count(fleet.members.length)} well, as of {ago(Math.max(0, now.value - fleet.at))}
        </span>
      }
    >
      <ul class="rows">
        {fleet.members.map((one) => <Member key={one.name} one={one} />)}
      </ul>
    </Panel>
  );
}

function Member({ one }: { readonly one: FleetMember }): JSX.Element {
  const { glyph, tone, word } = LOOKS[one.level];
  const page = pageOf(one);
  const waiting = one.report?.waiting ?? 0;
  return (
    <li class="row">
      <span class={`state tone-text-${tone}`}>
        <Glyph name={glyph} />
        <span>{word}</span>
      </span>
      <span class="fleet-name">
        {page === null ? printable(one.name) : <a href={page} rel="noreferrer">{printable(one.name)}</a>}
      </span>
      <span class="dim">
        {one.level === "offline" && one.seconds_ago !== null && `last heard from ${ago(one.seconds_ago * 1000)}: `}
        {printable(one.headline)}
        {waiting > 0 && `, ${count(waiting)} ${plural(waiting, "delivery")} waiting`}
        {one.config_error !== null && `, its jobs on the server are not used: ${printable(one.config_error)}`}
      </span>
    </li>
  );
}

/** What another computer says its page is: only an address of the web, and none of this computer's own loopback. */
function pageOf({ report }: FleetMember): string | null {
  const url = URL.parse(String(report?.page ?? ""));
  if (url === null || !["http:", "https:"].includes(url.protocol)) return null;
  return ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname) ? null : url.href;
}
