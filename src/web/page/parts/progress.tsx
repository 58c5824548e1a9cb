/**
 * How far something is.
 *
 * @module
 */
import type { JSX } from "preact";
import { ratio } from "./format.ts";

/** `done` of `all`, in any unit. */
interface ProgressProps {
  readonly done: number;
  readonly all: number;
  /** What it is the progress of, for screen readers. */
  readonly label: string;
  /** The same in words, e.g. `34 of 120 MB`. */
  readonly text: string;
  readonly tone?: "good" | "busy" | "warning" | "bad";
}

/** Full where `all` is 0 or less than `done`. */
export function Progress({ done, all, label, text, tone = "busy" }: ProgressProps): JSX.Element {
  const part = ratio(done, all);
  return (
    <div
      class={`progress tone-${tone}`}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={Math.floor(part * 100)}
      aria-valuetext={text}
    >
      <div class="progress-done" style={{ transform: `scaleX(${part})` }} />
    </div>
  );
}
