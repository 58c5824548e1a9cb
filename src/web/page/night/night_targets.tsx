/**
 * The night by target and filter, with the frame numbers that the camera skipped.
 *
 * @module
 */
import type { JSX } from "preact";
import { printable } from "../../../domain/names/printable.ts";
import type { NightTarget } from "../../../reports/api_types.ts";
import { count, duration, plural } from "../parts/format.ts";
import { Glyph } from "../parts/glyph.tsx";
import { Panel } from "../parts/panel.tsx";
import { Time } from "../parts/time.tsx";
import { route, setQuery } from "../store/route.ts";

/** Ranges that are shown without being asked for. */
const FEW = 4;

/** A click on a target shows only its images in the contact sheet below. */
export function NightTargets({ targets }: { readonly targets: readonly NightTarget[] }): JSX.Element {
  const missing = targets.reduce((sum, { missingCount }) => sum + missingCount, 0);
  return (
    <Panel
      title="Targets and filters"
      class="night-targets"
      aside={missing === 0 ? <span class="dim">no frame numbers missing</span> : (
        <span class="state tone-text-warning">
          <Glyph name="trouble" />
          {count(missing)} frame {plural(missing, "number")} missing
        </span>
      )}
    >
      <div class="table-box" tabIndex={0} role="region" aria-label="Targets and filters">
        <table>
          <thead>
            <tr>
              <th scope="col">Target</th>
              <th scope="col">Filter</th>
              <th scope="col">Images</th>
              <th scope="col">Exposure</th>
              <th scope="col">Delivered</th>
              <th scope="col">First</th>
              <th scope="col">Last</th>
              <th scope="col" title="Numbers that the camera skipped after one of these images">Missing frames</th>
            </tr>
          </thead>
          <tbody>
            {targets.map((one) => <Target key={`${one.target}\0${one.filter}`} one={one} />)}
          </tbody>
        </table>
      </div>
    </Panel>
  );
}

function Target({ one }: { readonly one: NightTarget }): JSX.Element {
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
