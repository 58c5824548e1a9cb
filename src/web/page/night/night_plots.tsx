/**
 * How the night went: files or bytes over time, and how long an image took from finished to proven. Drawn by uPlot in the colours of the
 * page; the values under the pointer stand in the legend.
 */
import { signal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import type { NightReport, NightSeries, Outage } from "../../../reports/api_types.ts";
import { bytes, count, latency } from "../parts/format.ts";
import { Button, Panel } from "../parts/panel.tsx";
import { bareTime, timeText, zoneName } from "../parts/time.tsx";
import { preferences, shownTheme } from "../store/preferences.ts";
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
  const common = { times: series.times, outages, zoom, onZoom: setZoom };
  return (
    <div class="plots">
      <Panel
        title={measure === "files" ? "Images over the night" : "Data over the night"}
        aside={
          <div class="plot-tools">
            {zoom !== null && <Button onClick={() => setZoom(null)}>Whole night</Button>}
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
        <Plot {...common} lines={amounts} format={measure === "files" ? count : bytes} label={amountSummary(report)} />
      </Panel>
      <Panel
        title="Time from finished to verified"
        aside={
          <span class="dim">thin line: slowest{outages.length > 0 && "; shaded: unavailable, darker: daemon not running"}</span>
        }
      >
        <Plot {...common} lines={delays} format={latency} label={delaySummary(report)} logarithmic />
      </Panel>
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

/** A stretch of time, seconds since 1970 UTC. */
interface Zoom {
  readonly min: number;
  readonly max: number;
}

/** `values` are as many as the times of the plot; null where there is none and the line breaks, undefined where it continues. */
interface Line {
  readonly name: string;
  readonly values: readonly (number | null | undefined)[];
  /** Which colour and dash; 0 is the quiet one. */
  readonly tone: number;
  readonly kind: "area" | "line" | "dots" | "faint";
}

/** A time that is shaded, seconds since 1970 UTC. */
interface Shade extends Zoom {
  /** The daemon did not run: nothing was watched either. */
  readonly isWhole: boolean;
}

/** What is drawn. A logarithmic plot can show no values of 0 or less. */
interface PlotProps {
  /** Seconds since 1970 UTC. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** Shaded: nothing could be delivered to one destination, or to none. */
  readonly outages: readonly Shade[];
  /** What it shows, for screen readers. */
  readonly label: string;
  /** What of the time is shown; null for all of it. */
  readonly zoom: Zoom | null;
  /** Told when somebody zooms with the mouse. */
  readonly onZoom: (zoom: Zoom | null) => void;
  readonly logarithmic?: boolean;
}

const COLOURS = 6;
const DASHES: readonly number[][] = [[], [], [8, 4], [2, 4], [12, 4, 2, 4], [5, 3]];
/** Seconds; lines closer than that are named with their seconds. */
const MINUTE = 60;
/** A shorter drag is a click. */
const LEAST_SELECT_PX = 6;
const AXIS_REM = 0.75;
/** Between the labels and the plot. */
const AXIS_GAP_PX = 10;
/** Seconds at which a logarithmic scale has a line, and their names. */
const STEPS: ReadonlyMap<number, string> = new Map([
  [0.01, "0.01 s"],
  [0.1, "0.1 s"],
  [1, "1 s"],
  [10, "10 s"],
  [60, "1 min"],
  [600, "10 min"],
  [3600, "1 h"],
  [36_000, "10 h"],
  [86_400, "1 d"],
  [864_000, "10 d"],
]);

/** New values go into the plot that is there; other lines, colours or time scale make a new one. */
function Plot({ times, lines, format, label, outages, zoom, onZoom, logarithmic = false }: PlotProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const hearZoom = useRef(onZoom);
  hearZoom.current = onZoom;
  const shaded = useRef(outages);
  shaded.current = outages;
  const [at, setAt] = useState<number | null>(null);
  const zone = zoneName(preferences.zone.value);
  // New values are put into the plot that is there; anything else makes a new one.
  const shape = JSON.stringify([
    lines.map(({ name, tone, kind }) => [name, tone, kind]),
    format.name,
    logarithmic,
    shownTheme.value,
    zone,
    outages,
  ]);

  useEffect(() => {
    const place = box.current;
    if (place === null) return;
    const size = () => ({ width: Math.max(200, place.clientWidth), height: place.clientHeight });
    const made = new uPlot({ ...options(place), ...size() }, dataOf(times, lines), place);
    plot.current = made;
    const watcher = new ResizeObserver(() => made.setSize(size()));
    watcher.observe(place);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => {
    plot.current?.setData(dataOf(times, lines), zoom === null);
    if (zoom !== null) plot.current?.setScale("x", { ...zoom });
  }, [times, lines, outages, zoom, shape]);

  return (
    <>
      <Legend times={times} lines={lines} format={format} at={at} />
      <div class="plot" ref={box} role="img" aria-label={label} />
    </>
  );

  function options(place: HTMLElement): Omit<uPlot.Options, "width" | "height"> {
    const style = getComputedStyle(place);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const axis = {
      stroke: colour("--dim"),
      font: `${Math.round(rem * AXIS_REM)}px system-ui, sans-serif`,
      grid: { stroke: colour("--line"), width: 1 },
      ticks: { show: false },
    };
    return {
      ...(zone === undefined ? {} : { tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), zone) }),
      legend: { show: false },
      cursor: {
        sync: { key: "night" },
        drag: { x: true, y: false, setScale: false },
        bind: { dblclick: () => () => (hearZoom.current(null), null) },
        points: { size: 7 },
        y: false,
      },
      padding: [rem, rem * 1.5, 0, 0],
      scales: {
        x: { time: true },
        y: logarithmic ? { distr: 3 } : { range: (_plot, _least, most) => [0, Math.max(1, most * 1.05)] },
      },
      axes: [
        {
          ...axis,
          size: rem * 1.7,
          space: rem * 5,
          values: (_plot, splits) => {
            const shape = (splits[1] ?? 0) - (splits[0] ?? 0) < MINUTE ? "clock" : "minute";
            return splits.map((seconds) => bareTime(seconds * 1000, shape));
          },
        },
        {
          ...axis,
          size: (plot, values) => widest(plot, values ?? [], axis.font) + AXIS_GAP_PX,
          space: rem * 2.2,
          ...(logarithmic
            ? {
              filter: (_plot, splits) => splits,
              splits: (_plot, _axis, least, most) => [...STEPS.keys()].filter((step) => step >= least && step <= most),
            }
            : {}),
          values: (_plot, splits) =>
            splits.map((value) => value === null ? "" : logarithmic ? STEPS.get(value) ?? "" : format(value)),
        },
      ],
      series: [{}, ...lines.map((line) => seriesOf(line, colour(`--line-${line.tone % COLOURS}`)))],
      hooks: {
        setCursor: [({ cursor }) => setAt(cursor.idx ?? null)],
        // Only what a person selects changes the zoom, whatever new values do to the scale.
        setSelect: [(plot) => {
          const { left, width } = plot.select;
          if (width < LEAST_SELECT_PX) return;
          hearZoom.current({ min: plot.posToVal(left, "x"), max: plot.posToVal(left + width, "x") });
          plot.setSelect({ ...plot.select, width: 0 }, false);
        }],
        drawClear: [(plot) => shade(plot, shaded.current, colour("--bad"))],
      },
    };
  }
}

/** `at` says which value is pointed at; null for the last. */
function Legend(
  { times, lines, format, at }: Pick<PlotProps, "times" | "lines" | "format"> & { readonly at: number | null },
): JSX.Element {
  const shown = at ?? times.length - 1;
  return (
    <ul class="legend">
      {lines.filter(({ kind }) => kind !== "faint").map(({ name, values, tone, kind }) => {
        const value = at === null ? values.findLast((one) => one !== null && one !== undefined) : values[shown];
        return (
          <li key={name} class={`line-${tone % COLOURS} line-${kind}`}>
            <span class="legend-mark" />
            {name} <strong>{value === null || value === undefined ? "–" : format(value)}</strong>
          </li>
        );
      })}
      <li class={at === null ? "dim is-idle" : "dim"}>{timeText((times[shown] ?? 0) * 1000, "minute")}</li>
    </ul>
  );
}

function dataOf(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])];
}

/** Behind the lines: pale for a destination, darker where the daemon did not run. */
function shade(plot: uPlot, outages: readonly Shade[], colour: string): void {
  const { ctx, bbox: { left, top, width, height } } = plot;
  ctx.save();
  ctx.fillStyle = colour;
  for (const { min, max, isWhole } of outages) {
    const from = Math.max(left, plot.valToPos(min, "x", true));
    const to = Math.min(left + width, plot.valToPos(max, "x", true));
    if (!(to > from)) continue;
    ctx.globalAlpha = isWhole ? 0.2 : 0.1;
    ctx.fillRect(from, top, Math.max(2, to - from), height);
  }
  ctx.restore();
}

/** Pixels that the longest of the labels takes. */
function widest({ ctx }: uPlot, labels: readonly string[], font: string): number {
  ctx.save();
  ctx.font = font;
  const width = Math.max(0, ...labels.map((label) => ctx.measureText(label).width));
  ctx.restore();
  return Math.ceil(width);
}

const WIDTHS = { area: 1.5, line: 2, dots: 1.5, faint: 0.75 } as const;

function seriesOf({ kind, tone }: Line, stroke: string): uPlot.Series {
  return {
    stroke,
    width: WIDTHS[kind],
    // A value between two pauses has no line.
    points: { show: kind === "dots" || kind === "faint", size: kind === "dots" ? 5 : 3, stroke, fill: stroke },
    spanGaps: false,
    dash: DASHES[tone % DASHES.length]!,
    ...(kind === "area" ? { fill: `color-mix(in srgb, ${stroke} 14%, transparent)` } : {}),
  };
}
