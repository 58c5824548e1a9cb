/**
 * The web server; a new one is started when its settings change. Without it the daemon still delivers.
 *
 * @module
 */
import type { WebSettings } from "../../config/settings.ts";
import type { System } from "../../system/system.ts";
import { isLoopback } from "../auth/access.ts";
import type { Opening } from "../../reports/daemon_control.ts";
import { authentication } from "../auth/authentication.ts";
import { readTls } from "./listen_failure.ts";
import { liveHub } from "../live/live_hub.ts";
import type { PageSource } from "../../reports/page_source.ts";
import { previews } from "../api/previews.ts";
import { isOwnAccount } from "../auth/own_account.ts";
import { openAccess } from "../auth/token.ts";
import type { PageServing, WebEnv } from "./refusal.ts";

/** What a server needs besides its settings. */
export interface WebServerTools {
  readonly source: PageSource;
  /** Answers a request at the page's address. */
  readonly answer: (request: Request, env: WebEnv["Bindings"]) => Response | Promise<Response>;
  readonly metrics: PageServing["metrics"];
  readonly stateDirectory: string;
  readonly system: Pick<
    System,
    | "listen"
    | "certifies"
    | "platform"
    | "uid"
    | "pid"
    | "which"
    | "run"
    | "readText"
    | "writeText"
    | "facts"
    | "hostname"
    | "now"
    | "monotonic"
    | "sleep"
    | "randomHex"
  >;
  readonly onError: (error: unknown) => void;
}

/** A server that listens until the signal it was started with is aborted. */
export interface WebServer {
  /** The address of the page, for those who have a session. */
  readonly url: string;
  /** The address with the token in it, for the start-up line; without, where a token is configured: who configured it knows it. */
  readonly startUrl: string;
  /** Addresses that open the page now. */
  opening(): Opening;
  /** Resolves when nothing listens any more after its signal was aborted. */
  readonly finished: Promise<void>;
}

/**
 * Listens.
 *
 * @throws what keeps it from listening; {@linkcode listenFailure} says it in words.
 */
export async function startWebServer(settings: WebSettings, tools: WebServerTools, signal: AbortSignal): Promise<WebServer> {
  const { system, source, onError } = tools;
  const access = await openAccess(tools.stateDirectory, settings.token, system, onError);
  const tls = await readTls(settings, system);
  const auth = authentication(access, tls !== null, system, settings.metricsToken);
  const serving: PageServing = {
    auth,
    own: {
      listen: settings.host,
      hostname: system.hostname,
      secure: tls !== null,
      certifies: (host) => tls !== null && system.certifies(tls.cert, host),
    },
    hub: liveHub(source, { system, onError }, signal),
    previews: previews(system, signal),
    metrics: settings.metrics ? tools.metrics : null,
  };
  const listening = await system.listen({
    host: settings.host,
    port: settings.port,
    handler: (request, peer) => {
      const isOwn = () => isOwnAccount(peer, listening.port, system, signal);
      return tools.answer(request, { ...serving, peer: peer.host, isOwnAccount: isOwn });
    },
    ...(tls === null ? {} : { tls }),
    onError,
  }, signal);
  const url = `${tls === null ? "http" : "https"}://${shownHost(settings.host, system.hostname)}:${listening.port}/`;
  return {
    url,
    startUrl: access.configured ? url : `${url}?token=${access.token}`,
    opening: () => ({
      once: `${url}?token=${auth.ticket("own")}`,
      shown: `${url}?token=${access.configured ? auth.ticket("any") : access.token}`,
    }),
    finished: listening.finished.then(access.saved),
  };
}

function shownHost(host: string, hostname: string): string {
  if (host === "0.0.0.0" || host === "::") return hostname;
  if (isLoopback(host) && !host.includes(":")) return host;
  return host.includes(":") ? `[${host}]` : host;
}
