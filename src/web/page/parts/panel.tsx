/** What views are made of: panels, tables, buttons, dialogs, bars of progress. */
import type { ButtonHTMLAttributes, ComponentChildren, JSX } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";
import { Glyph, type GlyphName } from "./glyph.tsx";
import { ratio, withHint } from "./format.ts";

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

/** `label` is the table's name, `head` its columns; `class` is that of the table. */
interface TableProps {
  readonly label: string;
  readonly head: readonly ComponentChildren[];
  readonly class?: string;
  /** The columns are named for screen readers only. */
  readonly isHeadUnseen?: boolean;
  /** Rows. */
  readonly children: ComponentChildren;
}

/** Scrolls sideways where it is too wide. */
export function Table({ label, head, class: name = "", isHeadUnseen = false, children }: TableProps): JSX.Element {
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={label}>
      <table class={name}>
        <thead class={isHeadUnseen ? "unseen" : ""}>
          <tr>
            {head.map((one, at) => <th key={at} scope="col">{one}</th>)}
          </tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** What a button of HTML may have; `primary` is what one would do most likely. */
interface ButtonProps extends Omit<ButtonHTMLAttributes, "class" | "type"> {
  readonly glyph?: GlyphName;
  readonly primary?: boolean;
  readonly class?: string;
}

export function Button({ glyph, primary = false, class: name = "", children, ...rest }: ButtonProps): JSX.Element {
  const classes = ["button", primary ? "is-primary" : "", name].filter((one) => one !== "").join(" ");
  return (
    <button {...rest} type="button" class={classes}>
      {glyph !== undefined && <Glyph name={glyph} />}
      {children}
    </button>
  );
}

/** A sign to press, without a frame; `label` is its name. */
interface QuietProps extends Omit<ButtonHTMLAttributes, "class" | "type"> {
  readonly glyph: GlyphName;
  readonly label: string;
}

export function Quiet({ glyph, label, ...rest }: QuietProps): JSX.Element {
  return (
    <button {...rest} type="button" class="quiet" aria-label={label}>
      <Glyph name={glyph} />
    </button>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  /** Values and what they are called. */
  readonly of: readonly (readonly [value: string, text: string])[];
  readonly class?: string;
  /** Unless it is, the label is for screen readers only. */
  readonly isLabelled?: boolean;
  readonly onChoose: (value: string) => void;
}

/** One of several. */
export function Choice({ label, value, of, class: name, isLabelled = false, onChoose }: ChoiceProps): JSX.Element {
  const select = (
    <select aria-label={label} class={name} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
      {of.map(([one, text]) => <option key={one} value={one}>{text}</option>)}
    </select>
  );
  return isLabelled
    ? (
      <label>
        <span>{label}</span>
        {select}
      </label>
    )
    : select;
}

/** Values by their names; null ones are left out. */
interface FactsProps {
  readonly class?: string;
  readonly of: Readonly<Record<string, ComponentChildren>>;
}

export function Facts({ class: name, of }: FactsProps): JSX.Element {
  return (
    <dl class={name}>
      {Object.entries(of).map(([name, value]) =>
        value !== null && (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        )
      )}
    </dl>
  );
}

interface WhyProps {
  readonly tone?: "warning" | "bad";
  readonly role?: "alert";
  readonly message: ComponentChildren;
  /** What to do; nothing if it is empty. */
  readonly hint?: ComponentChildren;
  readonly children?: ComponentChildren;
}

/** What is wrong, and what helps. */
export function Why({ tone, role, message, hint = "", children }: WhyProps): JSX.Element {
  return (
    <div class={tone === undefined ? "why" : `why tone-${tone}`} role={role}>
      <p class="why-message">{message}</p>
      {hint !== "" && <p class="why-hint">{hint}</p>}
      {children}
    </div>
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
            <Quiet glyph="close" label="Close" onClick={onClose} />
          </div>
        </header>
        {children}
      </div>
    </dialog>
  );
}

/** Why a question to the daemon has no answer; null while it has one. */
export function Problem({ of: failure }: { readonly of: { readonly message: string; readonly hint: string } | null }) {
  return failure === null ? null : <p class="problem" role="alert">{withHint(failure)}</p>;
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
