/**
 * The web server's answers: who may ask, and which part answers. It can change no command, program or key.
 *
 * @module
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { Failure } from "../../domain/failure.ts";
import { isLoopback, isOwnHost, isOwnPage, type OwnAddress } from "../auth/access.ts";
import { actionRoutes } from "../api/action_routes.ts";
import { ANSWER_HEADERS } from "./answer_headers.ts";
import { apiRoutes, type ApiTools } from "../api/api_routes.ts";
import type { Authentication } from "../auth/authentication.ts";
import { liveRoute, type LiveTools } from "../live/live_route.ts";
import { loginRoutes } from "../auth/login_routes.ts";
import { openRoutes, type OpenTools } from "./open_routes.ts";
import { previewRoutes, type PreviewTools } from "../api/preview_routes.ts";
import { pageRoutes } from "./page_routes.ts";
import type { PageFiles } from "./page_files.ts";
import { refusal, type WebEnv } from "./refusal.ts";

type Parts = Omit<ApiTools & LiveTools & PreviewTools & OpenTools, "system">;

/** What all routes together need. */
export interface WebTools extends Parts {
  readonly system: ApiTools["system"] & LiveTools["system"] & PreviewTools["system"];
  readonly auth: Authentication;
  readonly own: OwnAddress;
  readonly files: PageFiles;
}

/** Most bytes of a request: fifty thousand ids fit. */
const MAX_BODY = 512 * 1024;

const OWN_NAMES = "Use localhost, this computer's name, its IP address, or a name in its certificate (web.tls_cert).";
const LOGIN = "To open the page, run: image-transfer open. Scripts must send the header Authorization: Bearer TOKEN.";

/** Answers requests, once `env.peer` tells where they come from; what carries a foreign Host gets 421, a foreign Origin 403. */
export function webApp(tools: WebTools): Hono<WebEnv> {
  const { auth, own, onError } = tools;
  const app = new Hono<WebEnv>();

  app.use(async (c, next) => {
    if (!isOwnHost(c.req.raw, own)) {
      c.res = refusal(c, 421, "configuration", "This server does not accept requests for that host name", OWN_NAMES);
    } else if (!isOwnPage(c.req.raw)) {
      c.res = refusal(c, 403, "permission_denied", "Requests from other websites are not allowed");
    } else await next();
    // The answer that opens a WebSocket must go out as it is.
    if (c.res.status === 101) return;
    for (const [name, value] of Object.entries(ANSWER_HEADERS)) if (!c.res.headers.has(name)) c.res.headers.set(name, value);
  });
  app.use(bodyLimit({ maxSize: MAX_BODY, onError: (c) => refusal(c, 413, "configuration", "The request is too large") }));

  openRoutes(app, tools, (c) => isLoopback(c.env.peer) || auth.knows(c.req.raw, c.env.peer).in);
  loginRoutes(app, auth);
  app.use("/api/*", async (c, next) => {
    const known = auth.knows(c.req.raw, c.env.peer);
    if (known.in) return await next();
    if (known.waitMs > 0) {
      c.header("retry-after", String(Math.ceil(known.waitMs / 1000)));
      return refusal(c, 429, "login_refused", "Too many wrong access tokens from this address", "Wait a minute, then try again.");
    }
    return refusal(c, 401, "login_refused", "Not logged in", LOGIN);
  });
  liveRoute(app, tools);
  actionRoutes(app, tools.source);
  apiRoutes(app, tools);
  previewRoutes(app, tools);
  pageRoutes(app, tools.files, (c) => auth.knows(c.req.raw, c.env.peer));

  app.notFound((c) => refusal(c, 404, "configuration", "Not found"));
  app.onError((error, c) => {
    if (error instanceof Failure) return refusal(c, error.code === "internal" ? 500 : 409, error.code, error.message, error.hint);
    onError(error);
    return refusal(c, 500, "internal", "Internal error: see the daemon's log");
  });
  return app;
}
