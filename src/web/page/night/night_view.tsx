/** The view Night: one night in numbers, plots and images. */
import type { JSX } from "preact";
import type { NightList, NightReport, NightSeries, NightSummary, NightTarget } from "../../../reports/api_types.ts";
import { bytes, count, duration, latency, plural } from "../parts/format.ts";
import { Glyph, Sign } from "../parts/glyph.tsx";
import { nightName, Time } from "../parts/time.tsx";
import { useAsk } from "../store/ask.ts";
import { part } from "../store/live.ts";
import { hrefOf, nightFilter, route, setQuery } from "../store/route.ts";
import { NightPlots, placeName } from "./night_plots.tsx";
import { printable } from "../../../domain/names/printable.ts";
import { Button, Choice, Panel, Problem, Table } from "../parts/panel.tsx";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import { historyPages } from "../history/history_pages.ts";
import { LongList } from "../history/long_list.tsx";
import { imageKey, Thumbnail } from "../parts/thumbnail.tsx";

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
      <Problem of={error} />
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

/** Of a night, the one that runs, and all with images, newest first. */
interface PickerProps {
  readonly night: string;
  readonly running: string;
  readonly nights: readonly string[];
}

function Picker({ night, running, nights }: PickerProps): JSX.Element {
  const all = [...new Set([running, night, ...nights])].filter((one) => one !== "").sort().reverse();
  const at = all.indexOf(night);
  const [later, former] = [all[at - 1], all[at + 1]];
  const pick = (one: string | undefined) => setQuery({ night: one === running ? "" : one ?? "", target: "", filter: "" });
  return (
    <div class="picker">
      <Button
        aria-label="Previous night"
        title="Previous night ([)"
        data-key="["
        disabled={former === undefined}
        onClick={() => pick(former)}
        glyph="former"
      />
      <Choice
        label="Night"
        value={night}
        of={all.map((one) => [one, `${nightName(one)}${one === running ? " (tonight)" : ""}`])}
        onChoose={pick}
      />
      <Button
        aria-label="Next night"
        title="Next night (])"
        data-key="]"
        disabled={later === undefined}
        onClick={() => pick(later)}
        glyph="next"
      />
    </div>
  );
}

/** Ranges that are shown without being asked for. */
const FEW = 4;

/** A click on a target shows only its images in the contact sheet below. */
function NightTargets({ targets }: { readonly targets: readonly NightTarget[] }): JSX.Element {
  const missing = targets.reduce((sum, { missingCount }) => sum + missingCount, 0);
  return (
    <Panel
      title="Targets and filters"
      class="night-targets"
      aside={missing === 0
        ? <span class="dim">no frame numbers missing</span>
        : <Sign tone="warning" glyph="trouble">{count(missing)} frame {plural(missing, "number")} missing</Sign>}
    >
      <Table
        label="Targets and filters"
        head={[
          "Target",
          "Filter",
          "Images",
          "Exposure",
          "Delivered",
          "First",
          "Last",
          <span key="missing" title="Numbers that the camera skipped after one of these images">Missing frames</span>,
        ]}
      >
        {targets.map((one) => <TargetRow key={`${one.target}\0${one.filter}`} one={one} />)}
      </Table>
    </Panel>
  );
}

function TargetRow({ one }: { readonly one: NightTarget }): JSX.Element {
  const { query } = route.value;
  const isChosen = query["target"] === one.target && query["filter"] === one.filter;
  const choose = () => {
    setQuery(isChosen ? { target: "", filter: "" } : { target: one.target, filter: one.filter });
    document.querySelector(".sheet")?.scrollIntoView({ block: "nearest" });
  };
  return (
    <tr class={isChosen ? "is-chosen" : ""}>
      <th scope="row">
        <button type="button" class="link" aria-pressed={isChosen} onClick={choose}>
          {one.target === "-" ? "no target in the header" : printable(one.target)}
        </button>
      </th>
      <td>{one.filter === "-" ? <span class="dim">–</span> : printable(one.filter)}</td>
      <td>{count(one.frames)}</td>
      <td>{one.seconds === null ? <span class="dim">–</span> : duration(one.seconds * 1000)}</td>
      <td class={one.delivered < one.frames ? "tone-text-warning" : "tone-text-good"}>
        {one.delivered < one.frames ? `${count(one.delivered)} of ${count(one.frames)}` : "all"}
      </td>
      <td>
        <Time at={one.first} shape="minute" />
      </td>
      <td>
        <Time at={one.last} shape="minute" />
      </td>
      <td class="missing">
        <Missing one={one} />
      </td>
    </tr>
  );
}

function Missing({ one: { missing, missingCount } }: { readonly one: NightTarget }): JSX.Element {
  if (missingCount === 0) return <span class="dim">none</span>;
  if (missing.length <= FEW) return <span class="tone-text-warning">{missing.join(", ")}</span>;
  return (
    <details>
      <summary class="tone-text-warning">
        {missing.slice(0, FEW).join(", ")}, … ({count(missingCount)})
      </summary>
      {missing.slice(FEW).join(", ")}
    </details>
  );
}

/** Rows of the table over time. */
const MOST_ROWS = 24;

/** The sums, and at most 24 rows over time, the last bin always among them. */
function NightTable({ report }: { readonly report: NightReport }): JSX.Element {
  const { summary, series } = report;
  return (
    <Panel title="Totals" class="night-table">
      <Table
        label="Totals for the night"
        head={["Destination", "Expected", "Delivered", "Verified", "Waiting", "Failed", "Data", "Typical time", "Longest time"]}
      >
        {summary.destinations.map((one) => (
          <tr key={`${one.job}/${one.name}`}>
            <th scope="row">{placeName(summary.destinations, one)}</th>
            <td>{count(one.expected)}</td>
            <td>{count(one.delivered)}</td>
            <td>{count(one.proven)}</td>
            <td>{count(one.waiting)}</td>
            <td class={one.failed > 0 ? "tone-text-bad" : ""}>{count(one.failed)}</td>
            <td>{bytes(one.bytes)}</td>
            {delays(series, one).map((seconds, at) => <td key={at}>{seconds === undefined ? "–" : latency(seconds)}</td>)}
          </tr>
        ))}
      </Table>
      {series.times.length > 0 && (
        <details>
          <summary>Over time</summary>
          <OverTime series={series} />
        </details>
      )}
    </Panel>
  );
}

/** The typical one and the longest, seconds. */
function delays(
  { destinations }: NightSeries,
  { job, name }: NightSummary["destinations"][number],
): readonly (number | undefined)[] {
  const one = destinations.find((one) => one.job === job && one.name === name);
  const medians = (one?.latency ?? []).filter((value) => value !== null).sort((a, b) => a - b);
  const worst = (one?.worst ?? []).filter((value) => value !== null);
  return [medians[Math.floor(medians.length / 2)], worst.length === 0 ? undefined : Math.max(...worst)];
}

function OverTime({ series }: { readonly series: NightSeries }): JSX.Element {
  const { times, seenFiles, destinations } = series;
  const step = Math.max(1, Math.ceil(times.length / MOST_ROWS));
  const rows = times.map((_, at) => at).filter((at) => (times.length - 1 - at) % step === 0);
  return (
    <Table
      label="The night over time"
      head={["Until", "Finished", ...destinations.map((one) => `On ${placeName(destinations, one)}`)]}
    >
      {rows.map((at) => (
        <tr key={at}>
          <th scope="row">
            <Time at={times[at]! * 1000} shape="minute" />
          </th>
          <td>{count(seenFiles[at] ?? 0)}</td>
          {destinations.map((one) => <td key={`${one.job}/${one.name}`}>{count(one.files[at] ?? 0)}</td>)}
        </tr>
      ))}
    </Table>
  );
}

/** Pixels; a picture is as wide at least. */
const LEAST_WIDTH = 150;

/** Follows the night while images arrive. */
function ContactSheet({ night }: { readonly night: string }): JSX.Element {
  const { query } = route.value;
  const filter = nightFilter(query, night);
  const pages = useMemo(() => historyPages(filter, () => true), [filter]);
  useEffect(() => pages.close, [pages]);
  const box = useRef<HTMLDivElement>(null);
  const columns = useColumns(box);
  // Read here, so that the rows are drawn anew when they change.
  const [total, , problem] = [pages.total.value, pages.version.value, pages.problem.value];
  const rows = Math.ceil((total ?? 0) / columns);
  const { target = "", filter: colour = "" } = query;
  const chosen = [target, colour].filter((one) => one !== "" && one !== "-").join(", ");
  const row = (at: number) => (
    <ul key={at} class="sheet-row" style={{ "--columns": columns }}>
      {Array.from({ length: Math.min(columns, (total ?? 0) - at * columns) }, (_, column) => {
        const one = pages.row(at * columns + column);
        return one === undefined
          ? <li key={column} class="thumbnail" aria-busy="true" />
          : <Thumbnail key={imageKey(one)} one={{ ...one, delivered_at: null }} />;
      })}
    </ul>
  );
  return (
    <Panel
      title={chosen === "" ? "Contact sheet" : `Contact sheet: ${chosen}`}
      aside={
        <>
          <span role="status">{total === null ? "…" : `${count(total)} ${plural(total, "image")}`}</span>
          {(target !== "" || colour !== "") && (
            <Button onClick={() => setQuery({ target: "", filter: "" })} glyph="close">All targets</Button>
          )}
          <a href={hrefOf("history", { night, target, filter: colour })}>see them in History</a>
        </>
      }
    >
      <Problem of={problem} />
      <div class="sheet" ref={box} style={{ "--rows": Math.max(1, rows) }}>
        {total === 0
          ? <p class="nothing">{chosen === "" ? "No images yet" : "No images of this target through this filter"}</p>
          : (
            <LongList
              role="group"
              count={rows}
              label="Images"
              top={filter}
              onScroll={() => {}}
              onSight={(from, to) => pages.need(from * columns, to * columns)}
              row={row}
            />
          )}
      </div>
    </Panel>
  );
}

function useColumns(box: { readonly current: HTMLDivElement | null }): number {
  const [columns, setColumns] = useState(1);
  useLayoutEffect(() => {
    const place = box.current;
    if (place === null) return;
    const look = () => setColumns(Math.max(2, Math.floor(place.clientWidth / LEAST_WIDTH)));
    const watcher = new ResizeObserver(look);
    watcher.observe(place);
    look();
    return () => watcher.disconnect();
  }, []);
  return columns;
}
