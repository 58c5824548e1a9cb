/**
 * A name from a disk. It may hold anything, so it is text and nothing else; where it is too long its folder goes first, then its middle, for the number of
 * an image stands at its end.
 *
 * @module
 */
import type { JSX } from "preact";
import { printable } from "../../../domain/printable.ts";

/** Characters at the end that are always shown. */
const TAIL = 13;

/** `text` is a path with `/` or a name, as it comes from the daemon; the whole of it is the tooltip. */
export function Name({ text }: { readonly text: string }): JSX.Element {
  const safe = printable(text);
  const slash = safe.lastIndexOf("/") + 1;
  const cut = Math.max(slash, safe.length - TAIL);
  return (
    <span class="name" title={safe}>
      {slash > 0 && <span class="name-folder">{safe.slice(0, slash)}</span>}
      <span class="name-head">{safe.slice(slash, cut)}</span>
      <span class="name-tail">{safe.slice(cut)}</span>
    </span>
  );
}
