/**
 * What commands ask of the daemon, by the control channel: whoever can read `control.json` may. A web page cannot: it knows no secret,
 * and what carries an Origin or a foreign Host is refused.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import * as z from "zod";
import type { Settings } from "../../config/settings.ts";
import { Failure } from "../../domain/failure.ts";
import type { DaemonControl, InForce } from "../../reports/daemon_control.ts";
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

const ids = z.object({ ids: z.array(z.int().positive()).nullable() });
const sendingAgain = z.object({ ids: z.array(z.int().positive()) });
const job = z.object({ job: z.string().optional() });
const pausing = z.object({ destination: z.string().nullable(), by: z.string().min(1).max(200) });
const resuming = z.object({ destination: z.string().nullable(), former: z.enum(["ask", "send_again", "keep"]).default("ask") });
const accepting = z.object({ destination: z.string().nullable() });
const removed = z.object({ job: z.string().nullable() });
const marking = z.object({ ids: z.array(z.int().positive()), reason: z.string().min(1).max(1000) });
const forgetting = z.object({ destination: z.string() });

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
  app.get("/status", async (c) => c.json(await control.status()));
  app.get("/settings", (c) => c.json(inForce(control.settings())));
  app.get("/live", (c) => c.json(control.live()));
  app.post("/opening", (c) => c.json({ opening: control.opening() }));
  app.post("/stop", (c) => {
    // The answer first: stopping closes this very connection.
    sleep(50, signal).then(() => control.stop("requested by the stop command")).catch(onError);
    return c.json({ stopping: true });
  });
  app.post("/reload", async (c) => c.json(await control.reload()));
  app.post("/sync", async (c) => c.json({ jobs: await control.sync((await bodyOf(c, job)).job) }));
  app.post("/retry", async (c) => c.json({ count: control.retry((await bodyOf(c, ids)).ids) }));
  app.post("/send-again", async (c) => c.json({ ids: control.sendAgain((await bodyOf(c, sendingAgain)).ids) }));
  app.post("/pause", async (c) => {
    const { destination, by } = await bodyOf(c, pausing);
    return c.json({ destinations: control.pause(destination, by) });
  });
  app.post("/resume", async (c) => {
    const { destination, former } = await bodyOf(c, resuming);
    const { names, ...others } = await control.resume(destination, former);
    return c.json({ destinations: names, ...others });
  });
  app.post("/accept-removals", async (c) => {
    return c.json({ destinations: control.acceptRemovals((await bodyOf(c, accepting)).destination) });
  });
  app.post("/accept-removed", async (c) => c.json({ jobs: await control.acceptRemoved((await bodyOf(c, removed)).job) }));
  app.post("/mark-gone", async (c) => {
    const { ids, reason } = await bodyOf(c, marking);
    return c.json({ count: control.markGone(ids, reason) });
  });
  app.post("/audit", async (c) => c.json({ destinations: control.audit((await bodyOf(c, job)).job) }));
  app.post("/accept-audit", async (c) => c.json({ count: control.acceptAudit((await bodyOf(c, job)).job) }));
  app.post("/forget", async (c) => c.json(await control.forget((await bodyOf(c, forgetting)).destination)));
  return app;
}

function inForce({ file, stateDirectory, jobs, log, shutdownTimeoutMs, web }: Settings): InForce {
  return { file, stateDirectory, jobs, log, shutdownTimeoutMs, hasPage: web !== null };
}

async function bodyOf<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const text = await c.req.text();
  try {
    const parsed = schema.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new Failure("configuration", "Invalid request: its body is not what this version expects", {
    hint: "The command and the daemon may have different versions: restart the daemon.",
  });
}

function isOurs(request: Request, secret: string): boolean {
  if (request.headers.has("origin")) return false;
  if (!/^127\.0\.0\.1:\d+$/.test(request.headers.get("host") ?? "")) return false;
  return sameText(bearerOf(request) ?? "", secret);
}
