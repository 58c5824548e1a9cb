/**
 * The one HTTP app of a daemon, with two listeners: commands ask at the control channel, browsers and scripts at the page's address.
 * Each listener has its own authentication and its own routes, and no request can choose the other's, so the page can change no
 * command, program or key.
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { getPath } from "hono/utils/url";
import { Failure } from "../../domain/failure.ts";
import { jsonOf } from "../../domain/json.ts";
import { type Action, COMMAND_ACTIONS, COMMAND_QUESTIONS } from "../../reports/actions.ts";
import type { DaemonControl } from "../../reports/daemon_control.ts";
import { nightReports } from "../../reports/night/night_report.ts";
import type { PageSource } from "../../reports/page_source.ts";
import { pageFiles } from "../../web/server/page_files.ts";
import { refusal, type WebEnv } from "../../web/server/refusal.ts";
import { webApp } from "../../web/server/web_app.ts";
import type { System } from "../../system/system.ts";
import { bearerOf, sameText } from "../../web/auth/access.ts";
import { PID_HEADER } from "./control_server.ts";

interface CommandEnv {
  /** The secret of `control.json`. */
  readonly Bindings: { readonly secret: string };
}

/** Most bytes of a request: a hundred thousand ids fit. */
const MAX_BODY = 4 * 1024 * 1024;

/** What a request comes with, by the listener that took it. */
export type Origin =
  | ({ readonly listener: "commands" } & CommandEnv["Bindings"])
  | ({ readonly listener: "page" } & WebEnv["Bindings"]);

export interface HttpApp {
  fetch(request: Request, origin: Origin): Response | Promise<Response>;
}

interface HttpTools {
  readonly control: DaemonControl;
  /** Null without a page: then its listener answers nothing. */
  readonly source: PageSource | null;
  readonly system: System;
  /** Told of internal errors; the asker gets no details. */
  readonly onError: (error: unknown, listener: Origin["listener"]) => void;
}

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
    if (error instanceof HTTPException) return error.getResponse();
    onError(error, c.env.listener);
    return refusal(c, 500, "internal", "Internal error: see the daemon's log");
  });
  return app;
}

/**
 * What commands ask, by the control channel: whoever can read `control.json` may. A web page cannot: it knows no secret, and what carries an Origin or
 * a foreign Host is refused with 403. Every other answer carries our process id: another program on the same port does not know it.
 */
function commandRoutes(
  control: DaemonControl,
  { pid, sleep }: Pick<System, "pid" | "sleep">,
  signal: AbortSignal,
  onError: (error: unknown) => void,
): Hono<CommandEnv> {
  const app = new Hono<CommandEnv>();
  app.use(async (c, next) => {
    if (!isOurs(c.req.raw, c.env.secret)) return refusal(c, 403, "permission_denied", "Not allowed");
    await next();
    c.header(PID_HEADER, String(pid));
  });
  app.use(bodyLimit({
    maxSize: MAX_BODY,
    async onError(c) {
      // Read to its end: closing a connection on which the asker still sends would lose the answer.
      if (!c.req.raw.bodyUsed) await c.req.raw.body?.pipeTo(new WritableStream());
      return refusal(c, 409, "configuration", `Rejected a request of more than ${MAX_BODY} bytes`);
    },
  }));
  for (const [name, answer] of Object.entries(COMMAND_QUESTIONS)) {
    app.get(`/${name}`, async (c) => c.json(await answer(control)));
  }
  const actions: Readonly<Record<string, Action<DaemonControl>>> = COMMAND_ACTIONS;
  for (const [name, { ask, act }] of Object.entries(actions)) {
    app.post(`/${name}`, async (c) => {
      const asked = ask.safeParse(jsonOf(await c.req.text()));
      if (asked.success) return c.json(await act(control, asked.data));
      throw new Failure("configuration", "Invalid request: its body is not what this version expects", {
        hint: "The command and the daemon may have different versions: restart the daemon.",
      });
    });
  }
  app.post("/stop", (c) => {
    // The answer first: stopping closes this very connection.
    sleep(50, signal).then(() => control.stop("requested by the stop command")).catch(onError);
    return c.json({ stopping: true });
  });
  return app;
}

function isOurs(request: Request, secret: string): boolean {
  if (request.headers.has("origin")) return false;
  if (!/^127\.0\.0\.1:\d+$/.test(request.headers.get("host") ?? "")) return false;
  return sameText(bearerOf(request) ?? "", secret);
}
