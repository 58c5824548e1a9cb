/**
 * The night as tables: what the plots show, for everybody.
 *
 * @module
 */
import type { JSX } from "preact";
import type { NightReport, NightSeries } from "../../../reports/api_types.ts";
import { bytes, count, latency } from "../parts/format.ts";
import { Panel } from "../parts/panel.tsx";
import { Time } from "../parts/time.tsx";
import { placeName } from "./night_plots.tsx";

/** Rows of the table over time. */
const MOST_ROWS = 24;

/** The sums, and at most 24 rows over time, the last bin always among them. */
export function NightTable({ report }: { readonly report: NightReport }): JSX.Element {
  const { summary, series } = report;
  return (
    <Panel title="Totals" class="night-table">
      <div class="table-box" tabIndex={0} role="region" aria-label="Totals for the night">
        <table>
          <thead>
            <tr>
              <th scope="col">Destination</th>
              <th scope="col">Expected</th>
              <th scope="col">Delivered</th>
              <th scope="col">Verified</th>
              <th scope="col">Waiting</th>
              <th scope="col">Failed</th>
              <th scope="col">Data</th>
              <th scope="col">Typical time</th>
              <th scope="col">Longest time</th>
            </tr>
          </thead>
          <tbody>
            {summary.destinations.map((one) => (
              <tr key={`${one.job}/${one.name}`}>
                <th scope="row">{placeName(summary.destinations, one)}</th>
                <td>{count(one.expected)}</td>
                <td>{count(one.delivered)}</td>
                <td>{count(one.proven)}</td>
                <td>{count(one.waiting)}</td>
                <td class={one.failed > 0 ? "tone-text-bad" : ""}>{count(one.failed)}</td>
                <td>{bytes(one.bytes)}</td>
                <Delays series={series} job={one.job} name={one.name} />
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {series.times.length > 0 && (
        <details>
          <summary>Over time</summary>
          <OverTime series={series} />
        </details>
      )}
    </Panel>
  );
}

function Delays(
  { series, job, name }: { readonly series: NightSeries; readonly job: string; readonly name: string },
): JSX.Element {
  const one = series.destinations.find((one) => one.job === job && one.name === name);
  const medians = (one?.latency ?? []).filter((value) => value !== null).sort((a, b) => a - b);
  const worst = (one?.worst ?? []).filter((value) => value !== null);
  const typical = medians[Math.floor(medians.length / 2)];
  return (
    <>
      <td>{typical === undefined ? "–" : latency(typical)}</td>
      <td>{worst.length === 0 ? "–" : latency(Math.max(...worst))}</td>
    </>
  );
}

function OverTime({ series }: { readonly series: NightSeries }): JSX.Element {
  const { times, seenFiles, destinations } = series;
  const step = Math.max(1, Math.ceil(times.length / MOST_ROWS));
  const rows = times.map((_, at) => at).filter((at) => (times.length - 1 - at) % step === 0);
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label="The night over time">
      <table>
        <thead>
          <tr>
            <th scope="col">Until</th>
            <th scope="col">Finished</th>
            {destinations.map((one) => <th key={`${one.job}/${one.name}`} scope="col">On {placeName(destinations, one)}</th>)}
          </tr>
        </thead>
        <tbody>
          {rows.map((at) => (
            <tr key={at}>
              <th scope="row">
                <Time at={times[at]! * 1000} shape="minute" />
              </th>
              <td>{count(seenFiles[at] ?? 0)}</td>
              {destinations.map((one) => <td key={`${one.job}/${one.name}`}>{count(one.files[at] ?? 0)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
