/** What comes with a request of the page besides itself, and how a request is refused. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ApiFailure } from "../../reports/api_types.ts";
import type { Previews } from "../api/previews.ts";
import type { OwnAddress } from "../auth/access.ts";
import type { Authentication } from "../auth/authentication.ts";
import type { NightReports } from "../../reports/night/night_report.ts";
import type { PageSource } from "../../reports/page_source.ts";
import type { System } from "../../system/system.ts";
import type { PageFiles } from "./page_files.ts";
import type { LiveHub } from "../live/live_hub.ts";

/** What belongs to the address at which the page is served now: all of it is replaced when the settings of the page change. */
export interface PageServing {
  readonly auth: Authentication;
  readonly own: OwnAddress;
  readonly hub: LiveHub;
  readonly previews: Previews;
  /** The metrics in the text format of Prometheus; null where they are switched off. */
  readonly metrics: { readonly type: string; text(): Promise<string> } | null;
}

/** What all routes together are answered from. */
export interface WebTools {
  readonly source: PageSource;
  readonly nights: NightReports;
  readonly files: PageFiles;
  readonly system: Pick<System, "now" | "sleep" | "facts" | "read" | "upgradeWebSocket">;
  readonly onError: (error: unknown) => void;
}

/** What a route knows of a request besides the request. */
export interface WebEnv {
  /** `peer` is the address the request came from, `isOwnAccount` tells whether a program of this account sent it. */
  readonly Bindings: PageServing & { readonly peer: string; readonly isOwnAccount: () => Promise<boolean> };
}

/** A failure as the API sends it. */
export function refusal(c: Context, status: ContentfulStatusCode, code: string, message: string, hint = ""): Response {
  const body: ApiFailure = { error: { code, message, hint } };
  return c.json(body, status);
}
