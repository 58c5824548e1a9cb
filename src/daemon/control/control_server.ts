/**
 * The daemon's end of the control channel: HTTP on 127.0.0.1, any free port, for who can read `control.json`.
 * A web page cannot use it: it knows no secret, and what carries an Origin or a foreign Host is refused.
 *
 * @module
 */
import { type Context, Hono } from "hono";
import * as z from "zod";
import { anySignal } from "../../async/abort.ts";
import { Failure } from "../../domain/failure.ts";
import type { Settings } from "../../config/settings.ts";
import type { System } from "../../system/system.ts";
import { type ControlFile, controlPath, parseControlFile, PID_HEADER } from "./control_file.ts";
import type { DaemonControl, InForce } from "../../reports/daemon_control.ts";

/** Where `control.json` is written, and what stands in it. */
export interface ControlServerOptions {
  readonly stateDirectory: string;
  readonly version: string;
  /** Where the page is; null without one. */
  readonly url: string | null;
  readonly system: Pick<System, "listen" | "writeText" | "readText" | "remove" | "pid" | "sleep">;
  /** Told of internal errors; the asker gets no details. */
  readonly onError: (error: unknown) => void;
}

/** The listening control channel. It ends, and takes its file away, when its signal is aborted. */
export interface ControlServer {
  readonly port: number;
  /** Resolves when nothing listens any more and `control.json` is gone. */
  readonly finished: Promise<void>;
  /** Writes a changed address of the page into `control.json`. */
  announce(url: string | null): Promise<void>;
}

/** Most bytes of a request: a hundred thousand ids fit. */
const MAX_BODY = 4 * 1024 * 1024;

/**
 * Listens, and writes `control.json`.
 *
 * @throws what keeps it from listening or writing (errors of the operating system).
 */
export async function controlServer(
  control: DaemonControl,
  options: ControlServerOptions,
  signal: AbortSignal,
): Promise<ControlServer> {
  const { system, stateDirectory, version, onError } = options;
  const secret = randomHex(32);
  const ended = anySignal(signal);
  const app = controlApp(control, { secret, pid: system.pid, onError, sleep: (ms) => system.sleep(ms, signal) });
  const server = await system.listen(
    { host: "127.0.0.1", port: 0, handler: (request) => app.fetch(request), onError },
    ended.signal,
  );
  const path = controlPath(stateDirectory);
  const write = (url: string | null) => {
    const content: ControlFile = { port: server.port, secret, pid: system.pid, version, url };
    return system.writeText(path, `${JSON.stringify(content, null, 2)}\n`, 0o600);
  };
  try {
    await write(options.url);
  } catch (error) {
    ended.abort();
    await server.finished;
    throw error;
  }
  const finished = server.finished.then(async () => {
    ended[Symbol.dispose]();
    // A daemon started since has its own file there.
    if (parseControlFile(await system.readText(path))?.secret === secret) await system.remove(path);
  }).catch(onError);
  return { port: server.port, finished, announce: write };
}

interface AppOptions {
  readonly secret: string;
  readonly pid: number;
  readonly onError: (error: unknown) => void;
  readonly sleep: (ms: number) => Promise<void>;
}

const ids = z.object({ ids: z.array(z.int().positive()).nullable() });
const sendingAgain = z.object({ ids: z.array(z.int().positive()) });
const job = z.object({ job: z.string().optional() });
const pausing = z.object({ destination: z.string().nullable(), by: z.string().min(1).max(200) });
const resuming = z.object({ destination: z.string().nullable(), former: z.enum(["ask", "send_again", "keep"]).default("ask") });
const marking = z.object({ ids: z.array(z.int().positive()), reason: z.string().min(1).max(1000) });
const forgetting = z.object({ destination: z.string() });

function controlApp(control: DaemonControl, { secret, pid, onError, sleep }: AppOptions): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    if (!isOurs(c.req.raw, secret)) return c.json({ error: { message: "Not allowed" } }, 403);
    await next();
    c.header(PID_HEADER, String(pid));
  });
  app.get("/status", async (c) => c.json(await control.status()));
  app.get("/settings", (c) => c.json(inForce(control.settings())));
  app.get("/live", (c) => c.json(control.live()));
  app.post("/opening", (c) => c.json({ opening: control.opening() }));
  app.post("/stop", (c) => {
    // The answer first: stopping closes this very connection.
    sleep(50).then(() => control.stop("requested by the stop command")).catch(onError);
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
    const { names, undecided } = await control.resume(destination, former);
    return c.json({ destinations: names, undecided });
  });
  app.post("/mark-gone", async (c) => {
    const { ids, reason } = await bodyOf(c, marking);
    return c.json({ count: control.markGone(ids, reason) });
  });
  app.post("/forget", async (c) => c.json(await control.forget((await bodyOf(c, forgetting)).destination)));
  app.onError((error, c) => {
    c.header(PID_HEADER, String(pid));
    if (error instanceof Failure) {
      return c.json({ error: { code: error.code, message: error.message, hint: error.hint } }, 409);
    }
    onError(error);
    return c.json({ error: { code: "internal", message: "Internal error: see the daemon's log", hint: "" } }, 500);
  });
  return app;
}

function inForce({ file, stateDirectory, jobs, shutdownTimeoutMs, web }: Settings): InForce {
  return { file, stateDirectory, jobs, shutdownTimeoutMs, hasPage: web !== null };
}

async function bodyOf<T>(c: Context, schema: z.ZodType<T>): Promise<T> {
  const text = await limitedText(c.req.raw, MAX_BODY);
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

async function limitedText(request: Request, most: number): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of request.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > most) throw new Failure("configuration", `Rejected a request of more than ${most} bytes`);
  }
  return text + decoder.decode();
}

function isOurs(request: Request, secret: string): boolean {
  if (request.headers.has("origin")) return false;
  if (!/^127\.0\.0\.1:\d+$/.test(request.headers.get("host") ?? "")) return false;
  return sameText(request.headers.get("authorization") ?? "", `Bearer ${secret}`);
}

/** Compares in a time that tells nothing about where texts differ. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let at = 0; at < b.length; at++) difference |= a.charCodeAt(at % Math.max(1, a.length)) ^ b.charCodeAt(at);
  return difference === 0;
}

function randomHex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
