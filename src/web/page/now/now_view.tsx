/**
 * The view Now: is everything delivered, and if not, what is there to do?
 *
 * @module
 */
import type { JSX } from "preact";
import { Panel } from "../parts/panel.tsx";
import { imageKey, Thumbnail } from "../parts/thumbnail.tsx";
import { isLive, live, part } from "../store/live.ts";
import { hrefOf } from "../store/route.ts";
import { DestinationCards } from "./destination_cards.tsx";
import { FleetPanel } from "./fleet_panel.tsx";
import { HeadlinePanel } from "./headline_panel.tsx";
import { QueueList } from "./queue_list.tsx";
import { TransferList } from "./transfer_list.tsx";
import { WaitingList } from "./waiting_list.tsx";

/** Only the headline before the first snapshot; marked as stale while not connected. */
export function NowView(): JSX.Element {
  return (
    <>
      <HeadlinePanel />
      {live.value !== null && (
        <div class={`now-body${isLive.value ? "" : " is-stale"}`}>
          <DestinationCards />
          <div class="columns">
            <TransferList />
            <WaitingList />
            <QueueList />
          </div>
          <NewestStrip />
          <FleetPanel />
        </div>
      )}
    </>
  );
}

const newest = part("newest");
const MOST_NEWEST = 16;

/** The images that arrived last, at most 16; null while there is none. */
function NewestStrip(): JSX.Element | null {
  const all = newest.value ?? [];
  if (all.length === 0) return null;
  return (
    <Panel title="Latest images" aside={<a href={hrefOf("night")}>all images from this night</a>}>
      <ul class="strip-of-images">
        {all.slice(0, MOST_NEWEST).map((one) => <Thumbnail key={imageKey(one)} one={one} />)}
      </ul>
    </Panel>
  );
}
