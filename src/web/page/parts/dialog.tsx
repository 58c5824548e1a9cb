/**
 * A dialog above the page. Escape, its button and a click beside it close it.
 *
 * @module
 */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Glyph } from "./glyph.tsx";

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
