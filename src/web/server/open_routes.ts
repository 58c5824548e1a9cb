/**
 * What needs no session on this computer: `/health` for service managers and fleets, `/metrics` for Prometheus.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import type { PageSource } from "../../reports/page_source.ts";
import { refusal, type WebEnv } from "./refusal.ts";

/** What the open routes show. */
export interface OpenTools {
  readonly source: PageSource;
  /** The metrics in the text format of Prometheus; null where they are switched off. */
  readonly metrics: { readonly type: string; text(): Promise<string> } | null;
}

/** Adds the routes; `/health/ready` answers 503 where a folder is not watched. `mayAsk` lets in, others get 401. */
export function openRoutes(app: Hono<WebEnv>, { source, metrics }: OpenTools, mayAsk: (c: Context<WebEnv>) => boolean): void {
  // Live: it answers. Ready: every job's folder is watched.
  const health = (c: Context<WebEnv>, wantsReady: boolean) => {
    if (!mayAsk(c)) return refusal(c, 401, "login_refused", "Requests from other computers need the access token");
    const jobs = source.jobs();
    const ready = jobs.every(({ how }) => how !== null);
    const unwatched = jobs.filter(({ how }) => how === null).map(({ job }) => job.name);
    return c.json({ live: true, ready, ...(ready ? {} : { not_watching: unwatched }) }, wantsReady && !ready ? 503 : 200);
  };
  app.get("/health", (c) => health(c, false));
  app.get("/health/live", (c) => health(c, false));
  app.get("/health/ready", (c) => health(c, true));
  app.get("/metrics", async (c) => {
    if (metrics === null) return refusal(c, 404, "configuration", "Metrics are switched off (web.metrics)");
    if (!mayAsk(c)) return refusal(c, 401, "login_refused", "Requests from other computers need the access token");
    return c.body(await metrics.text(), 200, { "content-type": metrics.type });
  });
}
