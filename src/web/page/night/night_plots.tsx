/** How the night went: files or bytes over time, and how long an image took from finished to proven. */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { NightReport, NightSeries, Outage } from "../../../reports/api_types.ts";
import { type Line, Plot, type Shade, type Zoom } from "./plot.tsx";
import { bytes, count, latency } from "../parts/format.ts";
import { Button, Panel } from "../parts/panel.tsx";
import { brokenAtPauses } from "./pauses.ts";

type Measure = "files" | "bytes";

/** A logarithmic scale has no zero. */
const LEAST_SECONDS = 0.01;

/** Both plots share their pointer, the stretch of the night that is zoomed into, and the order of their colours. */
export function NightPlots({ report }: { readonly report: NightReport }): JSX.Element {
  const [measure, setMeasure] = useState<Measure>("files");
  const { night } = report.summary;
  const zoom = kept.value?.night === night ? kept.value.zoom : null;
  const setZoom = (to: Zoom | null) => kept.value = to && { night, zoom: to };
  const { series } = report;
  const amounts = useMemo(() => amountLines(report, measure), [series, report.outages, measure]);
  const delays = useMemo(() => delayLines(report), [series, report.outages]);
  const outages = useMemo(() => shadesOf(report), [report.outages, series]);
  const format = measure === "files" ? count : bytes;
  return (
    <div class="plots">
      <Panel
        title={measure === "files" ? "Images over the night" : "Data over the night"}
        aside={
          <div class="plot-tools">
            {zoom !== null && <Button onClick={() => setZoom(null)}>Whole night</Button>}
            <MeasureChoice measure={measure} onChoose={setMeasure} />
          </div>
        }
      >
        <Plot
          times={series.times}
          lines={amounts}
          format={format}
          outages={outages}
          label={amountSummary(report)}
          zoom={zoom}
          onZoom={setZoom}
        />
      </Panel>
      <Panel
        title="Time from finished to verified"
        aside={
          <span class="dim">thin line: slowest{outages.length > 0 && "; shaded: unavailable, darker: daemon not running"}</span>
        }
      >
        <Plot
          times={series.times}
          lines={delays}
          format={latency}
          outages={outages}
          label={delaySummary(report)}
          zoom={zoom}
          onZoom={setZoom}
          logarithmic
        />
      </Panel>
    </div>
  );
}

interface MeasureProps {
  readonly measure: Measure;
  readonly onChoose: (measure: Measure) => void;
}

function MeasureChoice({ measure, onChoose }: MeasureProps): JSX.Element {
  return (
    <div class="choice" role="group" aria-label="Measure">
      {(["files", "bytes"] as const).map((one) => (
        <button
          key={one}
          type="button"
          aria-pressed={one === measure}
          onClick={() => onChoose(one)}
        >
          {one === "files" ? "Images" : "Bytes"}
        </button>
      ))}
    </div>
  );
}

function amountLines(report: NightReport, measure: Measure): Line[] {
  const { series } = report;
  const seen = measure === "files" ? series.seenFiles : series.seenBytes;
  return [
    { name: "finished", values: seen, tone: 0, kind: "area" },
    ...series.destinations.map((one, at): Line => ({
      name: placeName(series.destinations, one),
      values: brokenAt(outagesOf(report, one), series, measure === "files" ? one.files : one.bytes),
      tone: at + 1,
      kind: "line",
    })),
  ];
}

function delayLines(report: NightReport): Line[] {
  const { series } = report;
  return series.destinations.flatMap((one, at): Line[] => {
    const name = placeName(series.destinations, one);
    const positive = (values: readonly (number | null)[]) =>
      brokenAt(
        outagesOf(report, one),
        series,
        brokenAtPauses(values.map((value) => value === null ? null : Math.max(value, LEAST_SECONDS))),
      );
    return [
      { name, values: positive(one.latency), tone: at + 1, kind: "dots" },
      { name: `${name}, slowest`, values: positive(one.worst), tone: at + 1, kind: "faint" },
    ];
  });
}

/** The zoom stays while one looks at other views. */
const kept = signal<{ readonly night: string; readonly zoom: Zoom } | null>(null);

function outagesOf({ outages }: NightReport, place: { readonly job: string; readonly name: string }): readonly Outage[] {
  return outages.find(({ job, name }) => job === place.job && name === place.name)?.outages ?? [];
}

/** No line through an outage: a bin that lies in one has no value. */
function brokenAt<T>(outages: readonly Outage[], { times, binMs }: NightSeries, values: readonly T[]): (T | null)[] {
  return values.map((value, at) => {
    const [from, to] = [times[at]! * 1000 - binMs, times[at]! * 1000];
    const isOut = outages.some((one) => one.state !== "closed" && one.from <= from && (one.to ?? Infinity) >= to);
    return isOut ? null : value;
  });
}

/** What is out for several destinations is shaded as often; the daemon's own outages once. */
function shadesOf({ outages, series: { times } }: NightReport): Shade[] {
  const [last] = times.slice(-1);
  const all = outages.flatMap((place) => place.outages).filter(({ state }) => state !== "closed").map(({ from, to, state }) => ({
    min: from / 1000,
    max: to === null ? last ?? 0 : to / 1000,
    isWhole: state === "stopped" || state === "lost",
  }));
  return all.filter((one, at) => all.findIndex(({ min, max }) => min === one.min && max === one.max) === at);
}

/** With its job, where two jobs go to places of one name. */
export function placeName(
  all: readonly { readonly job: string; readonly name: string }[],
  { job, name }: { readonly job: string; readonly name: string },
): string {
  return all.filter((one) => one.name === name).length > 1 ? `${name} (${job})` : name;
}

function amountSummary({ summary }: NightReport): string {
  const parts = summary.destinations.map((one) =>
    `${count(one.delivered)} of ${count(one.expected)} on ${placeName(summary.destinations, one)}`
  );
  return `Plot of images over the night: ${count(summary.files)} finished, ${parts.join(", ")}. The table below has the numbers.`;
}

function delaySummary({ series }: NightReport): string {
  const parts = series.destinations.map((one) => {
    const slowest = Math.max(0, ...one.worst.map((value) => value ?? 0));
    return `${placeName(series.destinations, one)} ${latency(slowest)} at most`;
  });
  return `Plot of the time from finished to verified: ${parts.join(", ")}. The table below has the numbers.`;
}
