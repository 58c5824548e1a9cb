/**
 * Keeps the web server in step with the configuration. Where it cannot listen, because the port is taken or a certificate is missing,
 * it says so once and goes on trying; delivery never waits for it.
 *
 * @module
 */
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

/** What a server needs, and who hears where it is. */
export interface WebPlaceTools extends WebServerTools {
  readonly emit: Emit;
  /** Told where the page is now; null for nowhere. */
  readonly moved: (url: string | null) => void;
  readonly system: WebServerTools["system"] & Pick<System, "sleep">;
}

const TRY_AGAIN_MS = 30_000;

/** Listens to nothing before it has settings; tries again every 30 s where it cannot. */
export function webPlace(tools: WebPlaceTools): WebPlace {
  let settings: WebSettings | null = null;
  let running: { readonly server: WebServer | null; readonly end: AbortController; readonly over: Promise<unknown> } | null =
    null;

  async function adopt(next: WebSettings | null): Promise<void> {
    // Certificates are renewed in place: a reload reads them again.
    if (JSON.stringify(next) === JSON.stringify(settings) && (next?.tlsCert ?? null) === null) return;
    await stop();
    settings = next;
    if (next !== null) await start(next);
  }

  async function start(now: WebSettings): Promise<void> {
    const end = new AbortController();
    try {
      const server = await startWebServer(now, tools, end.signal);
      running = { server, end, over: server.finished };
      tools.emit({ type: "notice", level: "info", message: `The page is at ${server.url} (to open it: image-transfer open)` });
      tools.moved(server.url);
    } catch (error) {
      end.abort();
      tools.emit({ type: "notice", level: "warning", message: reasonOf(now, error) });
      const again = new AbortController();
      running = { server: null, end: again, over: keepTrying(now, again.signal) };
    }
  }

  /** Without a word until it works: the reason was told. */
  async function keepTrying(now: WebSettings, stopped: AbortSignal): Promise<void> {
    while (!stopped.aborted) {
      await tools.system.sleep(TRY_AGAIN_MS, stopped);
      if (stopped.aborted) return;
      const end = new AbortController();
      const server = await startWebServer(now, tools, end.signal).catch(() => null);
      if (server === null) {
        end.abort();
        continue;
      }
      if (stopped.aborted) {
        end.abort();
        return await server.finished;
      }
      running = { server, end, over: server.finished };
      tools.emit({ type: "notice", level: "info", message: `The page is now available at ${server.url}` });
      tools.moved(server.url);
      return;
    }
  }

  async function stop(): Promise<void> {
    const former = running;
    running = null;
    settings = null;
    if (former === null) return;
    former.end.abort();
    await former.over;
    tools.moved(null);
  }

  return { adopt, server: () => running?.server ?? null, stop };
}

function reasonOf(settings: WebSettings, error: unknown): string {
  const { message, hint } = listenFailure(settings, error);
  return `Cannot show the page at ${placeOf(settings)}: ${message}. Delivery continues. ${hint}`.trim();
}
