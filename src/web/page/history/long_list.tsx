/**
 * A list of any length of which only the rows in sight exist. Browsers cannot scroll further than some million pixels: beyond that,
 * the bar stands for the whole list in proportion.
 */
import type { JSX } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";

/** `row` must give an element of the height `--row-px`, keyed by its place. */
interface LongListProps {
  readonly count: number;
  readonly label: string;
  /** What it is in its surroundings: rows of a table, or something of its own. */
  readonly role: "rowgroup" | "group";
  readonly row: (at: number) => JSX.Element;
  /** Told which rows are in sight. */
  readonly onSight: (from: number, to: number) => void;
  /** Back to the top when this changes. */
  readonly top: string;
  /** Told how far from the top it is, in pixels. */
  readonly onScroll: (px: number) => void;
}

const MOST_PX = 8_000_000;
/** Rows above and below that exist before they are seen. */
const SPARE = 8;
/** Rows that are scrolled by before anything is drawn; less than the spare ones. */
const STEP = 4;

/** Up to 8 million pixels one pixel is one pixel; longer lists are scrolled in proportion. */
export function LongList({ count, label, role, row, onSight, top, onScroll }: LongListProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [sight, setSight] = useState({ scrollTop: 0, height: 600, rowPx: 44 });
  const { scrollTop, height, rowPx } = sight;

  useLayoutEffect(() => {
    const place = box.current;
    if (place === null) return;
    const look = () => {
      onScroll(place.scrollTop);
      const rowPx = parseFloat(getComputedStyle(place).getPropertyValue("--row-px")) || 44;
      const step = count * rowPx > MOST_PX ? 1 : rowPx * STEP;
      const next = { scrollTop: Math.floor(place.scrollTop / step) * step, height: place.clientHeight, rowPx };
      setSight((before) => JSON.stringify(before) === JSON.stringify(next) ? before : next);
    };
    const watcher = new ResizeObserver(look);
    watcher.observe(place);
    look();
    place.addEventListener("scroll", look, { passive: true });
    return () => {
      watcher.disconnect();
      place.removeEventListener("scroll", look);
    };
  }, [count]);
  useEffect(() => box.current?.scrollTo(0, 0), [top]);

  const whole = Math.min(count * rowPx, MOST_PX);
  const inSight = Math.ceil(height / rowPx) + STEP;
  const range = Math.max(1, whole - height);
  // Where the list fits, one pixel is one pixel.
  const exact = whole === count * rowPx
    ? scrollTop / rowPx
    : Math.min(1, scrollTop / range) * Math.max(0, count - height / rowPx);
  const from = Math.max(0, Math.floor(exact) - SPARE);
  const to = Math.min(count, Math.floor(exact) + inSight + SPARE);
  useEffect(() => onSight(Math.floor(exact), Math.floor(exact) + inSight), [Math.floor(exact), inSight, count]);
  const offset = scrollTop - (exact - from) * rowPx;
  return (
    <div class="long-list" ref={box} tabIndex={0} role={role} aria-label={label}>
      <div class="long-list-whole" role="presentation" style={{ height: `${whole}px` }}>
        <div class="long-list-part" role="presentation" style={{ transform: `translateY(${Math.max(0, offset)}px)` }}>
          {Array.from({ length: Math.max(0, to - from) }, (_, at) => row(from + at))}
        </div>
      </div>
    </div>
  );
}
