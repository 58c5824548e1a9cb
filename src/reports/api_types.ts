/**
 * What the page and the server say to each other: pure types, imported by both.
 * Times of the live state and of series are milliseconds since 1970 UTC, sizes are bytes; `StatusReport` and `DeliveryJson`, which
 * scripts depend on, have ISO 8601. All text that comes from disks and remote ends may hold anything: show it as text, never as markup.
 *
 * | path | method | answer |
 * |---|---|---|
 * | `/api/status` | GET | {@linkcode StatusReport} |
 * | `/api/deliveries?`{@linkcode DeliveryAsk} | GET | array of {@linkcode DeliveryView}, the header `total-count` tells how many match |
 * | `/api/deliveries.csv?…` `/api/deliveries.json?…` | GET | the same filter, all rows, as a download; JSON as `history --json` |
 * | `/api/deliveries/ID` | GET | {@linkcode DeliveryView} |
 * | `/api/images?`{@linkcode DeliveryAsk} | GET | array of {@linkcode ImageView}: images of which a delivery matches; `total-count` as above |
 * | `/api/images/ID?`{@linkcode DeliveryAsk} | GET | {@linkcode ImageReport} of the image that has delivery ID; its neighbours among those that match |
 * | `/api/fleet` | GET | {@linkcode FleetNow}; null without a PocketBase server |
 * | `/api/fleet/commands` | GET | array of {@linkcode FleetCommand}, the newest first |
 * | `/api/next` | GET | array of {@linkcode DeliveryView}: the ten that are sent next |
 * | `/api/nights` | GET | {@linkcode NightList} |
 * | `/api/night/YYYYMMDD` (or `/api/night/tonight`) | GET | {@linkcode NightReport} |
 * | `/api/trouble` | GET | {@linkcode TroubleList} |
 * | `/api/setup` | GET | {@linkcode SetupReport} |
 * | `/api/cards/ID` | GET | {@linkcode HeaderReport} |
 * | `/api/preview/ID.png?side=512` | GET | a grey PNG of at most 256, 512 (the default) or 2048 pixels a side; 404 where there is none |
 * | `/api/live` | WebSocket | {@linkcode LiveMessage}, from the server only |
 * | `/api/retry` `/api/pause` `/api/resume` `/api/scan` `/api/accept-removed` `/api/doctor` `/api/fleet/command` | POST, `content-type: application/json` | {@linkcode Actions} |
 *
 * Every failure is {@linkcode ApiFailure} with status 400 (not understood), 401 (no session: show the login), 403 (foreign page), 404, 405,
 * 409 (the daemon says why not), 413, 415, 421 (foreign Host), 426, 429, 500 or 503. The WebSocket closes with code 4401 where the session is over, 1013 where the client was too slow.
 */
import type { DeliveryView } from "./delivery/delivery_view.ts";
import type { LiveState } from "./overview/live_state.ts";

export type { FleetCommand, FleetNow } from "../domain/fleet.ts";
export type { CardValues, DeliveryView, ImageView } from "./delivery/delivery_view.ts";
export type { NightReport, NightSeries, NightTarget, Outage } from "./night/night_report.ts";
export type { NightSummary } from "./night/night_summary.ts";
export type { DestinationView, JobView, LiveState, TransferView, WaitingView } from "./overview/live_state.ts";
export type { Headline, StatusReport } from "./overview/status_json.ts";
export type { TroubleCause, TroubleItem, TroubleList } from "./overview/trouble.ts";
export type { CheckFinding } from "./page_source.ts";
export type { SetupReport } from "./setup_report.ts";

/** All of the dialog of an image. `former` and `next` are deliveries of the images beside it; null at either end. */
export interface ImageReport {
  readonly deliveries: readonly DeliveryView[];
  readonly former: number | null;
  readonly next: number | null;
}

/** First a snapshot, then what changes; a beat where nothing changed for ten seconds, so that a dead connection is noticed. */
export type LiveMessage =
  | { readonly type: "snapshot"; readonly at: number; readonly state: LiveState }
  | {
    readonly type: "change";
    readonly at: number;
    /** The parts that changed, each whole: `{...state, ...message.state}` is the new state. */
    readonly state: Partial<LiveState>;
    /** Deliveries whose state changed since the last message, as they are now, newest last; at most 50. */
    readonly deliveries: readonly DeliveryView[];
    /** True where there were more than those: ask for the lists again. */
    readonly more: boolean;
  }
  | { readonly type: "beat"; readonly at: number };

/** Which nights there are, `YYYYMMDD`. */
export interface NightList {
  /** The night of this moment, `YYYYMMDD`, whether it has files or not. */
  readonly tonight: string;
  /** All nights with files, newest first. */
  readonly nights: readonly string[];
}

/** The body of every answer that is none; `hint` may be empty. */
export interface ApiFailure {
  readonly error: { readonly code: string; readonly message: string; readonly hint: string };
}
