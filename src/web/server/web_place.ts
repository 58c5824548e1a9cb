/**
 * Keeps the web server in step with the configuration. If it cannot listen, because the port is taken or a certificate is missing, it
 * says so once and keeps trying; delivery never waits for it.
 *
 * @module
 */
import { anySignal } from "../../async/abort.ts";
import type { WebSettings } from "../../config/settings.ts";
import type { Emit } from "../../domain/transfer_event.ts";
import type { System } from "../../system/system.ts";
import { listenFailure, placeOf } from "./listen_failure.ts";
import { startWebServer, type WebServer, type WebServerTools } from "./web_server.ts";

/** The one web server of a daemon, or none. */
export interface WebPlace {
  /** Makes these settings the ones in force. */
  adopt(settings: WebSettings | null): Promise<void>;
  /** The server that listens now; null while none does. */
  server(): WebServer | null;
  /** Resolves when nothing listens any more. */
  stop(): Promise<void>;
}

/** What a server needs, and what is called when its address changes. */
interface WebPlaceTools extends WebServerTools {
  readonly emit: Emit;
  /** Called with the address of the page; null while there is none. */
  readonly moved: (url: string | null) => void;
  readonly system: WebServerTools["system"] & Pick<System, "sleep">;
}

const TRY_AGAIN_MS = 30_000;

/** Listens to nothing before it has settings; tries again every 30 s where it cannot. */
export function webPlace(tools: WebPlaceTools): WebPlace {
  let settings: WebSettings | null = null;
  let serving: Serving | null = null;

  async function stop(): Promise<void> {
    const former = serving;
    [serving, settings] = [null, null];
    if (former === null) return;
    former.stopped.abort();
    await former.over;
    tools.moved(null);
  }

  return {
    async adopt(next) {
      // Certificates are renewed in place: a reload reads them again.
      if (JSON.stringify(next) === JSON.stringify(settings) && (next?.tlsCert ?? null) === null) return;
      await stop();
      settings = next;
      serving = next === null ? null : await serve(next, tools);
    },
    server: () => serving?.server ?? null,
    stop,
  };
}

/** The page at one address. */
interface Serving {
  /** Null while it cannot listen. */
  server: WebServer | null;
  readonly stopped: AbortController;
  /** Resolves when nothing listens any more after `stopped`. */
  over: Promise<void>;
}

/** Comes back when it listens, or has found that it cannot for now. */
async function serve(settings: WebSettings, tools: WebPlaceTools): Promise<Serving> {
  const { emit } = tools;
  const serving: Serving = { server: null, stopped: new AbortController(), over: Promise.resolve() };
  try {
    const { url } = await listen(serving, settings, tools);
    tools.moved(url);
    emit({ type: "notice", level: "info", message: `The page is at ${url} (to open it: image-transfer open)` });
  } catch (error) {
    emit({ type: "notice", level: "warning", message: reasonOf(settings, error) });
    serving.over = keepTrying(serving, settings, tools);
  }
  return serving;
}

async function listen(serving: Serving, settings: WebSettings, tools: WebPlaceTools): Promise<WebServer> {
  // Of its own: what a start that fails has begun must end.
  const end = anySignal(serving.stopped.signal);
  try {
    const server = await startWebServer(settings, tools, end.signal);
    serving.server = server;
    serving.over = server.finished;
    return server;
  } catch (error) {
    end.abort();
    throw error;
  }
}

/** Silent until it works: the reason has been logged. */
async function keepTrying(serving: Serving, settings: WebSettings, tools: WebPlaceTools): Promise<void> {
  const { signal } = serving.stopped;
  while (true) {
    await tools.system.sleep(TRY_AGAIN_MS, signal);
    if (signal.aborted) return;
    const server = await listen(serving, settings, tools).catch(() => null);
    if (server === null) continue;
    if (signal.aborted) return await server.finished;
    tools.moved(server.url);
    tools.emit({ type: "notice", level: "info", message: `The page is now available at ${server.url}` });
    return;
  }
}

function reasonOf(settings: WebSettings, error: unknown): string {
  const { message, hint } = listenFailure(settings, error);
  return `Cannot show the page at ${placeOf(settings)}: ${message}. Delivery continues. ${hint}`.trim();
}
