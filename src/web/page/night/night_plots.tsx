/**
 * How the night went: files or bytes over time, and how long an image took from finished to proven.
 *
 * @module
 */
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { NightReport } from "../../../reports/api_types.ts";
import { bytes, count, latency } from "../parts/format.ts";
import { Panel } from "../parts/panel.tsx";
import { brokenAtPauses } from "./pauses.ts";
import { type Line, Plot, type Zoom } from "./plot.tsx";

type Measure = "files" | "bytes";

/** A logarithmic scale has no zero. */
const LEAST_SECONDS = 0.01;

/** Both plots share their pointer, the stretch of the night that is zoomed into, and the order of their colours. */
export function NightPlots({ report }: { readonly report: NightReport }): JSX.Element {
  const [measure, setMeasure] = useState<Measure>("files");
  const [zoom, setZoom] = useState<Zoom | null>(null);
  const { series } = report;
  const amounts = useMemo(() => amountLines(report, measure), [series, measure]);
  const delays = useMemo(() => delayLines(report), [series]);
  const format = measure === "files" ? count : bytes;
  return (
    <div class="plots">
      <Panel
        title={measure === "files" ? "Images over the night" : "Data over the night"}
        aside={
          <div class="plot-tools">
            {zoom !== null && <button type="button" class="button" onClick={() => setZoom(null)}>Whole night</button>}
            <div class="choice" role="group" aria-label="Measure">
              {(["files", "bytes"] as const).map((one) => (
                <button
                  key={one}
                  type="button"
                  aria-pressed={one === measure}
                  onClick={() => setMeasure(one)}
                >
                  {one === "files" ? "Images" : "Bytes"}
                </button>
              ))}
            </div>
          </div>
        }
      >
        <Plot
          times={series.times}
          lines={amounts}
          format={format}
          label={amountSummary(report)}
          zoom={zoom}
          onZoom={setZoom}
        />
      </Panel>
      <Panel title="Time from finished to verified" aside={<span class="dim">thin line: slowest</span>}>
        <Plot
          times={series.times}
          lines={delays}
          format={latency}
          label={delaySummary(report)}
          zoom={zoom}
          onZoom={setZoom}
          logarithmic
        />
      </Panel>
    </div>
  );
}

function amountLines({ series }: NightReport, measure: Measure): Line[] {
  const seen = measure === "files" ? series.seenFiles : series.seenBytes;
  return [
    { name: "finished", values: seen, tone: 0, kind: "area" },
    ...series.destinations.map((one, at): Line => ({
      name: placeName(series.destinations, one),
      values: measure === "files" ? one.files : one.bytes,
      tone: at + 1,
      kind: "line",
    })),
  ];
}

function delayLines({ series }: NightReport): Line[] {
  return series.destinations.flatMap((one, at): Line[] => {
    const name = placeName(series.destinations, one);
    const positive = (values: readonly (number | null)[]) =>
      brokenAtPauses(values.map((value) => value === null ? null : Math.max(value, LEAST_SECONDS)));
    return [
      { name, values: positive(one.latency), tone: at + 1, kind: "dots" },
      { name: `${name}, slowest`, values: positive(one.worst), tone: at + 1, kind: "faint" },
    ];
  });
}

/** With its job, where two jobs go to places of one name. */
export function placeName(
  all: readonly { readonly job: string; readonly name: string }[],
  { job, name }: { readonly job: string; readonly name: string },
): string {
  return all.filter((one) => one.name === name).length > 1 ? `${name} (${job})` : name;
}

function amountSummary({ summary }: NightReport): string {
  const parts = summary.destinations.map(({ name, delivered, expected }) =>
    `${count(delivered)} of ${count(expected)} on ${name}`
  );
  return `Plot of images over the night: ${count(summary.files)} finished, ${parts.join(", ")}. The table below has the numbers.`;
}

function delaySummary({ series }: NightReport): string {
  const parts = series.destinations.map(({ name, worst }) => {
    const slowest = Math.max(0, ...worst.map((value) => value ?? 0));
    return `${name} ${latency(slowest)} at most`;
  });
  return `Plot of the time from finished to verified: ${parts.join(", ")}. The table below has the numbers.`;
}
