/** What views are made of: panels, dialogs, bars of progress. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Glyph } from "./glyph.tsx";
import { ratio } from "./format.ts";

/** `class` is added to the panel's own. */
interface PanelProps {
  readonly title: string;
  /** Beside the heading: a number, a link. */
  readonly aside?: ComponentChildren;
  readonly class?: string;
  readonly children: ComponentChildren;
}

/** A region with the heading as its name. */
export function Panel({ title, aside, class: name = "", children }: PanelProps): JSX.Element {
  const id = useId();
  return (
    <section class={`panel ${name}`} aria-labelledby={id}>
      <header class="panel-head">
        <h2 id={id}>{title}</h2>
        {aside !== undefined && <div class="panel-aside">{aside}</div>}
      </header>
      {children}
    </section>
  );
}

/** `onClose` must take the dialog out of the page; it does not close by itself. */
interface DialogProps {
  readonly title: ComponentChildren;
  readonly class?: string;
  /** Buttons beside the one that closes it. */
  readonly tools?: ComponentChildren;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

/** Modal while it is in the page; gives the focus back to where it was. */
export function Dialog({ title, class: name = "", tools, onClose, children }: DialogProps): JSX.Element {
  const id = useId();
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const former = document.activeElement;
    box.current?.showModal();
    return () => {
      if (former instanceof HTMLElement) former.focus();
    };
  }, []);
  return (
    <dialog
      ref={box}
      class={`dialog ${name}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === box.current) onClose();
      }}
    >
      <div class="dialog-box">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <div class="dialog-tools">
            {tools}
            <button type="button" class="quiet" aria-label="Close" onClick={onClose}>
              <Glyph name="close" />
            </button>
          </div>
        </header>
        {children}
      </div>
    </dialog>
  );
}

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
