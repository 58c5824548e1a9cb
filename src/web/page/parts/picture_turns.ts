/**
 * Pictures are made on the camera's computer: however many thumbnails are in sight, this page asks for two at a time, and for none
 * that was scrolled past.
 *
 * @module
 */

const AT_ONCE = 2;
const waiting = new Set<() => void>();
let loading = 0;

/** Calls `start` when it is its turn. To be called when the picture has come, has not, or is not wanted any more: all the same. */
export function takeTurn(start: () => void): () => void {
  let state: "waiting" | "loading" | "over" = "waiting";
  const begin = () => {
    waiting.delete(begin);
    state = "loading";
    loading++;
    start();
  };
  waiting.add(begin);
  next();
  return () => {
    waiting.delete(begin);
    if (state === "loading") loading--;
    state = "over";
    next();
  };
}

/** The latest first: that is what is in sight. */
function next(): void {
  while (loading < AT_ONCE && waiting.size > 0) [...waiting].at(-1)!();
}
