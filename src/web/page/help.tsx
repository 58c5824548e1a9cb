/**
 * What the page can do, in short, and its single-key shortcuts. They can be switched off, and do nothing while somebody types.
 */
import { type Signal, signal } from "@preact/signals";
import { nextZone } from "./parts/time.tsx";
import { act } from "./store/actions.ts";
import { nextTheme, preferences } from "./store/preferences.ts";
import { go, route, VIEWS } from "./store/route.ts";
import type { ComponentChildren, JSX } from "preact";
import { live } from "./store/live.ts";
import { askToNotify, canNotify } from "./store/headline.ts";
import { Dialog } from "./parts/panel.tsx";

/** As the help shows them; `key` may name several, a blank between. */
const SHORTCUTS: readonly { readonly key: string; readonly does: string }[] = [
  { key: "1 2 3 4 5", does: "Show Now, Night, History, Trouble, Setup" },
  { key: "/", does: "Search in History" },
  { key: "[ ]", does: "In Night: previous and next night" },
  { key: "← →", does: "In an image: previous and next image" },
  { key: "+ - 0", does: "In an image: zoom in, zoom out, whole image" },
  { key: "d", does: "In Setup: run the checks" },
  { key: "s", does: "Scan now" },
  { key: "u", does: "Change the time zone: site, UT, yours" },
  { key: "c", does: "Change colours: automatic, light, dark, red" },
  { key: "?", does: "Show this help" },
];

/** Set by whoever opens or closes the help. */
export const helpIsOpen = signal(false);

/** To be called once. Does nothing while a dialog is open, something is typed, or Ctrl, Alt or Meta is held. */
export function startShortcuts(): void {
  addEventListener("keydown", (event) => {
    if (!preferences.shortcuts.value || event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    if (document.querySelector("dialog[open]") !== null) return;
    if (press(event.key)) event.preventDefault();
  });
}

function press(key: string): boolean {
  const view = VIEWS[Number(key) - 1];
  if (view !== undefined) go(view);
  else if (key === "/") search();
  else if (key === "s") void act("scan", {});
  else if (key === "u") nextZone();
  else if (key === "c") nextTheme();
  else if (key === "?") helpIsOpen.value = true;
  else {
    // A button that is shown may have a key of its own.
    const buttons = [...document.querySelectorAll<HTMLButtonElement>("button[data-key]")];
    const button = buttons.find((one) => one.dataset["key"] === key);
    button?.click();
    return button !== undefined;
  }
  return true;
}

function search(): void {
  if (route.value.view !== "history") go("history");
  // Once the view is there.
  setTimeout(() => document.querySelector<HTMLInputElement>("#search")?.focus(), 50);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName));
}

/** Null while `helpIsOpen` is false. */
export function HelpDialog(): JSX.Element | null {
  if (!helpIsOpen.value) return null;
  const { shortcuts, notify, colourSign } = preferences;
  return (
    <Dialog title="Help and settings" onClose={() => helpIsOpen.value = false}>
      <dl class="keys">
        {SHORTCUTS.map(({ key, does }) => (
          <div key={key}>
            <dt>{key.split(" ").map((one) => <kbd key={one}>{one}</kbd>)}</dt>
            <dd>{does}</dd>
          </div>
        ))}
      </dl>
      <Check of={shortcuts}>Enable single-key shortcuts</Check>
      <Check of={notify} disabled={!canNotify()} onCheck={askToNotify}>
        Notify me when something goes wrong, and when all is well again
        {!canNotify() && <span class="dim">(not allowed by this browser here)</span>}
      </Check>
      <Check of={colourSign}>Show the state by the colour and shape of the tab icon</Check>
      <p>
        For a screen on the wall: <a href="/?wall">the state in large type</a>
      </p>
      <form method="post" action="/logout" class="log-out">
        <button type="submit" class="button">Log out</button>{" "}
        <button type="submit" class="button" name="everywhere" value="yes">Log out all browsers</button>
      </form>
      <p class="dim">
        “Delivered” means that the complete file has its final name at the destination; “verified” means that its checksum there
        matches the original. For more, run <code>image-transfer status</code>, <code>history</code> or <code>doctor</code>{" "}
        in a terminal.
      </p>
      {live.value !== null && <p class="dim">image-transfer {live.value.status.version}</p>}
    </Dialog>
  );
}

/** `onCheck` decides what becomes of it, where it is not simply set. */
interface CheckProps {
  readonly of: Signal<boolean>;
  readonly disabled?: boolean;
  readonly onCheck?: (checked: boolean) => void;
  readonly children: ComponentChildren;
}

function Check({ of, disabled = false, onCheck = (checked) => of.value = checked, children }: CheckProps): JSX.Element {
  return (
    <label class="check">
      <input type="checkbox" checked={of.value} disabled={disabled} onChange={(event) => onCheck(event.currentTarget.checked)} />
      {children}
    </label>
  );
}
