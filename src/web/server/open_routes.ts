/**
 * What needs no session on this computer: `/health` for service managers and fleets, `/health/delivery` for monitors, `/metrics` for Prometheus,
 * `/metrics/targets` tells it where the metrics of the whole fleet are.
 */
import type { Context, Hono } from "hono";
import { accepts } from "hono/accepts";
import { printable } from "../../domain/names/printable.ts";
import { deliveryHealth } from "../../reports/overview/delivery_health.ts";
import { judged } from "../../reports/overview/facts.ts";
import { scrapeTargets } from "../../reports/fleet/scrape_targets.ts";
import type { PageSource } from "../../reports/page_source.ts";
import type { System } from "../../system/system.ts";
import { isLoopback } from "../auth/access.ts";
import { refusal, type WebEnv } from "./refusal.ts";

/** Set by reverse proxies, most of them at least. They only ever take trust away. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
const NEEDS_TOKEN =
  "Requests from other computers or through a proxy, and all where web.metrics_token is set, need an access token";

/** Adds the routes; `/health/ready` answers 503 where a folder is not watched, `/health/delivery` where not all is well. Other computers need a token, or get 401. */
export function openRoutes(app: Hono<WebEnv>, source: PageSource, system: Pick<System, "now">): void {
  // Behind a reverse proxy on this computer, everybody seems to be here: what it forwards needs the token, and where one for monitors is configured, all do.
  const needsNone = ({ env, req }: Context<WebEnv>) =>
    isLoopback(env.peer) && !env.auth.hasMonitorToken && !FORWARDED.some((name) => req.raw.headers.has(name));
  const mayAsk = (c: Context<WebEnv>) => needsNone(c) || c.env.auth.mayMonitor(c, c.env.peer).in;
  // Live: it answers. Ready: every job's folder is watched.
  const health = (c: Context<WebEnv>, wantsReady: boolean) => {
    if (!mayAsk(c)) return refusal(c, 401, "login_refused", NEEDS_TOKEN);
    const jobs = source.jobs();
    const ready = jobs.every(({ how }) => how !== null);
    const unwatched = jobs.filter(({ how }) => how === null).map(({ job }) => job.name);
    return c.json({ live: true, ready, ...(ready ? {} : { not_watching: unwatched }) }, wantsReady && !ready ? 503 : 200);
  };
  app.get("/health", (c) => health(c, false));
  app.get("/health/live", (c) => health(c, false));
  app.get("/health/ready", (c) => health(c, true));
  app.get("/health/delivery", (c) => {
    if (!mayAsk(c)) return refusal(c, 401, "login_refused", NEEDS_TOKEN);
    const now = system.now();
    const report = deliveryHealth(judged(source, now).status, (job, name) => source.ledger.oldestWaiting(job, name), now);
    const status = report.ok ? 200 : 503;
    const wantsText = accepts(c, { header: "Accept", supports: ["application/json", "text/plain"], default: "application/json" });
    return wantsText === "text/plain" ? c.text(`${printable(report.line)}\n`, status) : c.json(report, status);
  });
  app.get("/metrics", async (c) => {
    const { metrics } = c.env;
    if (metrics === null) return refusal(c, 404, "configuration", "Metrics are switched off (web.metrics)");
    if (!mayAsk(c)) return refusal(c, 401, "login_refused", NEEDS_TOKEN);
    return c.body(await metrics.text(), 200, { "content-type": metrics.type });
  });
  app.get("/metrics/targets", async (c) => {
    if (!mayAsk(c)) return refusal(c, 401, "login_refused", NEEDS_TOKEN);
    const fleet = await source.fleet();
    // An error, not an empty list: Prometheus then keeps the computers that it knows.
    if (fleet === null) return refusal(c, 503, "unreachable", "Nothing has been heard from the PocketBase server yet");
    return c.json(scrapeTargets(fleet.members));
  });
}
