/**
 * Lines over time, drawn by uPlot in the colours of the page. The values under the pointer stand in the legend.
 *
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import uPlot from "uplot";
import { timeText } from "../parts/times.ts";
import { preferences } from "../store/preferences.ts";

/** `values` are as many as the times of the plot; null where there is none. */
export interface Line {
  readonly name: string;
  readonly values: readonly (number | null)[];
  /** Which colour and dash; 0 is the quiet one. */
  readonly tone: number;
  readonly kind: "area" | "line" | "dots" | "faint";
}

/** What is drawn. A logarithmic plot can show no values of 0 or less. */
export interface PlotProps {
  /** Seconds since 1970 UTC. */
  readonly times: readonly number[];
  readonly lines: readonly Line[];
  readonly format: (value: number) => string;
  /** What it shows, for who cannot see it. */
  readonly label: string;
  readonly logarithmic?: boolean;
}

const COLOURS = 6;
const DASHES: readonly number[][] = [[], [], [8, 4], [2, 4], [12, 4, 2, 4], [5, 3]];
/** Seconds; lines closer than that are named with their seconds. */
const MINUTE = 60;
const AXIS_REM = 0.75;
/** Seconds at which a logarithmic scale has a line: parts of a second, minutes, hours, days. */
const STEPS: readonly number[] = [0.01, 0.1, 1, 10, 60, 600, 3600, 36_000, 86_400, 864_000];

/** New values go into the plot that is there; other lines, colours or time scale make a new one. */
export function Plot({ times, lines, format, label, logarithmic = false }: PlotProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const [at, setAt] = useState<number | null>(null);
  const scheme = useScheme();
  const utc = preferences.utc.value;
  // New values are put into the plot that is there; anything else makes a new one.
  const shape = JSON.stringify([lines.map(({ name, tone, kind }) => [name, tone, kind]), format.name, logarithmic, scheme, utc]);

  useEffect(() => {
    const place = box.current;
    if (place === null) return;
    const size = () => ({ width: Math.max(200, place.clientWidth), height: place.clientHeight });
    const made = new uPlot(
      { ...options(place, lines, format, logarithmic, utc, setAt), ...size() },
      dataOf(times, lines),
      place,
    );
    plot.current = made;
    const watcher = new ResizeObserver(() => made.setSize(size()));
    watcher.observe(place);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);
  useEffect(() => plot.current?.setData(dataOf(times, lines)), [times, lines]);

  const shown = at ?? times.length - 1;
  return (
    <>
      <ul class="legend">
        {lines.filter(({ kind }) => kind !== "faint").map(({ name, values, tone, kind }) => {
          const value = at === null ? values.findLast((one) => one !== null) : values[shown];
          return (
            <li key={name} class={`line-${tone % COLOURS} line-${kind}`}>
              <span class="legend-mark" />
              {name} <strong>{value === null || value === undefined ? "–" : format(value)}</strong>
            </li>
          );
        })}
        {at !== null && times[at] !== undefined && <li class="dim">{timeText(times[at] * 1000, "minute")}</li>}
      </ul>
      <div class="plot" ref={box} role="img" aria-label={label} />
    </>
  );
}

function dataOf(times: readonly number[], lines: readonly Line[]): uPlot.AlignedData {
  return [[...times], ...lines.map(({ values }) => [...values])];
}

function options(
  place: HTMLElement,
  lines: readonly Line[],
  format: (value: number) => string,
  logarithmic: boolean,
  utc: boolean,
  onPoint: (at: number | null) => void,
): Omit<uPlot.Options, "width" | "height"> {
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
    ...(utc ? { tzDate: (seconds: number) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") } : {}),
    legend: { show: false },
    cursor: { sync: { key: "night" }, drag: { x: true, y: false }, points: { size: 7 }, y: false },
    padding: [rem, rem, 0, 0],
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
          return splits.map((seconds) => timeText(seconds * 1000, shape, utc).replace(" UT", ""));
        },
      },
      {
        ...axis,
        size: rem * 3.8,
        space: rem * 2.2,
        ...(logarithmic
          ? {
            filter: (_plot, splits) => splits,
            splits: (_plot, _axis, least, most) => STEPS.filter((step) => step >= least && step <= most),
          }
          : {}),
        values: (_plot, splits) => splits.map((value) => value === null ? "" : format(value)),
      },
    ],
    series: [{}, ...lines.map((line) => seriesOf(line, colour(`--line-${line.tone % COLOURS}`)))],
    hooks: { setCursor: [({ cursor }) => onPoint(cursor.idx ?? null)] },
  };
}

function seriesOf({ kind, tone }: Line, stroke: string): uPlot.Series {
  const points = { show: kind === "dots", size: 5, stroke, fill: stroke };
  const common = { stroke, points, spanGaps: true, dash: DASHES[tone % DASHES.length]! };
  switch (kind) {
    case "area":
      return { ...common, width: 1.5, fill: `color-mix(in srgb, ${stroke} 14%, transparent)` };
    case "line":
      return { ...common, width: 2 };
    case "dots":
      return { ...common, width: 1.5 };
    case "faint":
      return { ...common, width: 0.75 };
    default:
      return kind satisfies never;
  }
}

/** Changes with the colours. */
function useScheme(): string {
  const { theme } = preferences;
  const [dark, setDark] = useState(() => matchMedia("(prefers-color-scheme: dark)").matches);
  useEffect(() => {
    const asked = matchMedia("(prefers-color-scheme: dark)");
    const hear = () => setDark(asked.matches);
    asked.addEventListener("change", hear);
    return () => asked.removeEventListener("change", hear);
  }, []);
  return `${theme.value} ${dark}`;
}
