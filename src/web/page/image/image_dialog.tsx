/**
 * Everything about one image: its picture, where it is, and the header of the file. The images before and after it in the list it
 * was opened from are one key away.
 *
 * @module
 */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { DeliveryView, ImageReport } from "../../../reports/api_types.ts";
import { bytes, count, duration, failedTries } from "../parts/format.ts";
import { Dialog } from "../parts/dialog.tsx";
import { Glyph } from "../parts/glyph.tsx";
import { Name, PathText } from "../parts/name.tsx";
import { StateWord } from "../parts/state_word.tsx";
import { cardSummary } from "../parts/thumbnail.tsx";
import { allTimes, Time } from "../parts/time.tsx";
import { retry } from "../store/actions.ts";
import { useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";
import { isLive, onChanges, part } from "../store/live.ts";
import { closeShown, route, showInstead } from "../store/route.ts";
import { HeaderCards } from "./header_cards.tsx";
import { listOf } from "./image_list.ts";
import { KeyCards } from "./key_cards.tsx";
import { Picture } from "./picture.tsx";

const tonight = part("tonight");

/** `id` is that of any delivery of the image. It follows the image while it is open. */
export function ImageDialog({ id }: { readonly id: number }): JSX.Element {
  const { report, problem } = useReport(id);
  useArrows(report);
  const [first] = report?.deliveries ?? [];
  return (
    <Dialog
      class="image-dialog"
      title={first === undefined ? "Image" : <Name text={first.name} />}
      tools={<Steps report={report} />}
      onClose={closeShown}
    >
      {first === undefined || report === null ? <p class="nothing" role="status">{problem ?? "Loading…"}</p> : (
        <>
          <div class="image-top">
            {first.preview !== null && <Picture key={first.preview} path={first.preview} summary={cardSummary(first.cards)} />}
            <div class="facts">
              <KeyCards cards={first.cards} />
              <Places deliveries={report.deliveries} />
              <Facts one={first} sha256={report.deliveries.find(({ sha256 }) => sha256 !== null)?.sha256 ?? null} />
            </div>
          </div>
          {first.preview !== null && <HeaderCards key={first.id} id={first.id} />}
        </>
      )}
    </Dialog>
  );
}

/** While another image is on its way, the former one stays. */
function useReport(id: number): { readonly report: ImageReport | null; readonly problem: string | null } {
  const [changed, setChanged] = useState(0);
  const last = useRef<ImageReport | null>(null);
  useEffect(() =>
    onChanges(({ rows, more }) => {
      const isShown = rows.some((one) => last.current?.deliveries.some((its) => its.id === one.id));
      if (more || isShown) setChanged((before) => before + 1);
    }), []);
  const list = listOf(route.value, tonight.value?.night ?? "");
  const { answer, error } = useAsk<ImageReport>(`/api/images/${id}?${list}`, changed, 500);
  if (answer !== null) last.current = answer.value;
  if (error !== null && answer === null) return { report: null, problem: `${error.message}. ${error.hint}`.trim() };
  return { report: last.current, problem: null };
}

function step(id: number | null | undefined): void {
  if (id !== null && id !== undefined) showInstead(id);
}

function useArrows(report: ImageReport | null): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (event.target instanceof HTMLInputElement) return;
      if (event.key === "ArrowLeft") step(report?.former);
      else if (event.key === "ArrowRight") step(report?.next);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [report]);
}

function Steps({ report }: { readonly report: ImageReport | null }): JSX.Element {
  return (
    <>
      <Step name="former" label="Previous image" key-name="←" id={report?.former} />
      <Step name="next" label="Next image" key-name="→" id={report?.next} />
    </>
  );
}

interface StepProps {
  readonly name: "former" | "next";
  readonly label: string;
  readonly "key-name": string;
  readonly id: number | null | undefined;
}

/** Keeps the focus at either end of the list, so that the keys still work there. */
function Step({ name, label, "key-name": key, id }: StepProps): JSX.Element {
  const none = id === null || id === undefined;
  return (
    <button
      type="button"
      class="quiet"
      aria-label={label}
      title={`${label} (${key})`}
      aria-disabled={none}
      onClick={() => step(id)}
    >
      <Glyph name={name} />
    </button>
  );
}

/** The image at each of its destinations, with what went wrong there. */
function Places({ deliveries }: { readonly deliveries: readonly DeliveryView[] }): JSX.Element {
  return (
    <ul class="places" aria-label="Destinations">
      {deliveries.map((one) => <Place key={one.id} one={one} />)}
    </ul>
  );
}

function Place({ one }: { readonly one: DeliveryView }): JSX.Element {
  const deliveredAt = one.delivered_at === null ? null : Date.parse(one.delivered_at);
  const canRetry = one.state === "failed" || one.state === "deferred";
  return (
    <li>
      <p class="place-head">
        <strong>{one.destination}</strong>
        <StateWord one={one} />
        {canRetry && (
          <button type="button" class="button is-primary" disabled={!isLive.value} onClick={() => retry([one.id])}>
            <Glyph name="retry" />Retry
          </button>
        )}
      </p>
      {one.error !== null && (
        <div class={one.state === "failed" ? "why tone-bad" : "why tone-warning"}>
          <p class="why-message">{one.error.message}</p>
          {one.error.hint !== "" && <p class="why-hint">{one.error.hint}</p>}
          {one.retry_at !== null && <p class="dim">Retrying in {duration(Date.parse(one.retry_at) - now.value)}</p>}
        </div>
      )}
      <p class="mono">
        <PathText text={one.target} />
      </p>
      <p class="dim">
        by {one.method}
        {deliveredAt !== null && (
          <>
            , <Time at={deliveredAt} shape="full" />, {duration(deliveredAt - Date.parse(one.queued_at))} after it was finished
          </>
        )}
        {failedTries(one) > 0 && `, ${count(failedTries(one))} failed ${failedTries(one) === 1 ? "attempt" : "attempts"}`}
      </p>
    </li>
  );
}

function Facts({ one, sha256 }: { readonly one: DeliveryView; readonly sha256: string | null }): JSX.Element {
  return (
    <>
      {one.warning !== null && (
        <div class="why tone-warning">
          <p class="why-message">Sent with a warning: {one.warning}</p>
        </div>
      )}
      <dl>
        <Fact name="File" value={one.path} mono />
        <Fact name="Job" value={one.job} />
        <Fact name="Size" value={`${bytes(one.size)} (${count(one.size)} bytes)`} />
        {sha256 !== null && <Fact name="SHA-256" value={sha256} mono />}
        <Fact name="Finished" value={allTimes(Date.parse(one.queued_at))} />
      </dl>
    </>
  );
}

function Fact(
  { name, value, mono = false }: { readonly name: string; readonly value: string; readonly mono?: boolean },
): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd class={mono ? "mono" : ""}>
        <PathText text={value} />
      </dd>
    </div>
  );
}
