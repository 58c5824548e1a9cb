/**
 * What commands ask of the daemon, by the control channel: whoever can read `control.json` may. A web page cannot: it knows no secret,
 * and what carries an Origin or a foreign Host is refused.
 *
 * @module
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { Failure } from "../../domain/failure.ts";
import { type Action, COMMAND_ACTIONS, COMMAND_QUESTIONS } from "../../reports/actions.ts";
import type { DaemonControl } from "../../reports/daemon_control.ts";
import type { System } from "../../system/system.ts";
import { bearerOf, sameText } from "../../web/auth/access.ts";
import { refusal } from "../../web/server/refusal.ts";
import { PID_HEADER } from "./control_file.ts";

/** What a route knows of a request besides the request. */
export interface CommandEnv {
  /** The secret of `control.json`. */
  readonly Bindings: { readonly secret: string };
}

/** Most bytes of a request: a hundred thousand ids fit. */
const MAX_BODY = 4 * 1024 * 1024;

/** The routes; others get 403. Every other answer carries our process id: another program on the same port does not know it. */
export function commandRoutes(
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
      const asked = ask.safeParse(parsed(await c.req.text()));
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

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function isOurs(request: Request, secret: string): boolean {
  if (request.headers.has("origin")) return false;
  if (!/^127\.0\.0\.1:\d+$/.test(request.headers.get("host") ?? "")) return false;
  return sameText(bearerOf(request) ?? "", secret);
}
