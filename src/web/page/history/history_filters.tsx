/**
 * The filters of History. They are part of the address, so a search can be bookmarked and shared.
 *
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { NightList } from "../../../reports/api_types.ts";
import { Glyph } from "../parts/glyph.tsx";
import { nightName } from "../parts/time.tsx";
import { useAsk } from "../store/ask.ts";
import { part } from "../store/live.ts";
import { route, setQuery } from "../store/route.ts";

const destinations = part("destinations");
const jobs = part("jobs");
const tonight = part("tonight");
const TYPING_MS = 200;

const STATES: readonly (readonly [string, string])[] = [
  ["", "Any state"],
  ["queued,sending,deferred", "In progress"],
  ["queued,deferred", "Waiting"],
  ["delivered", "Delivered"],
  ["failed", "Failed"],
  ["trouble", "Needs attention"],
];

const NONE = { search: "", destination: "", state: "", night: "", job: "", target: "", filter: "" } as const;

/** Reads and writes the query of the address; holds nothing itself. */
export function HistoryFilters(): JSX.Element {
  const { query } = route.value;
  const names = [...new Set((destinations.value ?? []).map(({ name }) => name))];
  const nights = useAsk<NightList>("/api/nights", tonight.value?.night).answer?.value.nights ?? [];
  const jobNames = (jobs.value ?? []).map(({ name }) => name);
  const isSet = (name: string) => (query[name] ?? "") !== "";
  return (
    <search class="filters">
      <Search />
      <Choice
        name="destination"
        label="Destination"
        options={withAny("Any destination", names)}
      />
      <Choice name="state" label="State" options={STATES} />
      <Choice name="night" label="Night" options={[["", "Any night"], ...nights.map((one) => [one, nightName(one)] as const)]} />
      {(jobNames.length > 1 || isSet("job")) && <Choice name="job" label="Job" options={withAny("Any job", jobNames)} />}
      {isSet("target") && <Choice name="target" label="Target" options={withAny("Any target")} />}
      {isSet("filter") && <Choice name="filter" label="Filter" options={withAny("Any filter")} />}
      {Object.keys(NONE).some(isSet) && (
        <button
          type="button"
          class="button"
          onClick={() => setQuery(NONE)}
        >
          <Glyph name="close" />Clear
        </button>
      )}
    </search>
  );
}

function withAny(any: string, names: readonly string[] = []): ChoiceProps["options"] {
  return [["", any], ...names.map((name) => [name, name] as const)];
}

function Search(): JSX.Element {
  const field = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const value = route.value.query["search"] ?? "";
  // The address sets the field, but not while somebody types.
  useEffect(() => {
    if (field.current !== null && document.activeElement !== field.current) field.current.value = value;
  }, [value]);
  return (
    <label class="search">
      <Glyph name="search" />
      <input
        id="search"
        ref={field}
        type="search"
        placeholder="Search by name"
        aria-label="Search by name or part of the path"
        autocomplete="off"
        spellcheck={false}
        maxLength={500}
        onInput={(event) => {
          const text = event.currentTarget.value;
          clearTimeout(timer.current);
          timer.current = setTimeout(() => setQuery({ search: text }), TYPING_MS);
        }}
      />
    </label>
  );
}

interface ChoiceProps {
  readonly name: string;
  readonly label: string;
  readonly options: readonly (readonly [value: string, text: string])[];
}

function Choice({ name, label, options }: ChoiceProps): JSX.Element {
  const value = route.value.query[name] ?? "";
  // A value from an address that is not in the list is in force all the same.
  const all = options.some(([one]) => one === value) ? options : [...options, [value, value] as const];
  return (
    <select
      aria-label={label}
      class={value === "" ? "" : "is-set"}
      value={value}
      onChange={(event) => setQuery({ [name]: event.currentTarget.value })}
    >
      {all.map(([one, text]) => <option key={one} value={one}>{text}</option>)}
    </select>
  );
}
