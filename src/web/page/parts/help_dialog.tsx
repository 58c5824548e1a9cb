/**
 * What the page can do, in short.
 *
 * @module
 */
import type { JSX } from "preact";
import { helpIsOpen, SHORTCUTS } from "../shortcuts.ts";
import { live } from "../store/live.ts";
import { askToNotify, canNotify } from "../store/attention.ts";
import { preferences } from "../store/preferences.ts";
import { Dialog } from "./dialog.tsx";

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
      <label class="check">
        <input
          type="checkbox"
          checked={shortcuts.value}
          onChange={(event) => shortcuts.value = event.currentTarget.checked}
        />
        Enable single-key shortcuts
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={notify.value}
          disabled={!canNotify()}
          onChange={(event) => askToNotify(event.currentTarget.checked)}
        />
        Notify me when something goes wrong, and when all is well again
        {!canNotify() && <span class="dim">(not allowed by this browser here)</span>}
      </label>
      <label class="check">
        <input
          type="checkbox"
          checked={colourSign.value}
          onChange={(event) => colourSign.value = event.currentTarget.checked}
        />
        Show the state by the colour and shape of the tab icon
      </label>
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
