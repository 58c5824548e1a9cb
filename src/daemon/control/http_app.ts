/**
 * The one HTTP app of a daemon, with two listeners: commands ask at the control channel, browsers and scripts at the page's address.
 * Each listener has its own authentication and its own routes, and no request can choose the other's, so the page can change no
 * command, program or key.
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

/** What a request comes with, by the listener that took it. */
export type Origin =
  | ({ readonly listener: "commands" } & CommandEnv["Bindings"])
  | ({ readonly listener: "page" } & WebEnv["Bindings"]);

/** Answers requests. */
export interface HttpApp {
  fetch(request: Request, origin: Origin): Response | Promise<Response>;
}

/** What the answers are made from. */
interface HttpTools {
  readonly control: DaemonControl;
  /** Null without a page: then its listener answers nothing. */
  readonly source: PageSource | null;
  readonly system: System;
  /** Told of internal errors; the asker gets no details. */
  readonly onError: (error: unknown, listener: Origin["listener"]) => void;
}

/** Works until `signal` is aborted. */
export function httpApp({ control, source, system, onError }: HttpTools, signal: AbortSignal): HttpApp {
  const app = new Hono<{ Bindings: Origin }>({
    // The listener comes first in the path that is routed; whatever path a request asks for stays below it.
    getPath: (request, options) => `/${(options?.env as Origin).listener}${getPath(request)}`.replace(/(?<=^\/\w+)\/$/, ""),
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
    onError(error, c.env.listener);
    return refusal(c, 500, "internal", "Internal error: see the daemon's log");
  });
  return app;
}
