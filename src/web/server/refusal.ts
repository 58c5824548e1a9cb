/** What comes with a request of the page besides itself, and how a request is refused. */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ApiFailure } from "../../reports/api_types.ts";
import type { Previews } from "../api/previews.ts";
import type { OwnAddress } from "../auth/access.ts";
import type { Authentication } from "../auth/authentication.ts";
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
