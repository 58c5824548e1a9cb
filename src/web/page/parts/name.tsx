/**
 * A name from a disk. It may hold anything, so it is text and nothing else; where it is too long its folder goes first, then its
 * middle, for the number of an image stands at its end.
 */
import type { JSX } from "preact";
import { printable } from "../../../domain/names/printable.ts";
import { isRightToLeft, pathParts } from "../../../domain/words.ts";

/** Characters at the end that are always shown. */
const TAIL = 13;

/** `text` is a path with `/` or a name, as it comes from the daemon; the whole of it is the tooltip. */
export function Name({ text }: { readonly text: string }): JSX.Element {
  const safe = printable(text);
  const slash = safe.lastIndexOf("/") + 1;
  const turned = isRightToLeft(safe);
  // What is read from the right has its end at the left: cut in two, its halves would change places.
  const cut = turned ? safe.length : tailOf(safe, slash);
  return (
    <span class="name" title={safe}>
      {slash > 0 && (
        <span class="name-folder">
          <PathText text={safe.slice(0, slash)} />
        </span>
      )}
      {cut > slash && <bdi class="name-head">{safe.slice(slash, cut)}</bdi>}
      {cut < safe.length && <span class="name-tail">{safe.slice(cut)}</span>}
    </span>
  );
}

/** A path as running text; its folders stay in their order, whatever script they are written in. */
export function PathText({ text, mono = false }: { readonly text: string; readonly mono?: boolean }): JSX.Element {
  const safe = printable(text);
  const parts = isRightToLeft(safe) ? pathParts(safe).map((part, at) => part === "/" ? part : <bdi key={at}>{part}</bdi>) : safe;
  return mono ? <span class="mono">{parts}</span> : <>{parts}</>;
}

/** Where the tail begins: never within a character. */
function tailOf(text: string, from: number): number {
  let cut = Math.max(from, text.length - TAIL);
  while (cut > from && /^[\p{M}\p{Cs}\p{Emoji_Modifier}]/u.test(text.slice(cut))) cut--;
  return cut;
}
