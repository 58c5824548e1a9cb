/**
 * The computers that report to the same PocketBase server, worst first; a click leads to the page of one.
 *
 * @module
 */
import type { JSX } from "preact";
import { printable } from "../../../domain/names/printable.ts";
import type { FleetMember, FleetNow } from "../../../domain/fleet.ts";
import { pageElsewhere } from "../../../reports/fleet/scrape_targets.ts";
import { ago, bytes, count, duration, plural } from "../parts/format.ts";
import { Glyph, type GlyphName } from "../parts/glyph.tsx";
import { Panel } from "../parts/panel.tsx";
import { nightName } from "../parts/time.tsx";
import { useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";
import { FleetCommands } from "./fleet_commands.tsx";

const EVERY_MS = 30_000;
const LOOKS = {
  offline: { glyph: "away", tone: "bad", word: "offline" },
  bad: { glyph: "bad", tone: "bad", word: "needs attention" },
  warning: { glyph: "warning", tone: "warning", word: "waiting" },
  unknown: { glyph: "away", tone: "warning", word: "unknown" },
  busy: { glyph: "busy", tone: "busy", word: "delivering" },
  good: { glyph: "good", tone: "good", word: "well" },
} as const satisfies Record<FleetMember["level"], { glyph: GlyphName; tone: string; word: string }>;

/** Of more, those that are well are told in short: what matters must be seen at a glance. */
const MOST_IN_FULL = 8;

/** Null without a server. */
export function FleetPanel(): JSX.Element | null {
  const { answer } = useAsk<FleetNow | null>("/api/fleet", Math.floor(now.value / EVERY_MS), EVERY_MS);
  const fleet = answer?.value ?? null;
  if (fleet === null) return null;
  const { members } = fleet;
  const well = members.filter(({ level }) => level === "good" || level === "busy");
  const inShort = members.length > MOST_IN_FULL ? well : [];
  return (
    <Panel
      title="All computers"
      class="fleet"
      aside={
        <span class="dim">
          {count(well.length)} of {count(members.length)} well, as of {ago(Math.max(0, now.value - fleet.at))}
        </span>
      }
    >
      <ul class="rows">
        {members.filter((one) => !inShort.includes(one)).map((one) => <Member key={one.name} one={one} />)}
      </ul>
      {inShort.length > 0 && (
        <ul class="fleet-well" aria-label="Computers that are well">
          {inShort.map((one) => <WellMember key={one.name} one={one} />)}
        </ul>
      )}
      <FleetCommands members={members} />
    </Panel>
  );
}

function Member({ one }: { readonly one: FleetMember }): JSX.Element {
  const { level, headline, version, seconds_ago, config_error } = one;
  const { glyph, tone, word } = LOOKS[level];
  return (
    <li class="row">
      <span class={`state tone-text-${tone}`}>
        <Glyph name={glyph} />
        <span>{word}</span>
      </span>
      <span class="fleet-name">
        <Linked one={one} />
        {version !== null && version !== "" && <span class="fleet-version">{printable(version)}</span>}
      </span>
      <span>
        {level === "offline" && seconds_ago !== null && `last heard from ${ago(seconds_ago * 1000)}: `}
        {printable(headline)}
        {config_error !== null && `; its jobs on the server are not used: ${printable(config_error)}`}
        <span class="fleet-sums">{sumsOf(one).join(" · ")}</span>
      </span>
    </li>
  );
}

function WellMember({ one }: { readonly one: FleetMember }): JSX.Element {
  const { glyph, tone, word } = LOOKS[one.level];
  return (
    <li title={[printable(one.headline), ...sumsOf(one)].join(" · ")}>
      <span class={`state tone-text-${tone}`}>
        <Glyph name={glyph} />
        <span class="unseen">{word}</span>
      </span>
      <span class="fleet-name">
        <Linked one={one} />
      </span>
      <span class="dim">{filesOf(one)}</span>
    </li>
  );
}

function Linked({ one }: { readonly one: FleetMember }): JSX.Element {
  const page = pageElsewhere(one);
  return page === null ? <>{printable(one.name)}</> : <a href={page.href} rel="noreferrer">{printable(one.name)}</a>;
}

function filesOf({ report }: FleetMember): string {
  const night = report?.night ?? null;
  if (night === null) return "";
  const of = night.files_delivered === night.files ? "" : `${count(night.files_delivered)} of `;
  return `${of}${count(night.files)} ${plural(night.files, "file")}`;
}

/** Times are told by the server's clock: the time since its heartbeat is on top. */
function sumsOf(one: FleetMember): string[] {
  const { report } = one;
  if (report === null) return [];
  const { waiting, oldest_waiting, night, destinations, clock_ahead_seconds: ahead } = report;
  const oldest = oldest_waiting === null
    ? ""
    : `, the oldest for ${duration(Math.max(0, now.value - Date.parse(oldest_waiting)))}`;
  const free = destinations.flatMap(({ free_bytes, name }) => free_bytes === null ? [] : [{ free: free_bytes, name }])
    .sort((a, b) => a.free - b.free)[0];
  return [
    ...(night === null ? [] : [`${filesOf(one)} delivered, night ${nightName(night.night)}`]),
    ...(waiting > 0 ? [`${count(waiting)} ${plural(waiting, "file")} waiting${oldest}`] : []),
    ...(free === undefined ? [] : [`${bytes(free.free)} free on ${printable(free.name)}`]),
    ...(ahead !== null && Math.abs(ahead) >= CLOCK_SECONDS
      ? [`clock ${duration(Math.abs(ahead) * 1000)} ${ahead > 0 ? "ahead" : "behind"}`]
      : []),
  ];
}

/** Smaller differences may be the network's. */
const CLOCK_SECONDS = 5;
