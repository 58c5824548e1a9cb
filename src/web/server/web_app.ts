/** What the page's address answers: who may ask, and which part answers. It can change no command, program or key. */
import { type Context, Hono, type Next } from "hono";
import { bodyLimit } from "hono/body-limit";
import { isLoopback, isOwnHost, isOwnPage } from "../auth/access.ts";
import { actionRoutes, apiRoutes } from "../api/api_routes.ts";
import { loginPage, loginRoutes } from "../auth/login.ts";
import { previewRoutes } from "../api/preview_routes.ts";
import type { PageFiles } from "./page_files.ts";
import { refusal, type WebEnv, type WebTools } from "./refusal.ts";
import { etag } from "hono/etag";
import { accepts } from "hono/accepts";
import { printable } from "../../domain/names/printable.ts";
import { scrapeTargets } from "../../reports/fleet/scrape_targets.ts";
import { deliveryHealth } from "../../reports/overview/delivery_health.ts";
import { judged } from "../../reports/overview/facts.ts";

/** Most bytes of a request: fifty thousand ids fit. */
const MAX_BODY = 512 * 1024;

const OWN_NAMES = "Use localhost, this computer's name, its IP address, or a name in its certificate (web.tls_cert).";
const LOGIN = "To open the page, run: image-transfer open. Scripts must send the header Authorization: Bearer TOKEN.";

/** The routes of the page. What carries a foreign Host gets 421, a foreign Origin 403. */
export function webApp(tools: WebTools): Hono<WebEnv> {
  const app = new Hono<WebEnv>();
  app.use(ownRequests);
  app.use(bodyLimit({ maxSize: MAX_BODY, onError: (c) => refusal(c, 413, "configuration", "The request is too large") }));
  openRoutes(app, tools);
  loginRoutes(app);
  app.use("/api/*", loggedIn);
  liveRoute(app, tools);
  actionRoutes(app, tools.source);
  apiRoutes(app, tools);
  previewRoutes(app, tools);
  pageRoutes(app, tools.files);
  return app;
}

async function ownRequests(c: Context<WebEnv>, next: Next): Promise<void> {
  if (!isOwnHost(c.req.raw, c.env.own)) {
    c.res = refusal(c, 421, "configuration", "This server does not accept requests for that host name", OWN_NAMES);
  } else if (!isOwnPage(c.req.raw, c.env.own)) {
    c.res = refusal(c, 403, "permission_denied", "Requests from other websites are not allowed");
  } else await next();
  // The answer that opens a WebSocket must go out as it is.
  if (c.res.status === 101) return;
  for (const [name, value] of Object.entries(ANSWER_HEADERS)) if (!c.res.headers.has(name)) c.res.headers.set(name, value);
}

async function loggedIn(c: Context<WebEnv>, next: Next): Promise<Response | void> {
  const known = c.env.auth.knows(c, c.env.peer);
  if (known.in) return await next();
  if (known.waitMs === 0) return refusal(c, 401, "login_refused", "Not logged in", LOGIN);
  c.header("retry-after", String(Math.ceil(known.waitMs / 1000)));
  return refusal(c, 429, "login_refused", "Too many wrong access tokens from this address", "Wait a minute, then try again.");
}

/**
 * Of every answer: the page may load from here only, runs no inline script, is shown in no frame, and tells nobody where it was. Hono's
 * `secureHeaders` would set the same; a list says at a glance what is promised.
 */
const ANSWER_HEADERS: Readonly<Record<string, string>> = {
  "content-security-policy": [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "manifest-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join("; "),
  "x-content-type-options": "nosniff",
  "x-frame-options": "DENY",
  "referrer-policy": "no-referrer",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "permissions-policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
  "cache-control": "no-store",
};

/** Set by reverse proxies, most of them at least. They only ever take trust away. */
const FORWARDED = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];
const NEEDS_TOKEN =
  "Requests from other computers or through a proxy, and all where web.metrics_token is set, need an access token";

/**
 * Adds what needs no session on this computer, and a token from others: `/health` for service managers and fleets (`/health/ready`
 * answers 503 where a folder is not watched), `/health/delivery` for monitors (503 where not all is well), `/metrics` for Prometheus,
 * and `/metrics/targets`, which tells it where the metrics of the whole fleet are.
 */
function openRoutes(app: Hono<WebEnv>, { source, system }: WebTools): void {
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

/** Adds the routes; without a session the login form is sent with 401 in place of the page. */
function pageRoutes(app: Hono<WebEnv>, files: PageFiles): void {
  app.get("/", etag(), async (c) => {
    if (!c.env.auth.knows(c, c.env.peer).in) return c.html(loginPage(), 401);
    return await send(c, "index.html");
  });
  // Nothing in them is secret.
  app.get("/assets/:name", etag(), async (c) => await send(c, c.req.param("name")));
  app.get("/favicon.ico", etag(), async (c) => await send(c, "icon.svg"));

  async function send(c: Context<WebEnv>, name: string): Promise<Response> {
    const file = await files(name);
    return file === null ? c.notFound() : c.body(file.text, 200, { "cache-control": "no-cache", "content-type": file.type });
  }
}

/** Close code (RFC 6455): what came is not what may come. */
const NOT_ALLOWED = 1008;

/** `/api/live`, the WebSocket of a page: the server speaks, the page listens. Adds the route; refuses with 426 what asks for no WebSocket, with 503 one page too many. */
function liveRoute(app: Hono<WebEnv>, { system, onError }: WebTools): void {
  app.get("/api/live", (c) => {
    if (c.req.header("upgrade")?.toLowerCase() !== "websocket") {
      return refusal(c, 426, "configuration", "This address accepts only WebSocket connections");
    }
    const { hub } = c.env;
    if (!hub.hasRoom()) return refusal(c, 503, "configuration", "Too many pages are open");
    const { socket, response } = system.upgradeWebSocket(c.req.raw);
    socket.onopen = () => {
      try {
        hub.join(socket);
      } catch (error) {
        onError(error);
      }
    };
    socket.onclose = () => hub.leave(socket);
    // A connection that breaks is no fault of ours.
    socket.onerror = () => hub.leave(socket);
    socket.onmessage = () => {
      hub.leave(socket);
      socket.close(NOT_ALLOWED, "clients must not send messages");
    };
    return response;
  });
}
