/**
 * What was just done, or could not be.
 *
 * @module
 */
import type { JSX } from "preact";
import { dismiss, toasts } from "../store/actions.ts";
import { Glyph } from "./glyph.tsx";

/** A log (WAI-ARIA 1.2) of the last three. */
export function Toasts(): JSX.Element {
  return (
    <div class="toasts" role="log" aria-live="polite" aria-label="Notifications">
      {toasts.value.map(({ id, level, text }) => (
        <div key={id} class={`toast level-${level}`}>
          <Glyph name={level} />
          <span>{text}</span>
          <button type="button" class="quiet" aria-label="Dismiss" onClick={() => dismiss(id)}>
            <Glyph name="close" />
          </button>
        </div>
      ))}
    </div>
  );
}
