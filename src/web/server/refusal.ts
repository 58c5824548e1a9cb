/**
 * What comes with a request besides itself, and how it is refused.
 *
 * @module
 */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ApiFailure } from "../../reports/api_types.ts";

/** What a route knows of a request besides the request. */
export interface WebEnv {
  /** The address the request came from. */
  readonly Bindings: { readonly peer: string };
}

/** A failure as the API sends it. */
export function refusal(c: Context, status: ContentfulStatusCode, code: string, message: string, hint = ""): Response {
  const body: ApiFailure = { error: { code, message, hint } };
  return c.json(body, status);
}
