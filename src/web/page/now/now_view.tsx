/**
 * The view Now: is everything across, and if not, what is to be done?
 *
 * @module
 */
import type { JSX } from "preact";
import { isLive, live } from "../store/live.ts";
import { DestinationCards } from "./destination_cards.tsx";
import { HeadlinePanel } from "./headline_panel.tsx";
import { NewestStrip } from "./newest_strip.tsx";
import { QueueList } from "./queue_list.tsx";
import { TransferList } from "./transfer_list.tsx";
import { WaitingList } from "./waiting_list.tsx";

/** Only the headline before the first snapshot; marked as stale while the daemon is not heard. */
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
        </div>
      )}
    </>
  );
}
