/**
 * The picture of an image, to be looked at closely: buttons, the keys + - 0, the wheel and a double click zoom; dragging moves it.
 */
import type { JSX, RefObject } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { Glyph } from "../parts/glyph.tsx";
import { Button, Quiet } from "../parts/panel.tsx";

const ZOOMS = [1, 2, 4, 8] as const;
const CLOSE = "?side=2048";

/** Zoomed into, a larger picture is loaded in place of the small one. */
export function Picture({ path, summary }: { readonly path: string; readonly summary: string }): JSX.Element {
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
