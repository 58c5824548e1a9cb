/**
 * The images that arrived last.
 *
 * @module
 */
import type { JSX } from "preact";
import { Panel } from "../parts/panel.tsx";
import { imageKey, Thumbnail } from "../parts/thumbnail.tsx";
import { part } from "../store/live.ts";
import { hrefOf } from "../store/route.ts";

const newest = part("newest");
const MOST = 16;

/** At most 16; null while there is none. */
export function NewestStrip(): JSX.Element | null {
  const all = newest.value ?? [];
  if (all.length === 0) return null;
  return (
    <Panel title="Latest images" aside={<a href={hrefOf("night")}>all images from this night</a>}>
      <ul class="strip-of-images">
        {all.slice(0, MOST).map((one) => <Thumbnail key={imageKey(one)} one={one} />)}
      </ul>
    </Panel>
  );
}
