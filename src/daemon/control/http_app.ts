/**
 * The one HTTP app of a daemon, with two doors: the control channel lets commands in, the page's address browsers and scripts. A door
 * is a place where the daemon listens; no request can choose another. Each has its own authentication and its own routes, so the page
 * can change no command, program or key.
 *
 * @module
 */
import { Hono } from "hono";
import { getPath } from "hono/utils/url";
import { Failure } from "../../domain/failure.ts";
import { nightReports } from "../../reports/night/night_report.ts";
import type { PageSource } from "../../reports/page_source.ts";
import { pageFiles } from "../../web/server/page_files.ts";
import { refusal, type WebEnv } from "../../web/server/refusal.ts";
import { webApp } from "../../web/server/web_app.ts";
import type { System } from "../../system/system.ts";
import type { DaemonControl } from "../../reports/daemon_control.ts";
import { type CommandEnv, commandRoutes } from "./command_routes.ts";

/** What a request comes with, by the door that it came in. */
export type Visit =
  | ({ readonly door: "commands" } & CommandEnv["Bindings"])
  | ({ readonly door: "page" } & WebEnv["Bindings"]);

/** Answers requests. */
export interface HttpApp {
  fetch(request: Request, visit: Visit): Response | Promise<Response>;
}

/** What the answers are made from. */
export interface HttpTools {
  readonly control: DaemonControl;
  /** Null without a page: then its door answers nothing. */
  readonly source: PageSource | null;
  readonly system: System;
  /** Told of internal errors; the asker gets no details. */
  readonly onError: (error: unknown, door: Visit["door"]) => void;
}

/** Works until `signal` is aborted. */
export function httpApp({ control, source, system, onError }: HttpTools, signal: AbortSignal): HttpApp {
  const app = new Hono<{ Bindings: Visit }>({
    // The door comes first in the path that is routed; what the request itself asks for cannot leave it.
    getPath: (request, options) => `/${(options?.env as Visit).door}${getPath(request)}`.replace(/(?<=^\/\w+)\/$/, ""),
  });
  app.route("/commands", commandRoutes(control, system, signal, (error) => onError(error, "commands")));
  if (source !== null) {
    const files = pageFiles(system, signal);
    const nights = nightReports(source, system);
    app.route("/page", webApp({ source, files, nights, system, onError: (error) => onError(error, "page") }));
  }
  app.notFound((c) => refusal(c, 404, "configuration", "Not found"));
  app.onError((error, c) => {
    if (error instanceof Failure) return refusal(c, error.code === "internal" ? 500 : 409, error.code, error.message, error.hint);
    onError(error, c.env.door);
    return refusal(c, 500, "internal", "Internal error: see the daemon's log");
  });
  return app;
}
