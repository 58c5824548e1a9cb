/**
 * Commands for other computers of the fleet, and what became of those that were sent: who, when, what, and the result.
 *
 * @module
 */
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { printable } from "../../../domain/names/printable.ts";
import type { FleetCommand, FleetMember } from "../../../domain/fleet.ts";
import { Time } from "../parts/time.tsx";
import { command } from "../store/actions.ts";
import { useAsk } from "../store/ask.ts";

const WORDS: Readonly<Record<string, string>> = { pause: "Pause", resume: "Resume", retry: "Retry failed", scan: "Scan" };
/** What has a destination; the others are for all of the computer. */
const WITH_DESTINATION = ["pause", "resume"];

interface CommandsProps {
  readonly members: readonly FleetMember[];
}

/** Both folded up: what is seen at a glance is how all computers are. */
export function FleetCommands({ members }: CommandsProps): JSX.Element {
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
    await command(chosen.name, action, argument);
    setBusy(false);
    onSent();
  };
  return (
    <form class="fleet-form" onSubmit={send}>
      <Choice label="Computer" value={chosen.name} of={able.map((one) => [one.name, printable(one.name)])} onChoose={setName} />
      <Choice label="Command" value={action} of={actions.map((one) => [one, WORDS[one]!])} onChoose={setAction} />
      {places.length > 1 && (
        <Choice
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

function actionsOf(report: FleetMember["report"]): string[] {
  return report?.may_do.filter((one) => Object.hasOwn(WORDS, one)) ?? [];
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  /** Values and what they are called. */
  readonly of: readonly (readonly [string, string])[];
  readonly onChoose: (value: string) => void;
}

function Choice({ label, value, of, onChoose }: ChoiceProps): JSX.Element {
  return (
    <label>
      <span>{label}</span>
      <select value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {of.map(([key, word]) => <option key={key} value={key}>{word}</option>)}
      </select>
    </label>
  );
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
