/**
 * Everything about one image: its picture, where it is, and the header of the file. The images before and after it in the list it
 * was opened from are one key away.
 */
import type { JSX, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { CardValues, DeliveryView, ImageReport } from "../../../reports/api_types.ts";
import type { HeaderReport } from "../../api/preview_routes.ts";
import { bytes, count, duration, failedTries, plural, withHint } from "../parts/format.ts";
import { Button, Dialog, Facts, Quiet, Table, Why } from "../parts/panel.tsx";
import { Glyph, StateWord } from "../parts/glyph.tsx";
import { Name, PathText } from "../parts/name.tsx";
import { cardSummary } from "../parts/thumbnail.tsx";
import { allTimes, Time } from "../parts/time.tsx";
import { act } from "../store/actions.ts";
import { useAsk } from "../store/ask.ts";
import { now } from "../store/clock.ts";
import { isLive, onChanges, part } from "../store/live.ts";
import { closeShown, listOf, route, showInstead } from "../store/route.ts";
import { printable } from "../../../domain/names/printable.ts";

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
              <ul class="places" aria-label="Destinations">
                {report.deliveries.map((one) => <Place key={one.id} one={one} />)}
              </ul>
              <FileFacts one={first} sha256={report.deliveries.find(({ sha256 }) => sha256 !== null)?.sha256 ?? null} />
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
  if (error !== null && answer === null) return { report: null, problem: withHint(error) };
  return { report: last.current, problem: null };
}

function step(id: number | null): void {
  if (id !== null) showInstead(id);
}

function useArrows(report: ImageReport | null): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (event.target instanceof HTMLInputElement) return;
      if (event.key === "ArrowLeft") step(report?.former ?? null);
      else if (event.key === "ArrowRight") step(report?.next ?? null);
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [report]);
}

/** They keep the focus at either end of the list, so that the keys still work there. */
function Steps({ report }: { readonly report: ImageReport | null }): JSX.Element {
  const steps = [["former", "Previous image", "←"], ["next", "Next image", "→"]] as const;
  return (
    <>
      {steps.map(([name, label, key]) => {
        const id = report?.[name] ?? null;
        const title = `${label} (${key})`;
        return <Quiet key={name} glyph={name} label={label} title={title} aria-disabled={id === null} onClick={() => step(id)} />;
      })}
    </>
  );
}

/** What became of the image at one of its destinations. */
function Place({ one }: { readonly one: DeliveryView }): JSX.Element {
  const deliveredAt = one.delivered_at === null ? null : Date.parse(one.delivered_at);
  const canRetry = one.state === "failed" || one.state === "deferred";
  return (
    <li>
      <p class="place-head">
        <strong>{one.destination}</strong>
        <StateWord one={one} />
        {canRetry && (
          <Button primary disabled={!isLive.value} onClick={() => act("retry", { ids: [one.id] })} glyph="retry">Retry</Button>
        )}
      </p>
      {one.error !== null && (
        <Why tone={one.state === "failed" ? "bad" : "warning"} {...one.error}>
          {one.retry_at !== null && <p class="dim">Retrying in {duration(Date.parse(one.retry_at) - now.value)}</p>}
        </Why>
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

function FileFacts({ one, sha256 }: { readonly one: DeliveryView; readonly sha256: string | null }): JSX.Element {
  return (
    <>
      {one.warning !== null && <Why tone="warning" message={`Sent with a warning: ${one.warning}`} />}
      <Facts
        of={{
          File: <PathText mono text={one.path} />,
          Job: <PathText text={one.job} />,
          Size: `${bytes(one.size)} (${count(one.size)} bytes)`,
          "SHA-256": sha256 && <span class="mono">{sha256}</span>,
          Finished: allTimes(Date.parse(one.queued_at)),
        }}
      />
    </>
  );
}

/** In the order of reading; the first keyword that is there counts. */
const KEYS: readonly { readonly name: string; readonly keywords: readonly string[]; readonly unit?: string }[] = [
  { name: "Object", keywords: ["OBJECT"] },
  { name: "Type", keywords: ["IMAGETYP"] },
  { name: "Filter", keywords: ["FILTER"] },
  { name: "Exposure", keywords: ["EXPTIME", "EXPOSURE"], unit: " s" },
  { name: "Taken", keywords: ["DATE-OBS"], unit: " UT" },
  { name: "Gain", keywords: ["GAIN"] },
  { name: "Sensor", keywords: ["CCD-TEMP"], unit: " °C" },
  { name: "Camera", keywords: ["INSTRUME"] },
  { name: "Telescope", keywords: ["TELESCOP"] },
  { name: "RA", keywords: ["RA"] },
  { name: "Dec", keywords: ["DEC"] },
  { name: "Airmass", keywords: ["AIRMASS"] },
];

/** Nothing where the header tells nothing. */
function KeyCards({ cards }: { readonly cards: CardValues | null }): JSX.Element | null {
  const known = new Set(KEYS.flatMap(({ keywords }) => keywords));
  const found = KEYS.flatMap(({ name, keywords, unit = "" }) => {
    const value = keywords.map((keyword) => cards?.[keyword]).find((one) => one !== undefined && one !== "");
    return value === undefined ? [] : [[name, printable(`${shown(value)}${unit}`)] as const];
  });
  // What a layout names besides.
  const others = Object.entries(cards ?? {}).filter(([keyword]) => !known.has(keyword))
    .map(([keyword, value]) => [printable(keyword), printable(shown(value))] as const);
  return found.length + others.length === 0 ? null : <Facts class="key-cards" of={Object.fromEntries([...found, ...others])} />;
}

function shown(value: string | number | boolean): string {
  // The time of a header has a T between and digits that nobody reads.
  if (typeof value === "string") return value.replace(/^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)\.?\d*$/, "$1 $2");
  return typeof value === "number" ? String(Number(value.toPrecision(8))) : value ? "yes" : "no";
}

/** `id` is that of a delivery. Where the file cannot be read any more, the cards that the ledger kept. */
function HeaderCards({ id }: { readonly id: number }): JSX.Element {
  const [wanted, want] = useState("");
  const { answer, error } = useAsk<HeaderReport>(`/api/cards/${id}`);
  if (error !== null) return <p class="nothing">{withHint(error)}</p>;
  if (answer === null) return <p class="nothing" role="status">Loading the header…</p>;
  const { hdus, problem, kept } = answer.value;
  const cards = Object.entries(kept).map(([keyword, value]) => ({ keyword, value: String(value), comment: "" }));
  const known = { name: "primary", data: "as recorded when the image was delivered", cards };
  const all = hdus.length > 0 || cards.length === 0 ? hdus : [known];
  return (
    <section class="header-cards" aria-label="Header">
      <header class="panel-head">
        <h3>Header</h3>
        <input
          type="search"
          aria-label="Search the header"
          placeholder="Search the header"
          onInput={(event) => want(event.currentTarget.value.toLowerCase())}
        />
      </header>
      {problem !== "" && <p class="problem">{problem}</p>}
      {all.map((hdu) => <Hdu key={hdu.name} hdu={hdu} wanted={wanted} />)}
    </section>
  );
}

function Hdu({ hdu, wanted }: { readonly hdu: HeaderReport["hdus"][number]; readonly wanted: string }): JSX.Element {
  const shown = hdu.cards.filter(({ keyword, value, comment }) =>
    `${keyword} ${value} ${comment}`.toLowerCase().includes(wanted)
  );
  return (
    <details open={hdu.name === "primary" || wanted !== ""}>
      <summary>
        {hdu.name} <span class="dim">{hdu.data}, {count(hdu.cards.length)} {plural(hdu.cards.length, "card")}</span>
      </summary>
      <Table label={`Header of ${hdu.name}`} class="cards-table" head={["Keyword", "Value", "Comment"]} isHeadUnseen>
        {shown.map(({ keyword, value, comment }, at) => (
          <tr key={at}>
            <th scope="row">{printable(keyword)}</th>
            <td>{printable(value)}</td>
            <td class="dim">{printable(comment)}</td>
          </tr>
        ))}
      </Table>
    </details>
  );
}

const ZOOMS = [1, 2, 4, 8] as const;
const CLOSE = "?side=2048";

/**
 * To be looked at closely: buttons, the keys + - 0, the wheel and a double click zoom; dragging moves it. Zoomed into, a larger
 * picture is loaded in place of the small one.
 */
function Picture({ path, summary }: { readonly path: string; readonly summary: string }): JSX.Element {
  const [broken, setBroken] = useState(false);
  const box = useRef<HTMLDivElement>(null);
  const { zoom, zoomTo } = useZoom(box);
  const source = useClosePicture(path, zoom > 1);
  if (broken) {
    return (
      <figure class="frame is-large">
        <figcaption class="nothing">
          <Glyph name="image" /> No preview available
        </figcaption>
      </figure>
    );
  }
  return (
    <figure class="picture">
      <div
        class={zoom > 1 ? "frame is-large is-zoomed" : "frame is-large"}
        ref={box}
        tabIndex={0}
        role="group"
        aria-label={`Preview, zoom ${zoom}×`}
      >
        <img
          src={source}
          alt={summary === "" ? "Preview of the image" : `Preview: ${summary}`}
          draggable={false}
          style={{ width: `${zoom * 100}%` }}
          onError={() => setBroken(true)}
        />
      </div>
      <figcaption class="picture-tools">
        <Quiet
          glyph="less"
          label="Zoom out"
          title="Zoom out (-)"
          aria-disabled={zoom === 1}
          onClick={() => zoomTo(zoom / 2)}
        />
        <Quiet glyph="more" label="Zoom in" title="Zoom in (+)" aria-disabled={zoom === 8} onClick={() => zoomTo(zoom * 2)} />
        <Button aria-disabled={zoom === 1} title="Whole image (0)" onClick={() => zoomTo(1)}>Whole image</Button>
        <output>{zoom}×</output>
      </figcaption>
    </figure>
  );
}

/** The small picture until the large one has come. */
function useClosePicture(path: string, wanted: boolean): string {
  const [close, setClose] = useState<string | null>(null);
  useEffect(() => {
    if (!wanted || close !== null) return;
    const image = new Image();
    image.onload = () => setClose(image.src);
    image.src = `${path}${CLOSE}`;
    return () => {
      image.onload = null;
    };
  }, [path, wanted, close]);
  return wanted && close !== null ? close : path;
}

/** The point of the picture that stays where it is, as parts of its sides, and where that is in the box. */
interface Anchor {
  readonly part: readonly [number, number];
  readonly at: readonly [number, number];
}

function useZoom(box: RefObject<HTMLDivElement | null>) {
  const [zoom, setZoom] = useState(1);
  const anchor = useRef<Anchor | null>(null);

  function zoomTo(wanted: number, at?: readonly [number, number]): void {
    const place = box.current;
    const next = ZOOMS.find((one) => one === wanted);
    if (place === null || next === undefined || next === zoom) return;
    // As high as the whole image was, so that nothing below it jumps.
    if (zoom === 1) place.style.height = `${place.offsetHeight}px`;
    if (next === 1) place.style.height = "";
    anchor.current = anchorOf(place, at ?? [place.clientWidth / 2, place.clientHeight / 2]);
    setZoom(next);
  }

  useLayoutEffect(() => {
    const [place, held] = [box.current, anchor.current];
    if (place === null || held === null) return;
    const image = place.querySelector("img")!;
    place.scrollTo(held.part[0] * image.offsetWidth - held.at[0], held.part[1] * image.offsetHeight - held.at[1]);
  }, [zoom]);
  useGestures(box, zoom, zoomTo);
  return { zoom, zoomTo };
}

function anchorOf(place: HTMLElement, at: readonly [number, number]): Anchor {
  const image = place.querySelector("img")!;
  const share = (offset: number, length: number) => length === 0 ? 0.5 : Math.min(1, Math.max(0, offset / length));
  const [left, top] = [place.scrollLeft - image.offsetLeft, place.scrollTop - image.offsetTop];
  return { part: [share(left + at[0], image.offsetWidth), share(top + at[1], image.offsetHeight)], at };
}

function useGestures(
  box: RefObject<HTMLDivElement | null>,
  zoom: number,
  zoomTo: (zoom: number, at?: readonly [number, number]) => void,
): void {
  useEffect(() => {
    const place = box.current;
    if (place === null) return;
    const end = new AbortController();
    const { signal } = end;
    const at = (event: MouseEvent): readonly [number, number] => {
      const { left, top } = place.getBoundingClientRect();
      return [event.clientX - left, event.clientY - top];
    };
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      zoomTo(event.deltaY < 0 ? zoom * 2 : zoom / 2, at(event));
    };
    const drag = (event: PointerEvent) => {
      if (event.pointerType === "mouse" && event.buttons === 1) place.scrollBy(-event.movementX, -event.movementY);
    };
    const press = (event: KeyboardEvent) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.target instanceof HTMLInputElement) return;
      if (event.key === "+" || event.key === "=") zoomTo(zoom * 2);
      else if (event.key === "-") zoomTo(zoom / 2);
      else if (event.key === "0") zoomTo(1);
      // The arrows move what is zoomed into, where it has the focus.
      else if (event.key.startsWith("Arrow") && zoom > 1 && document.activeElement === place) event.stopPropagation();
    };
    place.addEventListener("wheel", wheel, { passive: false, signal });
    place.addEventListener("pointermove", drag, { signal });
    place.addEventListener("dblclick", (event: MouseEvent) => zoomTo(zoom > 1 ? 1 : 4, at(event)), { signal });
    place.closest("dialog")?.addEventListener("keydown", press, { signal });
    return () => end.abort();
  }, [zoom]);
}
