/**
 * What needs no session on this computer: `/health` for service managers and fleets, `/metrics` for Prometheus.
 *
 * @module
 */
import type { Context, Hono } from "hono";
import type { PageSource } from "../../reports/page_source.ts";
import { isLoopback } from "../auth/access.ts";
import { refusal, type WebEnv } from "./refusal.ts";

/** Adds the routes; `/health/ready` answers 503 where a folder is not watched. Other computers need the token, or get 401. */
export function openRoutes(app: Hono<WebEnv>, source: Pick<PageSource, "jobs">): void {
  const mayAsk = (c: Context<WebEnv>) => isLoopback(c.env.peer) || c.env.auth.knows(c, c.env.peer).in;
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
    const { metrics } = c.env;
    if (metrics === null) return refusal(c, 404, "configuration", "Metrics are switched off (web.metrics)");
    if (!mayAsk(c)) return refusal(c, 401, "login_refused", "Requests from other computers need the access token");
    return c.body(await metrics.text(), 200, { "content-type": metrics.type });
  });
}
