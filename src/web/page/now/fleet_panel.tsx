/** The computers that report to the same PocketBase server, worst first; a click leads to the page of one. */
import type { JSX } from "preact";
import { printable } from "../../../domain/names/printable.ts";
import type { FleetCommand, FleetMember, FleetNow } from "../../../domain/fleet.ts";
import { pageElsewhere } from "../../../reports/fleet/scrape_targets.ts";
import { ago, bytes, count, duration, plural } from "../parts/format.ts";
import { type GlyphName, Sign } from "../parts/glyph.tsx";
import { Choice, Panel } from "../parts/panel.tsx";
import { nightName, Time } from "../parts/time.tsx";
import { useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";
import { useState } from "preact/hooks";
import { act } from "../store/actions.ts";

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
  const { word, ...sign } = LOOKS[level];
  return (
    <li class="row">
      <Sign {...sign}>{word}</Sign>
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
  const { word, ...sign } = LOOKS[one.level];
  return (
    <li title={[printable(one.headline), ...sumsOf(one)].join(" · ")}>
      <Sign {...sign} isUnseen>{word}</Sign>
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

const WORDS = { pause: "Pause", resume: "Resume", retry: "Retry failed", scan: "Scan" } as const;
/** What has a destination; the others are for all of the computer. */
const WITH_DESTINATION = ["pause", "resume"];

interface CommandsProps {
  readonly members: readonly FleetMember[];
}

/** Both folded up: what is seen at a glance is how all computers are. */
function FleetCommands({ members }: CommandsProps): JSX.Element {
  const [sent, setSent] = useState(0);
  const [open, setOpen] = useState(false);
  return (
    <div class="fleet-commands">
      <details>
        <summary>Send a command</summary>
        <CommandForm members={members} onSent={() => setSent((times) => times + 1)} />
      </details>
      <details onToggle={(event) => setOpen(event.currentTarget.open)}>
        <summary>Latest commands</summary>
        {open && <CommandList key={sent} />}
      </details>
    </div>
  );
}

function CommandForm({ members, onSent }: CommandsProps & { readonly onSent: () => void }): JSX.Element {
  const able = members.filter(({ level, report }) => level !== "offline" && actionsOf(report).length > 0);
  const [name, setName] = useState<string | null>(null);
  const [wanted, setAction] = useState<string | null>(null);
  const [destination, setDestination] = useState("");
  const [busy, setBusy] = useState(false);
  const chosen = able.find((one) => one.name === name) ?? able[0];
  if (chosen === undefined) {
    return <p class="dim">No computer accepts commands: a computer lists them in pocketbase.may_do of its own file.</p>;
  }
  const actions = actionsOf(chosen.report);
  const action = actions.find((one) => one === wanted) ?? actions[0]!;
  const places = WITH_DESTINATION.includes(action) ? [...new Set(chosen.report?.destinations.map((one) => one.name))] : [];
  const argument = places.includes(destination) ? destination : "";
  const send = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    await act("fleet/command", { computer: chosen.name, action, argument });
    setBusy(false);
    onSent();
  };
  return (
    <form class="fleet-form" onSubmit={send}>
      <Choice
        isLabelled
        label="Computer"
        value={chosen.name}
        of={able.map((one) => [one.name, printable(one.name)])}
        onChoose={setName}
      />
      <Choice isLabelled label="Command" value={action} of={actions.map((one) => [one, WORDS[one]])} onChoose={setAction} />
      {places.length > 1 && (
        <Choice
          isLabelled
          label="Destination"
          value={argument}
          of={[["", "all"], ...places.map((one): [string, string] => [one, printable(one)])]}
          onChoose={setDestination}
        />
      )}
      <button type="submit" class="button" disabled={busy}>{busy ? "Waiting for the answer…" : "Send"}</button>
    </form>
  );
}

function actionsOf(report: FleetMember["report"]): (keyof typeof WORDS)[] {
  return report?.may_do.filter((one) => Object.hasOwn(WORDS, one)) as (keyof typeof WORDS)[] | undefined ?? [];
}

const STATES: Readonly<Record<FleetCommand["state"], string>> = {
  done: "done",
  refused: "refused",
  failed: "failed",
  waiting: "no answer yet",
};

function CommandList(): JSX.Element {
  const { answer, error } = useAsk<readonly FleetCommand[]>("/api/fleet/commands");
  if (answer === null) return <p class="dim" role="status">{error === null ? "Asking the server…" : error.message}</p>;
  if (answer.value.length === 0) return <p class="dim">None that concern this computer.</p>;
  return (
    <ul class="rows">
      {answer.value.map((one) => (
        <li key={`${one.at}${one.to}`} class="row fleet-command">
          <span class="dim">
            <Time at={Date.parse(one.at)} shape="day" />
          </span>
          <span>
            {printable(one.from)} to {printable(one.to)}: {printable(one.action)} {printable(one.argument)}
          </span>
          <span class={one.state === "done" ? "" : "tone-text-warning"}>
            {STATES[one.state]}
            {one.answer !== "" && `: ${printable(one.answer)}`}
          </span>
        </li>
      ))}
    </ul>
  );
}
