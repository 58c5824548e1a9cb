/**
 * The view Night: one night in numbers, plots and images.
 *
 * @module
 */
import type { JSX } from "preact";
import type { NightList, NightReport, NightSummary } from "../../../reports/api_types.ts";
import { bytes, count, plural } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { nightName } from "../parts/time.tsx";
import { useAsk } from "../store/ask.ts";
import { part } from "../store/live.ts";
import { route, setQuery } from "../store/route.ts";
import { ContactSheet } from "./contact_sheet.tsx";
import { NightPlots, placeName } from "./night_plots.tsx";
import { NightTable } from "./night_table.tsx";
import { NightTargets } from "./night_targets.tsx";

const tonight = part("tonight");
const GAP_MS = 5_000;

/** The night of the address, else the one that runs; asked again every 5 s at most while tonight's sums change. */
export function NightView(): JSX.Element {
  const running = tonight.value?.night ?? "";
  const asked = route.value.query["night"] ?? "";
  const night = /^\d{8}$/.test(asked) ? asked : running;
  const list = useAsk<NightList>(running === "" ? null : "/api/nights", running).answer?.value;
  // A night that is over changes too: what waits is delivered later.
  const { answer, error } = useAsk<NightReport>(night === "" ? null : `/api/night/${night}`, tonight.value, GAP_MS);
  const report = answer?.value ?? null;
  return (
    <>
      <header class="view-head">
        <h1>Night of {night === "" ? "…" : nightName(night)}</h1>
        <Picker night={night} running={running} nights={list?.nights ?? []} />
      </header>
      {error !== null && <p class="problem" role="alert">{`${error.message}. ${error.hint}`}</p>}
      {report === null
        ? error === null && <p class="nothing" role="status">Loading the night…</p>
        : <Report report={report} isTonight={night === running} />}
    </>
  );
}

function Report({ report, isTonight }: { readonly report: NightReport; readonly isTonight: boolean }): JSX.Element {
  const { summary } = report;
  if (summary.files === 0) {
    return <p class="nothing is-large">{isTonight ? "No images yet tonight." : "No images from this night."}</p>;
  }
  return (
    <>
      <Sums summary={summary} />
      <NightTargets targets={report.targets} />
      <NightPlots key={summary.night} report={report} />
      <NightTable report={report} />
      <ContactSheet night={summary.night} />
    </>
  );
}

function Sums({ summary }: { readonly summary: NightSummary }): JSX.Element {
  return (
    <dl class="sums">
      <div>
        <dt>{plural(summary.files, "Image")}</dt>
        <dd>{count(summary.files)}</dd>
      </div>
      <div>
        <dt>Data</dt>
        <dd>{bytes(summary.bytes)}</dd>
      </div>
      {summary.destinations.map(({ job, name, expected, delivered, failed }) => (
        <div key={`${job}/${name}`} class={failed > 0 ? "tone-bad" : delivered >= expected ? "tone-good" : "tone-busy"}>
          <dt>On {placeName(summary.destinations, { job, name })}</dt>
          <dd>
            {count(delivered)}
            {delivered < expected && <small>of {count(expected)}</small>}
            {delivered >= expected && (
              <>
                <Glyph name="good" />
                <span class="unseen">all</span>
              </>
            )}
            {failed > 0 && <small>{count(failed)} failed</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

interface PickerProps {
  readonly night: string;
  readonly running: string;
  /** Newest first. */
  readonly nights: readonly string[];
}

function Picker({ night, running, nights }: PickerProps): JSX.Element {
  const all = [...new Set([running, night, ...nights])].filter((one) => one !== "").sort().reverse();
  const at = all.indexOf(night);
  const [later, former] = [all[at - 1], all[at + 1]];
  const pick = (one: string | undefined) => setQuery({ night: one === running ? "" : one ?? "", target: "", filter: "" });
  return (
    <div class="picker">
      <button
        type="button"
        class="button"
        aria-label="Previous night"
        title="Previous night ([)"
        data-key="["
        disabled={former === undefined}
        onClick={() => pick(former)}
      >
        <Glyph name="former" />
      </button>
      <select aria-label="Night" value={night} onChange={(event) => pick(event.currentTarget.value)}>
        {all.map((one) => <option key={one} value={one}>{nightName(one)}{one === running ? " (tonight)" : ""}</option>)}
      </select>
      <button
        type="button"
        class="button"
        aria-label="Next night"
        title="Next night (])"
        data-key="]"
        disabled={later === undefined}
        onClick={() => pick(later)}
      >
        <Glyph name="next" />
      </button>
    </div>
  );
}
